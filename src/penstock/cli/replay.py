"""``penstock replay``: what was recorded, once more through the pipeline or a part of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from penstock.cli import terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand
from penstock.cli.options import config_options, in_seconds, json_option
from penstock.errors import UserError

if TYPE_CHECKING:
    from penstock.message.comparison import Verdict
    from penstock.message.recording import Recording
    from penstock.pipeline.cut import Cut
    from penstock.pipeline.plan import LinkPlan, Plan

EXAMPLES = (
    "penstock replay rec.pst --list",
    "penstock replay rec.pst app.py --into detect",
    "penstock replay rec.pst app.py --into detect --compare --rtol 1e-5",
)
EXITS = (
    ("0", "all is through; with --compare, all is as it was"),
    ("1", "with --compare, something is not as it was; with --list, the recording is not complete"),
    ("else", "as `penstock run`"),
)


def _as_speed(_ctx: click.Context, _parameter: click.Parameter, text: str) -> float:
    """0 for ``max``."""
    try:
        speed = 0.0 if text == "max" else float(text)
    except ValueError:
        speed = -1.0
    if not 0 <= speed <= 1000 or (speed == 0 and text != "max"):
        raise click.BadParameter("a number like 1 or 0.5, of times as fast as it was; or max")
    return speed


@click.command(cls=VerbCommand, examples=EXAMPLES, terms={"Exit codes": EXITS})
@click.argument("path", metavar="RECORDING", type=click.Path(exists=True))
@click.argument("app", metavar="[APP.PY[:PIPELINE]]", required=False)
@click.option("--list", "listing", is_flag=True, help="Only show what is in it.")
@click.option("--into", metavar="STAGE", help="Begin with this stage: play what was sent to it.")
@click.option(
    "--speed",
    metavar="NUMBER|max",
    default="max",
    show_default=True,
    callback=_as_speed,
    help="With the pauses as recorded (1), shorter (2), longer (0.5), or none.",
)
@click.option("--loop", is_flag=True, help="Begin anew at the end, until Ctrl-C or --for.")
@click.option("--for", "lasting", metavar="TIME", callback=in_seconds, help="Drain after so long, like 30s.")
@click.option("--compare", is_flag=True, help="Run no sink; compare with what was recorded, by ids.")
@click.option("--rtol", type=click.FloatRange(0), default=0.0, help="How far numbers may differ, as a part.")
@click.option("--atol", type=click.FloatRange(0), default=0.0, help="How far numbers may differ.")
@config_options
@json_option
def replay(
    path: str,
    app: str | None,
    listing: bool,
    into: str | None,
    speed: float,
    loop: bool,
    lasting: float | None,
    compare: bool,
    rtol: float,
    atol: float,
    flags: tuple[str, ...],
    profile: str | None,
    as_json: bool,
) -> int:
    """Run a pipeline, or a part of it, on what was recorded.

    Sources are not run: what they sent is played in their place, or with --into what was sent to that
    stage, under the same ids and in the same order. Nothing is dropped. It runs as NAME.replay, with logs
    and dead letters of its own. With --compare every stage behind runs, but no sink, and what they make is
    held against what was recorded. Windows and joins are not run then, as what they put out depends on what
    came when; what they had put out is played.
    """
    from penstock.message.recording import Recording

    recording = Recording(path)
    if listing:
        from penstock.cli import reel

        return reel.show(path, as_json=as_json)
    _refuse(loop=loop, compare=compare, within=bool(rtol or atol), as_json=as_json)
    cut, where = _cut(recording, app, flags, profile, into=into, speed=speed, loop=loop, compare=compare)
    _say(recording, cut)
    if not compare:
        return _run(cut, where, lasting)
    with _made(recording, cut, where, lasting) as (code, made):
        return code or _judge(recording, made, cut, (rtol, atol), as_json=as_json)


def _refuse(*, loop: bool, compare: bool, within: bool, as_json: bool) -> None:
    """What does not go together.

    Raises:
        UserError: says what, and why.
    """
    if loop and compare:
        raise UserError("--loop makes new items of the recorded ones, with which --compare has nothing to do")
    if not compare and (within or as_json):
        raise UserError(
            "--rtol, --atol and --json are about --compare (and --json about --list); say that, too"
        )


def _cut(
    recording: Recording,
    app: str | None,
    flags: tuple[str, ...],
    profile: str | None,
    *,
    into: str | None,
    speed: float,
    loop: bool,
    compare: bool,
) -> tuple[Cut, str]:
    """The part of the app that is run, and the app's file."""
    import msgspec

    from penstock.cli import appfile
    from penstock.pipeline.cut import cut
    from penstock.runtime import reels

    loaded = appfile.load(app)
    plan = loaded.plan(flags, profile)
    plan = msgspec.structs.replace(plan, pipeline=f"{plan.pipeline[:57]}.replay")
    reel = reels.reel(plan, recording, speed=speed, loop=loop)
    found = cut(plan, reel, list(recording), into=into, compare=compare)
    if loop:
        _refuse_rounds(found.plan)
    return found, str(loaded.path)


