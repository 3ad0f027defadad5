"""What keeps a run going and what ends it. A decision module: state and stimulus in, state and actions out.

``step`` first takes in what happened (one ``_on_...`` function a stimulus), then applies the standing rules
(``_RULES``, in order). A rule looks at the whole roster, so it holds whatever happened: no handler has to
remember to introduce a new replica to its peers, or to go on with a drain.

How a run drains, when its sources have run dry or somebody asked for it:

    1. Every source is told to drain (when asked for; one that runs dry has told itself).
    2. A source finishes when all it ever sent is settled, which is end to end: it is through. Until then
       everything else is kept running, and deaths are mended as ever. (What only a script can do that is
       not attached is waited for while anything moves, and no longer: see ``vigil``.)
    3. A stage whose feeders are all over is told to drain: it finishes what it still holds (items of
       senders that died), runs its teardown and ends. So it goes on, stage by stage, downstream.
    4. When the last worker has ended, the run is over.

How it ends early: a *stop* tells every worker to end after its current item and kills, after a grace, those
that have not; a *kill* does not ask. Ctrl-C climbs: drain, stop, kill. A run that is given up is stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from penstock.observe import events
from penstock.pipeline.plan import MOST_REPLICAS
from penstock.runtime.policy import action, guests, hosts, stimulus, vigil
from penstock.runtime.policy.action import Action
from penstock.runtime.policy.death import seconds
from penstock.runtime.policy.renewal import queue, renew
from penstock.runtime.policy.roster import Failure, Goal, Pair, Roster, Seat, Stage, Worker
from penstock.runtime.policy.stimulus import Stimulus
from penstock.runtime.policy.succession import bury, who
from penstock.runtime.policy.turn import Turn


def step(roster: Roster, happened: Stimulus, now: float) -> tuple[Roster, list[Action]]:
    """The roster after ``happened``, and what is to be done about it.

    Args:
        roster: how things stood.
        happened: one stimulus. One about a worker that is not there (any more) changes nothing.
        now: seconds on the supervisor's clock (monotonic).
    """
    turn = Turn(roster, now)
    _HANDLERS[type(happened)](turn, happened)
    if turn.begun and not turn.ended:
        for rule in _RULES:
            rule(turn)
    return turn.roster(), turn.actions


def refusal(roster: Roster, stage: str, replicas: int, *, brought: bool = False) -> str:
    """Why ``stage`` cannot be scaled to ``replicas``, in one sentence; empty: it can. ``brought``: another
    host brings the new ones, and GPUs for them."""
    known = roster.stages.get(stage)
    if known is None:
        return f"no stage is called {stage}; there are {', '.join(roster.stages)}"
    if known.is_source:
        return f"{stage} is a source: each replica would produce everything again, so sources are not scaled"
    if known.is_shape and replicas > 1:
        return f"{stage} has to see all items, so it has one replica"
    if known.alone and replicas > 1:
        return f"{stage} is ordered: several replicas would each have a part of the order, so it keeps to one"
    if known.places is not None and replicas > known.places and not brought:
        return f"{stage} has GPUs for {known.places} workers; say in penstock.toml how many it is to have"
    if replicas < 1:
        return f"{stage} cannot have {replicas} replicas: at least one must be there to take its items"
    if replicas > MOST_REPLICAS:
        return f"{stage} cannot have {replicas} replicas: each is a process, and {MOST_REPLICAS} are the most"
    if known.retired:
        return f"{stage} cannot be scaled any more: it is no longer deployed"
    if roster.goal > Goal.WORK or known.drained:
        return f"{stage} cannot be scaled any more: the pipeline is draining"
    return ""


# What happened ------------------------------------------------------------------------------------------


def _on_begin(turn: Turn, _: stimulus.Begin) -> None:
    turn.begun = True
    for stage in turn.stages.values():
        staff(turn, stage)


def _on_tick(turn: Turn, _: stimulus.Tick) -> None:
    """The rules do it all."""


def _on_bound(turn: Turn, happened: stimulus.Bound) -> None:
    if worker := turn.workers.get(happened.number):
        turn.change(worker, bound=True)


def _on_ready(turn: Turn, happened: stimulus.Ready) -> None:
    worker = turn.workers.get(happened.number)
    if worker is None or worker.ready_at is not None or worker.killed:
        return
    timeout = None if guests.has_time(turn, worker) else turn.stages[worker.stage].timeout
    watched = timeout is not None and worker.told < Goal.STOP
    turn.change(
        worker,
        ready_at=turn.now,
        resumes=happened.resumes,
        look=turn.now + timeout if timeout is not None and watched else None,
        deadline=worker.deadline if worker.told >= Goal.STOP else None,
    )
    turn.change_stage(worker.stage, was_ready=True)
    turn.report(events.WorkerReady(**who(worker), took=turn.now - worker.born))


def _on_failed(turn: Turn, happened: stimulus.Failed) -> None:
    worker = turn.workers.get(happened.number)
    if worker is None or worker.killed:
        return
    error, traceback, permanent = happened.error, happened.traceback, happened.permanent
    deadline = turn.now + turn.grace
    turn.change(worker, error=error, traceback=traceback, permanent=permanent, deadline=deadline, look=None)
    turn.report(events.WorkerFailed(**who(worker), error=error, traceback=traceback))


def _on_finished(turn: Turn, happened: stimulus.Finished) -> None:
    worker = turn.workers.get(happened.number)
    if worker is None or worker.killed:
        return
    # Only a source may find by itself that it is through, and a worker of a group that a new one is to take
    # its place; in others that is a fault, mended like a death.
    stage = turn.stages[worker.stage]
    if worker.told >= Goal.DRAIN or stage.is_source or stage.is_group:
        turn.change(worker, finished=True, deadline=turn.now + turn.grace, look=None)


def _on_looked(turn: Turn, happened: stimulus.Looked) -> None:
    worker = turn.workers.get(happened.number)
    if worker is None or worker.finished or worker.killed or worker.error or worker.told >= Goal.STOP:
        return
    timeout = turn.stages[worker.stage].timeout
    if timeout is None:
        return
    due = (turn.now if happened.started is None else happened.started) + timeout
    if due > turn.now:
        turn.change(worker, look=due)
    else:
        turn.kill(worker, f"timed out after {seconds(timeout)}")


def _on_died(turn: Turn, happened: stimulus.Died) -> None:
    if worker := turn.workers.pop(happened.number, None):
        bury(turn, worker, happened.death)


def _on_scale(turn: Turn, happened: stimulus.Scale) -> None:
    stage = turn.stages.get(happened.stage)
    if stage is None or refusal(turn.roster(), happened.stage, happened.replicas):
        return
    if stage.asked != happened.replicas:
        turn.report(events.StageScaled(stage=stage.name, before=stage.asked, after=happened.replicas))
        turn.change_stage(stage.name, asked=happened.replicas)
        staff(turn, turn.stages[stage.name])


def _on_version(turn: Turn, happened: stimulus.Deploy | stimulus.Share | stimulus.Settle) -> None:
    from penstock.runtime.policy import deployment  # few runs have two versions of anything

    deployment.hear(turn, happened)


def _on_pause(turn: Turn, happened: stimulus.Pause) -> None:
    if happened.stage in turn.stages and turn.goal == Goal.WORK and not turn.ended:
        turn.pause(happened.stage, paused=happened.paused)


def _on_restart(turn: Turn, happened: stimulus.Restart) -> None:
    queue(turn, happened)


def _on_drain(turn: Turn, _: stimulus.Drain) -> None:
    turn.aim(Goal.DRAIN, events.DrainBegan())


def _on_stop(turn: Turn, _: stimulus.Stop) -> None:
    turn.cut_short |= not turn.ended
    turn.aim(Goal.STOP, events.StopBegan(grace=turn.grace))


def _on_interrupt(turn: Turn, _: stimulus.Interrupt) -> None:
    if turn.goal == Goal.WORK:
        turn.aim(Goal.DRAIN, events.DrainBegan())
    elif turn.goal == Goal.DRAIN:
        _on_stop(turn, stimulus.Stop())
    else:
        turn.cut_short |= not turn.ended
        turn.aim(Goal.KILL, events.KillBegan())


_HANDLERS: dict[type[Stimulus], Callable[[Turn, Any], None]] = {
    stimulus.Begin: _on_begin,
    stimulus.Tick: _on_tick,
    stimulus.Bound: _on_bound,
    stimulus.Ready: _on_ready,
    stimulus.Failed: _on_failed,
    stimulus.Attach: guests.on_attach,
    stimulus.Withdrawn: guests.on_withdrawn,
    stimulus.Leaving: guests.on_leaving,
    stimulus.Finished: _on_finished,
    stimulus.Looked: _on_looked,
    stimulus.Counted: vigil.on_counted,
    stimulus.Died: _on_died,
    stimulus.Scale: _on_scale,
    stimulus.Deploy: _on_version,
    stimulus.Share: _on_version,
    stimulus.Settle: _on_version,
    stimulus.Pause: _on_pause,
    stimulus.Restart: _on_restart,
    stimulus.HostJoined: hosts.on_joined,
    stimulus.HostLeaves: hosts.on_leaves,
    stimulus.HostLost: hosts.on_lost,
    stimulus.Drain: _on_drain,
    stimulus.Stop: _on_stop,
    stimulus.Interrupt: _on_interrupt,
}


# How many there are to be -------------------------------------------------------------------------------


def staff(turn: Turn, stage: Stage) -> None:
    """As many seats as replicas are asked for: new ones at the lowest free places, the highest cleared."""
    mine = {replica for name, replica in turn.seats if name == stage.name}
    staying = sorted(replica for replica in mine if _is_kept(turn, (stage.name, replica)))
    for replica in staying[stage.asked :]:
        _clear(turn, stage.name, replica)
    free = (replica for replica in count() if replica not in mine)
    for _ in range(0 if stage.external else stage.asked - len(staying)):
        turn.seats[stage.name, next(free)] = Seat(due=turn.now)


def _is_kept(turn: Turn, seat: tuple[str, int]) -> bool:
    """Whether somebody works there, or will."""
    if turn.seats[seat].due is not None or turn.seats[seat].guest is not None:
        return True
    return any(one.told == Goal.WORK or one.leaving or turn.renewing(one) for one in turn.sitting(seat))


def _clear(turn: Turn, stage: str, replica: int) -> None:
    """Who sits there drains and keeps the seat until it has ended; an empty seat goes at once."""
    seat = stage, replica
    turn.abandon([each for each in turn.renewals if each.seat == seat], f"{stage} has fewer replicas now")
    guests.turn_away(turn, seat, f"{stage} has fewer replicas now")
    for worker in turn.sitting(seat):
        turn.tell(turn.change(worker, leaving=False), Goal.DRAIN)
    if turn.sitting(seat):
        turn.seats[seat] = turn.seats[seat]._replace(due=None)
    else:
        del turn.seats[seat]


# The standing rules -------------------------------------------------------------------------------------


def _follow_goal(turn: Turn) -> None:
    """Step 1 of a drain, and the whole of a stop: tell those whom the run's goal concerns."""
    for stage in turn.stages.values():
        if turn.goal >= Goal.STOP or (turn.goal == Goal.DRAIN and (stage.is_source or stage.is_group)):
            for worker in turn.members(stage.name):
                turn.tell(worker, turn.goal)
            waiting = turn.cancel(stage.name)
            if stage.is_source and turn.goal == Goal.DRAIN and any(seat.record.served for seat in waiting):
                turn.blame(Failure(f"{stage.name} had died and is not started again: the pipeline drains"))


