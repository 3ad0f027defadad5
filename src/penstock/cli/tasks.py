"""``penstock tasks``: jobs, submitted and looked after from a shell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from penstock.cli import terminal
from penstock.cli.document import document, plain
from penstock.cli.group import VerbCommand, VerbFamily
from penstock.cli.jobsieve import chosen, jobsieve_options, meant
from penstock.cli.options import broker_option, json_option, moment, timeout_option
from penstock.errors import BrokerFault

if TYPE_CHECKING:
    from penstock.tasks.handle import Job
    from penstock.tasks.job import JobRow

SHOWN = 50

EXAMPLES = (
    "penstock tasks submit app.py:train --arg model=resnet50 --wait",
    "penstock tasks submit --group gpu -- python train.py --epochs 10",
    "penstock tasks list --state dead",
)


@click.group(cls=VerbFamily, examples=EXAMPLES)
def tasks() -> None:
    """Submit jobs, look at them, steer them.

    They lie in the store of the app in this directory (.penstock/jobs.db, or what PENSTOCK_JOBS says), or,
    where jobs go over a broker, in that of its hub. So all this works whether workers run or not. A JOB is
    its number, its id, or the beginning of that.
    """


def yes_option(command: Any) -> Any:
    """``--yes``: the answer to the question, given beforehand."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask.")(command)


SUBMITTING = (
    "penstock tasks submit app.py:train --arg model=resnet50 --arg epochs=10",
    "penstock tasks submit --group gpu --delay 10m -- python train.py --epochs 10",
)


@tasks.command(cls=VerbCommand, examples=SUBMITTING)
@click.argument("words", metavar="APP.PY:TASK | -- COMMAND...", nargs=-1, type=click.UNPROCESSED)
@click.option("--group", metavar="NAME", help="Who is to run a command line.")
@click.option("--arg", "args", metavar="NAME=VALUE", multiple=True, help="An argument of a task.")
@click.option("--env", metavar="NAME=VALUE", multiple=True, help="A variable for a command line.")
@click.option("--delay", metavar="TIME", help="Not before so long from now, like 10m.")
@click.option("--at", metavar="TIME", callback=moment, help="Not before then, like 2026-11-22T03:00.")
@click.option(
    "--unique", metavar="KEY", help="While one with this key waits or runs, no second: that one is shown."
)
@click.option("--priority", metavar="N", type=int, help="Higher ones are begun first.")
@click.option("--max-failures", metavar="N", type=int, help="How often it may fail and be tried again.")
@click.option("--limit", metavar="TIME", help="How long an attempt may take, like 2h.")
@click.option("--wait", is_flag=True, help="Wait until it is done, and show its result.")
@timeout_option
@broker_option
@json_option
def submit(
    words: tuple[str, ...],
    group: str | None,
    args: tuple[str, ...],
    env: tuple[str, ...],
    wait: bool,
    unique: str | None,
    timeout: float | None,
    as_json: bool,
    **knobs: Any,
) -> None:
    """Submit a call of a task, or a command line.

    It is on disk when this returns, and its number is shown. Arguments of a task are checked here. Of a
    command line the exit code decides: 0 is done, 75 asks for another attempt, 78 says that none would help.
    With --wait the exit code is 1 when the job is dead or was cancelled, 6 when --timeout has passed.
    """
    from penstock.cli.submission import submitted

    knobs["timeout"] = knobs.pop("limit")
    said = {name: value for name, value in knobs.items() if value is not None}
    job = submitted(words, group=group, args=args, env=env, knobs=said, unique=unique or "")
    row = _known(job)
    id, name, state = (row.id, row.seq, row.state) if row else (job.id, None, None)
    if not wait:
        shown = document("submitted", id=id, seq=name, state=state) if as_json else str(name or id)
        terminal.data(shown)
        return
    terminal.talk(terminal.dim(f"job {name or id} is submitted ..."))
    result = job.result(None if timeout is None else f"{timeout:g}s")
    if as_json:
        terminal.data(document("result", id=id, seq=name, state=job.state, result=result))
    else:
        terminal.data(plain(result))


def _known(job: Job[Any]) -> JobRow | None:
    """What the store says of a job that the broker has; nothing: whoever keeps the store is not there."""
    try:
        return job.row
    except BrokerFault as error:
        terminal.talk(terminal.doubtful(f"the job is submitted, and waits; {error}"))
        return None


