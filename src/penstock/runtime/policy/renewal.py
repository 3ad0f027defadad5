"""A restart that somebody asked for: worker by worker, without a gap. A decision module.

One worker at a time is renewed, in the order of ``Roster.renewals``:

    1. Its successor is started beside it, in the same seat.
    2. When the successor is ready, the old one is told to drain. What it holds it finishes.
    3. When it has ended, the next worker's turn comes.

So a stage never has fewer workers than before, and new code that cannot even be loaded does no harm: the old
worker goes on, and the rest of the queue is left alone. (Draining first, as many rolling updates do, leaves a
stage of one worker without any, and one whose new code is broken too.) A source cannot have its successor
beside it, both would make the same items; nor can a worker that holds what only one can hold, a port or most
of a GPU. Those are drained first (``drain_first``), and their seats are filled when they have ended.

Deaths meanwhile are mended as ever; a worker that came to a seat by itself has replaced the old one as well.
"""

from __future__ import annotations

from penstock.observe import events
from penstock.runtime.policy.roster import Goal, Renewal, Roster, Stage, Worker
from penstock.runtime.policy.stimulus import Restart
from penstock.runtime.policy.turn import Turn


def refusal(roster: Roster, stage: str | None, replica: int | None) -> str:
    """Why that cannot be restarted, in one sentence; empty: it can. No stage means all of them."""
    if roster.goal > Goal.WORK:
        return "nothing is restarted any more: the pipeline is draining"
    if stage is None:
        return ""
    known = roster.stages.get(stage)
    if known is None:
        return f"no stage is called {stage}; there are {', '.join(roster.stages)}"
    if known.external:
        return f"{stage} is not ours to restart: scripts take part in it; start those anew"
    if known.drained or not any(name == stage for name, _ in roster.seats):
        return f"{stage} is not restarted any more: it has finished"
    if replica is not None and (stage, replica) not in roster.seats:
        there = ", ".join(f"{stage}/{number}" for name, number in sorted(roster.seats) if name == stage)
        return f"there is no {stage}/{replica}; there are {there}"
    return ""


def wanted(roster: Roster, stage: str | None, replica: int | None) -> list[Worker]:
    """The workers to renew, upstream first. Who already leaves, or is awaited, needs no renewal."""
    return [
        worker
        for name in roster.stages
        for worker in sorted(roster.members(name), key=lambda one: one.replica)
        if stage in {None, name} and replica in {None, worker.replica} and _may_be_renewed(worker)
    ]


def _may_be_renewed(worker: Worker) -> bool:
    return worker.told == Goal.WORK and not worker.guest


def queue(turn: Turn, happened: Restart) -> None:
    """Put these workers at the end of the queue, except who stands in it."""
    waiting = {renewal.old for renewal in turn.renewals}
    for number in happened.numbers:
        worker = turn.workers.get(number)
        if worker is not None and _may_be_renewed(worker) and number not in waiting:
            drain_first = happened.drain_first or _is_single(turn.stages[worker.stage])
            turn.renewals += (Renewal(number, *worker.seat, drain_first=drain_first),)


def _is_single(stage: Stage) -> bool:
    """Whether two workers in one seat would do harm: they would make the same, have half an order each, or
    want the same GPU."""
    return stage.is_source or stage.alone or stage.places is not None


def renew(turn: Turn) -> None:
    """The standing rule: get on with the first of the queue."""
    while turn.renewals:
        first = turn.renewals[0]
        if why := _obstacle(turn, first):
            turn.abandon([first], why)
        elif not first.begun:
            _begin(turn, first)
        elif not _proceed(turn, first):
            return


def _obstacle(turn: Turn, renewal: Renewal) -> str:
    if turn.goal > Goal.WORK or turn.stages[renewal.stage].drained:
        return "the pipeline is draining"
    return "" if renewal.seat in turn.seats else "it has ended"


def _begin(turn: Turn, renewal: Renewal) -> None:
    turn.renewals = (renewal._replace(begun=True), *turn.renewals[1:])
    old = turn.workers.get(renewal.old)
    if old is None:
        return  # it died while it waited: who comes after it is new
    if renewal.drain_first:
        turn.tell(old, Goal.DRAIN)
    else:
        turn.seats[renewal.seat] = turn.seats[renewal.seat]._replace(due=turn.now)


def _proceed(turn: Turn, renewal: Renewal) -> bool:
    """Whether the queue is shorter now."""
    old = turn.workers.get(renewal.old)
    successor = next((one for one in turn.sitting(renewal.seat) if one.number > renewal.old), None)
    if successor is not None and successor.ready_at is not None:
        if old is not None:
            turn.tell(old, Goal.DRAIN)
            return False
        turn.renewals = turn.renewals[1:]
        turn.report(
            events.WorkerRenewed(
                stage=renewal.stage,
                replica=renewal.replica,
                number=renewal.old,
                successor=successor.number,
            )
        )
        return True
    awaited = successor is not None or turn.seats[renewal.seat].due is not None
    if old is not None and old.told == Goal.WORK and not awaited:
        turn.abandon(turn.renewals, f"the successor of {old.label} did not get ready; {old.label} goes on")
        return True
    return False