def _end_with_pipeline(turn: Turn) -> None:
    """Groups and services that run beside a pipeline end with it; by themselves they never do."""
    stages = turn.stages.values()
    flow = [stage.name for stage in stages if not (stage.is_group or stage.is_subscriber or stage.is_service)]
    beside = any(stage.is_group or stage.is_service for stage in stages)
    if turn.goal == Goal.WORK and flow and beside and all(map(turn.over, flow)):
        turn.aim(Goal.DRAIN, events.DrainBegan())


def _resume_to_drain(turn: Turn) -> None:
    """What is paused cannot finish what it holds."""
    if turn.goal > Goal.WORK:
        for name in list(turn.stages):
            turn.pause(name, paused=False)


def _drain_downstream(turn: Turn) -> None:
    """Step 3: a stage to which nothing can come any more is told to finish."""
    for stage in list(turn.stages.values()):
        if stage.is_source or stage.is_group or stage.drained or not all(map(turn.over, stage.feeders)):
            continue
        if not stage.feeders and turn.goal == Goal.WORK:
            continue  # a subscriber of what only others publish, a service that only others call
        turn.change_stage(stage.name, drained=True)
        turn.cancel(stage.name)
        for worker in turn.members(stage.name):
            turn.tell(worker, Goal.DRAIN)
        turn.report(events.StageDrained(stage=stage.name))


