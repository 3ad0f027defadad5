"""What follows a death: who hears of it, who comes after, and when it is one too many. A decision module."""

from __future__ import annotations

from typing import Any

from penstock.observe import events
from penstock.runtime.control import Blame
from penstock.runtime.policy import action, guests, hosts
from penstock.runtime.policy.action import Remains
from penstock.runtime.policy.death import Death, cause
from penstock.runtime.policy.restart import START_TRIES, Record
from penstock.runtime.policy.roster import Failure, Goal, Seat, Stage, Worker
from penstock.runtime.policy.turn import Turn


def who(worker: Worker) -> dict[str, Any]:
    """The fields by which an event names a worker."""
    return {"stage": worker.stage, "replica": worker.replica, "number": worker.number}


def bury(turn: Turn, worker: Worker, death: Death) -> None:
    """All that follows from the end of ``worker``, which is no longer in the roster."""
    why = "" if worker.finished else worker.error or cause(death, worker.condemned)
    _announce(turn, worker, why, death.blame)
    if worker.finished or worker.told >= Goal.STOP:
        turn.report(events.WorkerEnded(**who(worker)))
        turn.do(action.Retire(worker.number, Remains.NONE if worker.finished else Remains.UNFINISHED))
        _vacate(turn, worker)
    elif worker.guest:
        guests.mourn(turn, worker, why)
        _vacate(turn, worker)
    else:
        _replace(turn, worker, why, death)


def _vacate(turn: Turn, worker: Worker) -> None:
    """Its seat goes, unless somebody else sits there or is to come; where it was renewed, he comes now."""
    seat = turn.seats.get(worker.seat)
    if seat is None or seat.due is not None or seat.guest is not None or turn.sitting(worker.seat):
        return
    renewed = turn.renewing(worker) and worker.told == Goal.DRAIN
    worn = turn.stages[worker.stage].is_group and worker.told == Goal.WORK and turn.goal == Goal.WORK
    if renewed or worn or guests.makes_room(turn, worker):
        turn.seats[worker.seat] = seat._replace(due=turn.now)
        if turn.stages[worker.stage].is_source and not worker.resumes:
            turn.report(events.SourceRepeats(**who(worker)))
    else:
        del turn.seats[worker.seat]


def _announce(turn: Turn, worker: Worker, why: str, blame: Blame | None) -> None:
    """Its peers hear of it before anything else: what it held is to be elsewhere as soon as can be."""
    mine = {pair for pair in turn.pairs if worker.number in {pair.sender, pair.receiver}}
    turn.pairs -= mine
    peers = {pair.receiver if pair.sender == worker.number else pair.sender for pair in mine}
    for peer in sorted(peers):
        theirs = blame if blame is not None and blame.sender == peer else None
        turn.do(action.Announce(peer, worker.number, worker.label, why, theirs))


def _replace(turn: Turn, worker: Worker, why: str, death: Death) -> None:
    """A death nobody asked for: mended by a restart, or the end of the run."""
    stage = turn.stages[worker.stage]
    lived = 0.0 if worker.ready_at is None else turn.now - worker.ready_at
    seat = turn.seats.get(worker.seat, Seat())
    before = seat.record
    blameless = bool(death.in_hand or death.lost)
    record = before if blameless else before.died(lived)
    renewed = turn.renewing(worker)
    leaves = _leaves(turn, worker)
    failure = None if leaves or renewed or blameless else _verdict(stage, worker, record, why, death)
    unfit = failure.cause if failure and hosts.is_at_fault(turn, stage, worker, seat) else ""
    if unfit:
        failure, record, blameless = None, Record(), True
    pause = None if leaves or failure else 0.0 if blameless else record.pause()
    if pause is None:
        _vacate(turn, worker)
    else:
        turn.seats[worker.seat] = Seat(record, turn.now + pause, host=seat.host)
    details = _details(worker, death)
    again = None if unfit and seat.host else pause
    turn.report(events.WorkerDied(**who(worker), cause=why, restart_after=again, details=details))
    if unfit:
        hosts.send_away(turn, worker.host, unfit)
    if (leaves or renewed) and worker.permanent and worker.ready_at is not None:  # its teardown raised
        turn.blame(_verdict(stage, worker, record, why, death) or Failure(why))
    ownerless = stage.is_source and pause is None
    turn.do(action.Retire(worker.number, Remains.UNFINISHED if ownerless else Remains.GIVEN_BACK))
    if failure and stage.is_source and worker.permanent and worker.ready_at is not None:
        # It raised, and waited until all it had made was through before it said so: the rest can do the same.
        turn.blame(failure)
        turn.aim(Goal.DRAIN, events.DrainBegan())
    elif failure:
        _give_up(turn, stage, failure)
    elif stage.is_source and worker.ready_at is not None:
        _mourn_source(turn, worker, why, again=pause is not None)


def _give_up(turn: Turn, stage: Stage, failure: Failure) -> None:
    """It cannot go on: the run, or where it is a version of a service on trial, that alone."""
    if stage.of not in {"", stage.name}:
        from penstock.runtime.policy import deployment  # few runs have two versions of anything

        if deployment.is_on_trial(turn, stage):
            deployment.withdraw(turn, stage, failure.cause)
            return
    turn.give_up(failure)


def _leaves(turn: Turn, worker: Worker) -> bool:
    """Whether nobody is to come after it: it was to go, or another works in its seat already."""
    if turn.goal >= Goal.STOP or any(other.told == Goal.WORK for other in turn.sitting(worker.seat)):
        return True
    return worker.told > Goal.WORK and not turn.renewing(worker)


def _details(worker: Worker, death: Death) -> str:
    """Lines that tell more than the cause does. Of a worker that was at work the log is about its items."""
    if death.fault:
        return ""
    return worker.traceback or death.report or ("" if worker.error or worker.ready_at else death.tail)


def _mourn_source(turn: Turn, worker: Worker, why: str, *, again: bool) -> None:
    """Only a source itself can make its items again: either they come twice or they stay unfinished."""
    if again and worker.resumes:
        return
    if again:
        turn.report(events.SourceRepeats(**who(worker)))
    else:
        cause = f"{worker.label} died while it drained ({why}): what it had in flight is unfinished"
        turn.blame(Failure(cause))


def _verdict(stage: Stage, worker: Worker, record: Record, why: str, death: Death) -> Failure | None:
    """Why the run is to be given up; ``None``: the replica is started again."""
    where = f"{stage.where}: " if stage.where else ""
    more = "" if worker.error else death.report or death.tail
    last = f"\n{more}" if more else ""
    if death.fault:
        return Failure(f"{where}{stage.name} cannot run: {death.fault}", environment=True)
    if worker.permanent:
        verb = "cannot run" if worker.ready_at is None else "failed"
        return Failure(f"{where}{worker.label} {verb}: {why}", worker.traceback)
    if not stage.was_ready and worker.condemned:
        return Failure(f"{where}{worker.label} {why}{last}")
    if not stage.was_ready and record.total >= min(START_TRIES, stage.max_restarts + 1):
        tries = "" if record.total == 1 else f" {record.total} times"
        return Failure(f"{where}{worker.label} failed to start{tries}: {why}{last}", worker.traceback)
    if record.spent(stage.max_restarts):
        many = len(record.deaths)
        deaths = "died" if many == 1 else f"died {many} times within a minute of work, the last time of"
        return Failure(f"{where}{worker.label} {deaths}: {why}{last}", worker.traceback)
    return None