def _refuse_rounds(plan: Plan) -> None:
    """Several players are not always in the same round.

    Raises:
        UserError: somebody takes in order what they play.
    """
    players = [stage.name for stage in plan.stages if stage.reel is not None]
    for stage in plan.stages:
        if stage.ordered and len(players) > 1:
            raise UserError(
                f"{stage.name} is ordered, and {' and '.join(players)} are played: with --loop they would"
                " be in different rounds; leave --loop out, or choose another --into"
            )


def _say(recording: Recording, cut: Cut) -> None:
    from penstock.cli import reel

    reel.warn(recording)
    for link in cut.unfed:
        terminal.talk(terminal.doubtful(f"{link.label} is not recorded: nothing comes by it"))
    for link in _sorted(cut.uncompared):
        terminal.talk(
            f"{link.label} is not compared: what a window or a join puts out depends on what came when"
        )


def _run(cut: Cut, where: str, lasting: float | None, **record: Any) -> int:
    from penstock.runtime.run import run_foreground

    return run_foreground(cut.plan, app=where, lasting=lasting, **record)


@contextmanager
def _made(
    recording: Recording, cut: Cut, where: str, lasting: float | None
) -> Iterator[tuple[int, Recording | None]]:
    """What the pipeline makes of it now, for as long as that is looked at."""
    from penstock.message.recording import Recording

    with tempfile.TemporaryDirectory(prefix="penstock-replay-") as folder:
        kept = f"{folder}/made"
        links = [link.id for link in cut.compared]
        code = _run(cut, where, lasting, record=kept, record_links=links)
        yield code, None if code else Recording(kept, allow_pickle=cut.plan.allow_pickle)


def _judge(
    recording: Recording, made: Recording | None, cut: Cut, within: tuple[float, float], *, as_json: bool
) -> int:
    from penstock.message.comparison import Edges, compare
    from penstock.message.difference import Tolerance
    from penstock.message.recording import Recording

    assert made is not None
    old = Recording(recording.path, allow_pickle=cut.plan.allow_pickle)
    edges = Edges(old, [old[link.label] for link in cut.fed], partly=bool(cut.unfed))
    verdicts = [
        compare(old[link.label], made[link.label], edges, Tolerance(*within))
        for link in _sorted(cut.compared)
    ]
    same = all(verdict.same for verdict in verdicts) and made.complete
    if as_json:
        terminal.data(
            document(
                "comparison",
                recording=old.path,
                complete=old.complete,
                missing=old.missing or made.missing,
                same=same,
                uncompared=[link.label for link in _sorted(cut.uncompared)],
                links=[
                    {**verdict._asdict(), "first": [each._asdict() for each in verdict.first]}
                    for verdict in verdicts
                ],
            )
        )
    else:
        _show(verdicts, made)
    return 0 if same else 1


def _sorted(links: list[LinkPlan]) -> list[LinkPlan]:
    return sorted(links, key=lambda link: link.id)


def _show(verdicts: list[Verdict], made: Recording) -> None:
    from penstock.cli import reel
    from penstock.cli.figures import number
    from penstock.cli.table import table

    counts = ("equal", "different", "missing", "new", "outside")
    rows = [[each.link, *(number(getattr(each, name)) for name in counts)] for each in verdicts]
    for line in table(rows, ("LINK", *map(str.upper, counts)), right=range(1, 6)):
        terminal.data(line)
    for verdict in verdicts:
        for found in verdict.first:
            terminal.data(f"{verdict.link}   {terminal.strong(found.id)}   {found.what}")
    reel.warn(made)