@tasks.command(
    "list", cls=VerbCommand, examples=["penstock tasks list", "penstock tasks list --state dead --since 2h"]
)
@jobsieve_options
@click.option(
    "-n",
    "--limit",
    metavar="COUNT",
    type=click.IntRange(min=0),
    default=SHOWN,
    show_default=True,
    help="How many of the newest; 0 for all.",
)
@click.option("-q", "--quiet", is_flag=True, help="Only their ids, one a line.")
@broker_option
@json_option
def list_(limit: int, quiet: bool, as_json: bool, **said: Any) -> None:
    """Show jobs, the newest last.

    What kept failing, items of pipelines as well, stands in `penstock dead list`.
    """
    from penstock.cli import jobstore, jobview

    found = jobstore.existing().jobs(meant(said), limit=limit + 1 if limit else -1)
    rows, more = (found[:limit] if limit else found)[::-1], bool(limit) and len(found) > limit
    if as_json:
        terminal.data(document("jobs", more=more, jobs=[jobview.fields(row) for row in rows]))
    elif quiet:
        _print([row.id for row in rows])
    elif not rows:
        terminal.talk("no jobs like that" if any(said.values()) else "no jobs")
    else:
        _print(jobview.table_of(rows))
        if more:
            terminal.talk(terminal.dim("there are older ones; -n 0 shows all"))


@tasks.command(cls=VerbCommand, examples=["penstock tasks show 17"])
@click.argument("job")
@broker_option
@json_option
def show(job: str, as_json: bool) -> None:
    """Show all that is known of one job: its arguments, its attempts, why they failed."""
    from penstock.cli import jobstore, jobview
    from penstock.tasks.shortage import shortage

    found = jobstore.job(job)
    row, attempts = found.row, found.attempts
    desk = jobstore.existing()
    shown = jobview.arguments(desk.arguments(row.id) or b"")
    if as_json:
        told = [jobview.attempt_fields(each) for each in attempts]
        terminal.data(document("job", **jobview.fields(row), arguments=shown, attempts=told))
    else:
        short = shortage(row.group, row.rules.gpus, desk.queues()) if row.state == "ready" else ""
        terminal.data(jobview.about(row, attempts, shown, short))


@tasks.command(cls=VerbCommand, examples=["penstock tasks logs 17", "penstock tasks logs 17 -f"])
@click.argument("job")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job is over.")
@click.option("--attempt", metavar="N", type=click.IntRange(min=1), help="Only this attempt.")
@broker_option
@json_option
def logs(job: str, follow: bool, attempt: int | None, as_json: bool) -> None:
    """Show what a job has printed, attempt after attempt."""
    from penstock.cli import jobstore

    found = jobstore.job(job)
    if as_json:
        if follow:
            raise click.UsageError("--json is one document, and --follow has no end: say one of them")
        row = found.row
        numbers = range(1, row.fence + 1) if attempt is None else (attempt,)
        told = [{"attempt": number, "text": found.logs(number)} for number in numbers]
        terminal.data(document("logs", id=row.id, seq=row.seq, state=row.state, logs=told))
        return
    for text in found.follow(attempt) if follow else [found.logs(attempt)]:
        click.echo(text, nl=False)


@tasks.command(
    cls=VerbCommand,
    examples=[
        "penstock tasks retry 17",
        "penstock tasks retry 17 --arg data=right.npz",
        "penstock tasks retry --group gpu --yes",
    ],
)
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
@jobsieve_options
@click.option("--arg", "args", metavar="NAME=VALUE", multiple=True, help="Another argument this time.")
@yes_option
@broker_option
@json_option
def retry(jobs: tuple[str, ...], args: tuple[str, ...], yes: bool, as_json: bool, **said: Any) -> None:
    """Put dead and cancelled jobs back, with all their tries: those that are shown, and no others.

    By a filter only dead ones are meant, unless --state says otherwise.
    """
    able = ("dead", "cancelled") if said["states"] or jobs else ("dead",)
    _act("retry", "put back", jobs, said, able=able, yes=yes, as_json=as_json, args=args)


@tasks.command(cls=VerbCommand, examples=["penstock tasks cancel 17", "penstock tasks cancel --task train"])
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
@jobsieve_options
@yes_option
@broker_option
@json_option
def cancel(jobs: tuple[str, ...], yes: bool, as_json: bool, **said: Any) -> None:
    """Have jobs never begun (again): those that are shown, and no others.

    One that runs is told to end, killed after its grace, and cancelled when its processes are gone.
    """
    from penstock.tasks.job import LIVE

    _act("cancel", "cancelled", jobs, said, able=LIVE, yes=yes, as_json=as_json)


