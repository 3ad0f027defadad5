"""``penstock run``: a pipeline in the foreground, from its first item to its ledger."""

from __future__ import annotations

import click

from penstock.cli.group import VerbCommand
from penstock.cli.options import app_argument, config_options, in_seconds

EXAMPLES = (
    "penstock run app.py",
    "penstock run app.py:pipeline",
    "penstock run --set detect.replicas=2 --for 30s",
    "penstock run --resume",
    "penstock run app.py --record rec.pst",
)
EXITS = (
    ("0", "it ended by itself, or was drained"),
    ("1", "a stage could not be kept running"),
    ("4", "the file, the wiring or the configuration is wrong"),
    ("5", "an interpreter cannot run its stage"),
    ("130, 143", "it was cut short by Ctrl-C or SIGTERM"),
)


@click.command(cls=VerbCommand, examples=EXAMPLES, terms={"Exit codes": EXITS})
@app_argument
@config_options
@click.option(
    "--for",
    "lasting",
    metavar="TIME",
    callback=in_seconds,
    help="Drain so long after the start, like 30s or 2m.",
)
@click.option(
    "--record",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Keep all that goes by its links in this new folder.",
)
@click.option("--resume", is_flag=True, help="Sources that can, go on from where the last run came to.")
def run(
    app: str | None,
    flags: tuple[str, ...],
    profile: str | None,
    lasting: float | None,
    record: str | None,
    resume: bool,
) -> int:
    """Run a pipeline here, in the foreground.

    The same as `python app.py`. Ctrl-C (or SIGTERM) drains: nothing new is made, what is in flight is
    finished. A second one stops after the current items, a third one kills.
    """
    from penstock.cli import appfile
    from penstock.runtime.run import run_foreground

    loaded = appfile.load(app)
    plan, path = loaded.plan(flags, profile), str(loaded.path)
    return run_foreground(plan, app=path, resume=resume, lasting=lasting, record=record)
