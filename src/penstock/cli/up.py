"""``penstock up``: a pipeline in the background."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from penstock.cli import terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand
from penstock.cli.options import (
    again,
    app_argument,
    config_options,
    json_option,
    terms_options,
    timeout_option,
)
from penstock.pipeline.place import near

if TYPE_CHECKING:
    from penstock.runtime.background import Background

EXAMPLES = ("penstock up", "penstock up app.py --profile gpu --timeout 2m", "penstock up && penstock logs -f")
EXITS = (
    ("0", "it is ready, or was so quick that it has ended well"),
    ("4, 5, 1", "it could not start or ended before it was ready, as `penstock run`"),
    ("6", "it was not ready in time; it goes on"),
)


@click.command(cls=VerbCommand, examples=EXAMPLES, terms={"Exit codes": EXITS})
@app_argument
@config_options
@click.option("--jobs", is_flag=True, help="Run the jobs of the file's tasks, too, until the pipeline ends.")
@click.option("--resume", is_flag=True, help="Sources that can, go on from where the last run came to.")
@click.option("--reload", is_flag=True, help="New workers for the stages whose files change.")
@terms_options
@timeout_option
@json_option
def up(
    app: str | None,
    flags: tuple[str, ...],
    profile: str | None,
    jobs: bool,
    resume: bool,
    reload: bool,
    offline: bool,
    frozen: bool,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Run a pipeline in the background.

    Returns when every worker is ready. It outlives this terminal, and says what `penstock run` would say
    into run.log in its state directory. `penstock down` ends it.
    """
    terms = [option for option, said in (("--offline", offline), ("--frozen", frozen)) if said]
    started = start(app, flags, profile, terms, jobs=jobs, resume=resume, reload=reload)
    try:
        run = started.wait_ready(timeout)
    except KeyboardInterrupt:
        terminal.talk(f"{started.pipeline} is drained; Ctrl-C again stops now")
        started.end()
        raise
    state = "ready" if run else "ended"
    if as_json:
        terminal.data(
            document("up", pipeline=started.pipeline, state=state, pid=started.pid, log=started.log)
        )
    else:
        name = terminal.strong(started.pipeline)
        terminal.data(f"{name}   {state}   pid {started.pid}   log {near(started.log)}")


def start(
    app: str | None,
    flags: tuple[str, ...],
    profile: str | None,
    terms: list[str],
    *,
    jobs: bool = False,
    resume: bool,
    reload: bool,
) -> Background:
    """What can be wrong with the app and its configuration is said here, before anything is started.

    Raises:
        UserError: the app, its wiring or its configuration is wrong, or it runs already.
    """
    from penstock.cli import appfile
    from penstock.runtime import statedir
    from penstock.runtime.background import Background
    from penstock.runtime.supervisor import reloader
    from penstock.settings import Settings

    loaded = appfile.load(app)
    loaded.plan(flags, profile)
    name = loaded.pipeline.name
    where = statedir.locate(Settings.read(os.environ).state_dir, str(loaded.path), name)
    arguments = [*again(loaded, flags, profile), *terms]
    if jobs:
        appfile.tasks(str(loaded.path))
        arguments.append("--jobs")
    if resume:
        arguments.append("--resume")
    if reload:
        reloader.refuse_missing()
        arguments.append("--reload")
    return Background(name, arguments, statedir.StateDir(where))
