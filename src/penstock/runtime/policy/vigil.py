"""A drain that waits for a script, and for how long it does. A decision module.

What was sent to an external stage in which nobody sits can only be done by a script that attaches. So a run
that drains says at once what it waits for. It does not wait for ever, as nobody may be there any more to
start one: when for the length of the grace nothing has moved, neither there nor anywhere else, the run is
given up, and what waits stays unfinished. The same holds for a stage that only some hosts may run, while none
of them is there (see ``hosts``).

How much waits, and whether anything moves, is on the status pages: the policy asks (``action.Count``), and is
answered (``stimulus.Counted``). A run that does not drain waits for its scripts as long as it takes.
"""

from __future__ import annotations

from collections.abc import Mapping

from penstock.observe import events
from penstock.runtime.policy import action, stimulus
from penstock.runtime.policy.roster import NEVER, Failure, Goal, Vigil
from penstock.runtime.policy.turn import Turn

LOOK = 0.5
"""Seconds between two counts. Only a drain with an empty seat makes them."""


def watch(turn: Turn) -> None:
    """Have what waits for scripts counted now and then, while a drain lasts."""
    vacant = _vacant(turn)
    if turn.goal != Goal.DRAIN or not vacant:
        turn.vigil = None
        return
    if turn.vigil is not None and turn.vigil.look > turn.now:
        return
    vigil = turn.vigil or Vigil(look=turn.now, since=turn.now)
    turn.vigil = vigil._replace(look=turn.now + LOOK)
    turn.do(action.Count(vacant))


def on_counted(turn: Turn, happened: stimulus.Counted) -> None:
    """Say what is waited for; give up what nobody comes for."""
    vigil = turn.vigil
    if vigil is None:
        return
    empty = _vacant(turn)
    waiting = {stage: items for stage, items in happened.items.items() if items and stage in empty}
    for stage in waiting.keys() - vigil.told - {name for name in empty if turn.stages[name].awaits}:
        turn.report(events.ScriptAwaited(stage=stage, items=waiting[stage], patience=turn.grace))
    still = waiting and happened.motion == vigil.motion and not _comes(turn)
    since = vigil.since if still else turn.now
    turn.vigil = vigil._replace(since=since, motion=happened.motion, told=frozenset(waiting))
    if turn.now - since >= turn.grace:
        turn.give_up(Failure(_verdict(turn, waiting)))


def _vacant(turn: Turn) -> tuple[str, ...]:
    """Stages that get items, and in which nobody sits for want of a script or a host."""
    return tuple(
        name
        for name, stage in turn.stages.items()
        if (stage.external or stage.awaits)
        and not stage.is_source
        and not turn.closed(name)
        and not turn.members(name)
    )


def _comes(turn: Turn) -> bool:
    """Whether a worker is on its way: what it will do moves again."""
    starting = any(worker.ready_at is None for worker in turn.workers.values())
    return starting or any(seat.due not in {None, NEVER} for seat in turn.seats.values())


def _verdict(turn: Turn, waiting: Mapping[str, int]) -> str:
    parts = (f"{items:,} for {stage!r}" for stage, items in sorted(waiting.items()))
    who = (
        "no host has joined"
        if any(turn.stages[name].awaits for name in waiting)
        else "no script has attached"
    )
    return f"{who} to do what waits ({', '.join(parts)}): that is unfinished"