@tasks.command(
    cls=VerbCommand, examples=["penstock tasks purge --state done --until 7d", "penstock tasks purge 17"]
)
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
@jobsieve_options
@yes_option
@broker_option
@json_option
def purge(jobs: tuple[str, ...], yes: bool, as_json: bool, **said: Any) -> None:
    """Delete jobs that are over, with results, logs and what they have published: those that are shown.

    By a filter only done and cancelled ones are meant, unless --state says otherwise. Those go by themselves
    some time, as [tasks] keep and keep_jobs of penstock.toml say; dead ones never do.
    """
    able = ("done", "cancelled", "dead") if said["states"] or jobs else ("done", "cancelled")
    _act("purge", "deleted", jobs, said, able=able, yes=yes, as_json=as_json)


def _act(
    verb: str,
    done: str,
    jobs: tuple[str, ...],
    said: dict[str, Any],
    *,
    able: tuple[str, ...],
    yes: bool,
    as_json: bool,
    args: Sequence[str] = (),
) -> None:
    """Do ``verb`` with what is meant, and say with which that could be done. ``args``: changes for another
    try."""
    from penstock.cli import jobstore, jobview, submission

    rows = chosen(jobs, said, verb, able=able, yes=yes)
    ids = [row.id for row in rows if row.state in able]
    desk = jobstore.existing()
    act = {"cancel": desk.cancel, "retry": desk.requeue, "purge": desk.remove}[verb]
    changed = set(submission.amended(desk, ids, args) if args else act(ids))
    if as_json:
        terminal.data(document(verb, jobs=[row.id for row in rows if row.id in changed]))
        return
    beside = ", with results, logs and what was published" if verb == "purge" else ""
    terminal.talk(f"{done} {jobview.several(len(changed))}{beside}")
    for row in rows:
        if row.id not in changed:
            terminal.talk(terminal.doubtful(f"job {row.seq} is {row.state}: that stays so"))


@tasks.command(cls=VerbCommand, examples=["penstock tasks stats"])
@broker_option
@json_option
def stats(as_json: bool) -> None:
    """Show how many jobs of each task there are by state, and how long they took."""
    from penstock.cli import figures, jobstore
    from penstock.cli.table import table

    found = jobstore.existing().figures()
    if as_json:
        terminal.data(document("stats", tasks=[row._asdict() for row in found]))
        return
    rows = [[group, task, state, f"{jobs:,}", figures.took(mean)] for group, task, state, jobs, mean in found]
    _print(table(rows, ("GROUP", "TASK", "STATE", "JOBS", "MEAN TIME"), right=[3, 4]))


@tasks.command(cls=VerbCommand, examples=["penstock tasks schedules"])
@broker_option
@json_option
def schedules(as_json: bool) -> None:
    """Show which tasks are called by themselves, when they are next, and how it ended last.

    A schedule is known from when a worker of its group has been started with it.
    """
    from penstock.cli import jobstore, scheduleview

    found = jobstore.existing().timings()
    if as_json:
        terminal.data(document("schedules", schedules=[scheduleview.fields(each) for each in found]))
    elif not found:
        terminal.talk("no task has a schedule")
    else:
        _print(scheduleview.table_of(found))


@tasks.command(cls=VerbCommand, examples=["penstock tasks pause gpu"])
@click.argument("groups", metavar="GROUP...", nargs=-1, required=True)
@broker_option
@json_option
def pause(groups: tuple[str, ...], as_json: bool) -> None:
    """Have nothing more of groups begun, until `tasks resume`; what runs is finished."""
    _hold(groups, paused=True, as_json=as_json)


@tasks.command(cls=VerbCommand, examples=["penstock tasks resume gpu"])
@click.argument("groups", metavar="GROUP...", nargs=-1, required=True)
@broker_option
@json_option
def resume(groups: tuple[str, ...], as_json: bool) -> None:
    """Let paused groups go on."""
    _hold(groups, paused=False, as_json=as_json)


def _hold(groups: tuple[str, ...], *, paused: bool, as_json: bool) -> None:
    from penstock.cli import jobstore

    names = [jobstore.group(name) for name in groups]
    desk = jobstore.existing()
    if paused:
        desk.pause(names)
    else:
        desk.resume(names)
    if as_json:
        terminal.data(document("pause", groups=names, paused=paused))
    else:
        _print([f"{name}   {'paused' if paused else 'goes on'}" for name in names])


def _print(lines: list[str]) -> None:
    for line in lines:
        terminal.data(line)
