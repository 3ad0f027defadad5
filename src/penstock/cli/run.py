"""``penstock run``: a pipeline in the foreground, from its first item to its ledger."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from penstock.cli.group import VerbCommand
from penstock.cli.options import again, app_argument, config_options, in_ports, in_seconds, terms_options

if TYPE_CHECKING:
    from penstock.cli.appfile import App
    from penstock.pipeline.plan import Plan
    from penstock.runtime.hosts.listening import Listen
    from penstock.runtime.supervisor import reloader

EXAMPLES = (
    "penstock run app.py",
    "penstock run app.py:pipeline",
    "penstock run --set detect.replicas=2 --for 30s",
    "penstock run --resume",
    "penstock run --reload",
    "penstock run app.py --record rec.pst",
    "penstock run app.py --jobs",
    "penstock run app.py --listen tcp://10.0.0.5:7788",
)
EXITS = (
    ("0", "it ended by itself, or was drained"),
    ("1", "a stage could not be kept running"),
    ("4", "the file, the wiring or the configuration is wrong, or an environment's lock is stale"),
    ("5", "an interpreter cannot run its stage, or an environment cannot be made"),
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
@click.option("--jobs", is_flag=True, help="Run the jobs of the file's tasks, too, until the pipeline ends.")
@click.option("--listen", metavar="TCP://ADDRESS:PORT", help="Let other hosts join there: `penstock join`.")
@click.option(
    "--host-timeout",
    metavar="TIME",
    callback=in_seconds,
    help="How long a host may be silent before it is taken for lost.  [default: 10s]",
)
@click.option(
    "--ports",
    metavar="FIRST-LAST",
    callback=in_ports,
    help="With --listen: the ports of workers here, as a tunnel carries them.  [default: any]",
)
@click.option("--all-interfaces", is_flag=True, help="--listen may name all addresses: tcp://*:7788.")
@terms_options
@click.option("--reload", is_flag=True, help="New workers for the stages whose files change.")
@click.option("--resume", is_flag=True, help="Sources that can, go on from where the last run came to.")
def run(
    app: str | None,
    flags: tuple[str, ...],
    profile: str | None,
    lasting: float | None,
    record: str | None,
    jobs: bool,
    listen: str | None,
    host_timeout: float | None,
    ports: str,
    all_interfaces: bool,
    offline: bool,
    frozen: bool,
    reload: bool,
    resume: bool,
) -> int:
    """Run a pipeline here, in the foreground.

    The same as `python app.py`. Ctrl-C (or SIGTERM) drains: nothing new is made, what is in flight is
    finished. A second one stops after the current items, a third one kills. Environments that are missing
    are built before anything is started.
    """
    from penstock.cli import appfile
    from penstock.cli.crews import Crews, beside, crews
    from penstock.runtime.run import run_foreground
    from penstock.runtime.supervisor.provision import Terms

    if reload and listen:
        raise click.UsageError("--reload does not reach hosts that have joined: say --listen without it")
    if ports and not listen:
        raise click.UsageError("--ports are for hosts that join: say --listen as well")
    if reload:
        _compile_anew()
    loaded = appfile.load(app)
    plan, path = loaded.plan(flags, profile), str(loaded.path)
    watched = _watched(loaded, plan, flags, profile) if reload else None
    mine = crews(*appfile.tasks(path)) if jobs else Crews([], None, "")
    return run_foreground(
        beside(plan, mine.stages),
        app=path,
        resume=resume,
        lasting=lasting,
        record=record,
        reload=watched,
        schedules=mine.schedules,
        broker=mine.broker,
        terms=Terms(offline, frozen),
        listen=_listen(listen, host_timeout, ports, all_interfaces) if listen else None,
    )


def _listen(endpoint: str, timeout: float | None, ports: str, all_interfaces: bool) -> Listen:
    from penstock.runtime.hosts.listening import TIMEOUT, Listen

    return Listen(endpoint, TIMEOUT if timeout is None else timeout, all_interfaces, ports)


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
    from penstock.runtime.supervisor import reloader

    reloader.refuse_missing()
    question = ["graph", *again(loaded, flags, profile), "--json"]
    return reloader.App(str(loaded.path), question, graph.as_document(plan))