def _keep_deadlines(turn: Turn) -> None:
    """Kill who did not get ready, or did not go, in time."""
    for worker in list(turn.workers.values()):
        if worker.deadline is not None and worker.deadline <= turn.now:
            going = worker.told >= Goal.STOP or worker.finished or worker.error
            limit = turn.stages[worker.stage].start_timeout
            turn.kill(worker, "" if going else f"did not start in {seconds(limit)}")


def _fill_seats(turn: Turn) -> None:
    """Start a worker in every seat whose time has come."""
    for (name, replica), seat in list(turn.seats.items()):
        if seat.due is None or seat.due > turn.now:
            continue
        stage = turn.stages[name]
        host = hosts.place(turn, stage, seat)
        if host is None:
            hosts.await_host(turn, (name, replica))
            continue
        deadline = turn.now + stage.start_timeout
        worker = Worker(turn.next_number, name, replica, turn.now, deadline, host=host)
        turn.next_number += 1
        turn.workers[worker.number] = worker
        turn.seats[name, replica] = seat._replace(due=None)
        turn.do(action.Spawn(worker.number, name, replica, stage.asked, host))


def _introduce(turn: Turn) -> None:
    """Every receiver knows every sender of each of its links, from when the sender can be reached."""
    for link in turn.links:
        senders = [worker.number for worker in turn.members(link.source) if worker.sends]
        receivers = [worker.number for worker in turn.members(link.target) if worker.takes]
        pairs = [Pair(link.id, sender, receiver) for sender in senders for receiver in receivers]
        for pair in pairs:
            if pair not in turn.pairs:
                turn.pairs.add(pair)
                turn.do(action.Introduce(*pair))


def _watch_items(turn: Turn) -> None:
    """Look at those whose item may have taken too long by now."""
    for worker in list(turn.workers.values()):
        if worker.look is not None and worker.look <= turn.now:
            turn.change(worker, look=None)
            turn.do(action.Look(worker.number))


def _forget(turn: Turn) -> None:
    """A version of a service that is retired, and has nobody left, is no stage of the run any more."""
    for stage in list(turn.stages.values()):
        if stage.retired and turn.over(stage.name):
            del turn.stages[stage.name]


def _end(turn: Turn) -> None:
    """Step 4."""
    if all(map(turn.over, turn.stages)):
        turn.ended = True
        turn.report(events.RunEnded(failed=turn.failure is not None, cut_short=turn.cut_short))
        turn.do(action.End())


_RULES = (
    _end_with_pipeline,
    _resume_to_drain,
    _follow_goal,
    _drain_downstream,
    renew,
    guests.seat_guests,
    _keep_deadlines,
    _fill_seats,
    _introduce,
    _watch_items,
    vigil.watch,
    hosts.release,
    _forget,
    _end,
)
