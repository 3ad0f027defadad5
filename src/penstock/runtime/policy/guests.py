"""Guests: workers in processes that we have not started, and how they get a seat. A decision module.

A script takes part in an *external* stage, whose seats are empty until somebody comes (``penstock.attach``);
and one replica of any other stage can be run by somebody in his terminal (``penstock debug``):

    1. Who asks for a seat that is taken waits for it; who sits there is told to drain.
    2. When nobody sits there, the guest gets the assignment, and is a worker like others.
    3. He goes when he wants (``Leaving``), or is told to. Then an external seat is empty again, and to any
       other the ordinary worker returns.

A guest's death is never mended by a restart and never ends the run: his items wait for the next one, or go to
others. So ``max_restarts`` does not count him.
"""

from __future__ import annotations

from itertools import count

from penstock.observe import events
from penstock.runtime.policy import action, stimulus
from penstock.runtime.policy.action import Remains
from penstock.runtime.policy.roster import Goal, Renewal, Roster, Seat, Stage, Worker
from penstock.runtime.policy.turn import Turn

OVER = "the pipeline is draining"


def refusal(roster: Roster, stage: str, replica: int | None = None) -> str:
    """Why nobody can take a seat there, in one sentence; empty: he can. ``replica``: whose place he wants, in
    a stage that has code of its own; ``None``: any seat of an external one."""
    known = roster.stages.get(stage)
    if known is None:
        return f"no stage is called {stage}; there are {', '.join(roster.stages)}"
    if Turn(roster, 0.0).closed(stage):
        return f"nobody takes part in {stage} any more: {OVER}"
    return _no_seat(roster, known) if replica is None else _no_place(roster, known, replica)


def _no_seat(roster: Roster, stage: Stage) -> str:
    if not stage.external:
        external = [name for name, each in roster.stages.items() if each.external]
        others = f"; external stages are {', '.join(external)}" if external else ""
        return f"{stage.name} has code of its own, so no script can take part in it{others}"
    if _free(roster, stage) is not None:
        return ""
    seats = "its only seat is" if stage.asked == 1 else f"all its {stage.asked} seats are"
    cure = "" if stage.is_source else f", or `penstock scale {stage.name}={stage.asked + 1}`"
    return f"{stage.name} is taken: {seats}; end the script that is attached{cure}"


def _no_place(roster: Roster, stage: Stage, replica: int) -> str:
    if stage.external:
        return f"{stage.name} runs in scripts of yours: debug those"
    if stage.is_subscriber:
        return f"{stage.name} is a subscriber, which the debugger cannot sit in for; call its code in a test"
    if (stage.name, replica) not in roster.seats:
        there = ", ".join(f"{name}/{number}" for name, number in sorted(roster.seats) if name == stage.name)
        return f"there is no {stage.name}/{replica}; there are {there}"
    seat = roster.seats[stage.name, replica]
    sitting = [one for one in roster.members(stage.name) if one.replica == replica]
    if seat.guest is not None or any(one.guest for one in sitting):
        return f"somebody else debugs {stage.name}/{replica} already"
    renewed = any(each.begun and each.seat == (stage.name, replica) for each in roster.renewals)
    stays = seat.due is not None or renewed or any(one.told == Goal.WORK for one in sitting)
    return "" if stays else f"{stage.name}/{replica} is about to go: {stage.name} has fewer replicas now"


def _free(roster: Roster, stage: Stage) -> int | None:
    """The first seat of an external stage in which nobody sits."""
    taken = {number for name, number in roster.seats if name == stage.name}
    taken |= {worker.replica for worker in roster.members(stage.name)}
    free = next(replica for replica in count() if replica not in taken)
    return free if free < stage.asked else None


def has_time(turn: Turn, worker: Worker) -> bool:
    """Whether no item times out there: somebody looks at it with a debugger."""
    return worker.guest and not turn.stages[worker.stage].external


# What happened ------------------------------------------------------------------------------------------


