"""``penstock run``: a pipeline in the foreground, from its first item to its ledger."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from penstock.cli.group import VerbCommand
from penstock.cli.options import again, app_argument, config_options, in_seconds

if TYPE_CHECKING:
    from penstock.cli.appfile import App
    from penstock.pipeline.plan import Plan
    from penstock.runtime import reloader

EXAMPLES = (
    "penstock run app.py",
    "penstock run app.py:pipeline",
    "penstock run --set detect.replicas=2 --for 30s",
    "penstock run --resume",
    "penstock run --reload",
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
@click.option("--reload", is_flag=True, help="New workers for the stages whose files change.")
@click.option("--resume", is_flag=True, help="Sources that can, go on from where the last run came to.")
def run(
    app: str | None,
    flags: tuple[str, ...],
    profile: str | None,
    lasting: float | None,
    record: str | None,
    reload: bool,
    resume: bool,
) -> int:
    """Run a pipeline here, in the foreground.

    The same as `python app.py`. Ctrl-C (or SIGTERM) drains: nothing new is made, what is in flight is
    finished. A second one stops after the current items, a third one kills.
    """
    from penstock.cli import appfile
    from penstock.runtime.run import run_foreground

    if reload:
        _compile_anew()
    loaded = appfile.load(app)
    plan, path = loaded.plan(flags, profile), str(loaded.path)
    watched = _watched(loaded, plan, flags, profile) if reload else None
    return run_foreground(plan, app=path, resume=resume, lasting=lasting, record=record, reload=watched)


def _compile_anew() -> None:
    """Keep nothing compiled, here and in all that is started from here: Python tells an old version of a file
    by its length and its second, and who edits may be quicker (PEP 552 has the reasons)."""
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


def _watched(loaded: App, plan: Plan, flags: tuple[str, ...], profile: str | None) -> reloader.App:
    """What is reloaded, and how to see whether it is wired otherwise by then.

    Raises:
        EnvironmentFault: what watches files is not installed.
    """
    from penstock.cli import graph
    from penstock.runtime import reloader

    reloader.refuse_missing()
    question = ["graph", *again(loaded, flags, profile), "--json"]
    return reloader.App(str(loaded.path), question, graph.as_document(plan))