def on_attach(turn: Turn, happened: stimulus.Attach) -> None:
    """Keep the seat for him, and have it cleared."""
    roster = turn.roster()
    why = refusal(roster, happened.stage, happened.replica)
    if why:
        turn.do(action.Refuse(happened.guest, why))
        return
    replica = _free(roster, turn.stages[happened.stage]) if happened.replica is None else happened.replica
    assert replica is not None, "somebody would have been refused"
    key = happened.stage, replica
    turn.abandon([each for each in turn.renewals if each.seat == key], "it is being debugged")
    turn.seats[key] = turn.seats.get(key, Seat())._replace(due=None, guest=happened.guest)
    for worker in turn.sitting(key):
        turn.tell(worker, Goal.DRAIN)


def on_withdrawn(turn: Turn, happened: stimulus.Withdrawn) -> None:
    """Who drains to make room for him cannot go on: after that an ordinary worker comes."""
    for key, seat in list(turn.seats.items()):
        if seat.guest == happened.guest:
            turn.seats[key] = seat._replace(guest=None)
            for old in turn.sitting(key):
                begun = Renewal(old.number, *key, drain_first=True, begun=True)
                turn.renewals = (begun, *turn.renewals)
            _drop_empty(turn, key)


def on_leaving(turn: Turn, happened: stimulus.Leaving) -> None:
    """He goes by the door that all use."""
    worker = turn.workers.get(happened.number)
    if worker is not None and worker.guest and worker.told == Goal.WORK:
        turn.tell(turn.change(worker, leaving=True), Goal.DRAIN)


def turn_away(turn: Turn, key: tuple[str, int], why: str) -> None:
    """There will be no seat for him who waits for this one, if somebody does."""
    seat = turn.seats[key]
    if seat.guest is not None:
        turn.seats[key] = seat._replace(guest=None)
        turn.do(action.Refuse(seat.guest, why))


# The standing rule --------------------------------------------------------------------------------------


def seat_guests(turn: Turn) -> None:
    """Who waits for a seat gets it when it is free, and hears when it never will be."""
    for key, seat in list(turn.seats.items()):
        if seat.guest is None:
            continue
        if turn.closed(key[0]):
            turn_away(turn, key, f"nobody takes part in {key[0]} any more: {OVER}")
            _drop_empty(turn, key)
        elif not turn.sitting(key):
            _admit(turn, key, seat.guest)


def _admit(turn: Turn, key: tuple[str, int], guest: int) -> None:
    name, replica = key
    stage = turn.stages[name]
    deadline = turn.now + stage.start_timeout if stage.external else None
    worker = Worker(turn.next_number, name, replica, turn.now, deadline, guest=True)
    turn.next_number += 1
    turn.workers[worker.number] = worker
    turn.seats[key] = turn.seats[key]._replace(guest=None)
    turn.do(action.Admit(worker.number, name, replica, stage.asked, guest))


def _drop_empty(turn: Turn, key: tuple[str, int]) -> None:
    seat = turn.seats[key]
    if seat.due is None and not turn.sitting(key):
        del turn.seats[key]


# When he has gone ---------------------------------------------------------------------------------------


def mourn(turn: Turn, worker: Worker, why: str) -> None:
    """He went without having finished. Nobody is blamed for it; the seat is seen to by who calls this."""
    turn.report(
        events.WorkerDied(
            stage=worker.stage,
            replica=worker.replica,
            number=worker.number,
            cause=why,
            restart_after=None,
            details=worker.traceback,
        )
    )
    ownerless = turn.stages[worker.stage].is_source and not makes_room(turn, worker)
    turn.do(action.Retire(worker.number, Remains.UNFINISHED if ownerless else Remains.GIVEN_BACK))


def makes_room(turn: Turn, worker: Worker) -> bool:
    """Whether the ordinary worker comes after it."""
    if not worker.guest or turn.stages[worker.stage].external or turn.closed(worker.stage):
        return False
    ran_dry = worker.finished and worker.told == Goal.WORK
    return not ran_dry and (worker.leaving or worker.told == Goal.WORK)
