"""Hosts that join a run, leave it and are lost. A decision module.

    joins     its seats are made (``--stage``), and whoever waits for such a host is started there
    leaves    its workers drain one after the other, as in a restart; those whose seats it has brought go for
              good, the others are started elsewhere; when nobody is left there it is released
    is lost   what it had brought goes with it; the deaths of its workers are told next, one by one
    is unfit  a worker does not start there that does elsewhere, or dies there too often: it is sent away as
              if it had left

A worker that died of its host's loss has done nothing wrong: it is no restart that ``max_restarts`` counts.
"""

from __future__ import annotations

from itertools import count

from penstock.observe import events
from penstock.runtime.policy import action, stimulus
from penstock.runtime.policy.placement import FIRST, Wish, choose
from penstock.runtime.policy.renewal import queue
from penstock.runtime.policy.roster import NEVER, Goal, Seat, Stage, Worker
from penstock.runtime.policy.turn import Turn


def place(turn: Turn, stage: Stage, seat: Seat) -> str | None:
    """The host for a worker that is to be started in ``seat`` now; None: there is none for it."""
    if len(turn.hosts) == 1 and not stage.on and seat.host is None:
        return FIRST
    living = (worker.host for worker in turn.workers.values())
    chosen = choose(turn.hosts, living, Wish(stage.on, stage.stays, seat.host))
    if chosen is not None and stage.awaits:
        turn.change_stage(stage.name, awaits=False)
    return chosen


def await_host(turn: Turn, key: tuple[str, int]) -> None:
    """Nobody can be started in that seat until a host comes that it fits."""
    turn.seats[key] = turn.seats[key]._replace(due=NEVER)
    stage = turn.stages[key[0]]
    if not stage.awaits:
        turn.change_stage(stage.name, awaits=True)
        turn.report(events.HostAwaited(stage=stage.name, label=stage.on))


# What happened ------------------------------------------------------------------------------------------


def on_joined(turn: Turn, happened: stimulus.HostJoined) -> None:
    """Use it from now on."""
    host = happened.host
    if host.name in turn.hosts or turn.ended:
        return
    turn.hosts[host.name] = host
    turn.report(events.HostJoined(host=host.name, cores=host.cores, labels=sorted(host.labels)))
    for name, replicas in host.brings:
        if name in turn.stages and not turn.closed(name):
            _bring(turn, turn.stages[name], replicas, host.name)
    for key, seat in turn.seats.items():
        if seat.due == NEVER:
            turn.seats[key] = seat._replace(due=turn.now)


def _bring(turn: Turn, stage: Stage, replicas: int, host: str) -> None:
    after = stage.asked + replicas
    turn.report(events.StageScaled(stage=stage.name, before=stage.asked, after=after))
    turn.change_stage(stage.name, asked=after)
    free = (replica for replica in count() if (stage.name, replica) not in turn.seats)
    for replica in [next(free) for _ in range(replicas)]:
        turn.seats[stage.name, replica] = Seat(due=turn.now, host=host)


def on_leaves(turn: Turn, happened: stimulus.HostLeaves) -> None:
    """It takes nobody new, and who is there goes in good order."""
    host = turn.hosts.get(happened.host)
    if host is None or host.leaving or host.name == FIRST:
        return
    turn.hosts[host.name] = host._replace(leaving=True)
    turn.report(events.HostLeaves(host=host.name))
    _clear(turn, host.name)


def is_at_fault(turn: Turn, stage: Stage, worker: Worker, seat: Seat) -> bool:
    """Whether a worker that does not start, or has died too often, is its host's affair, and not the end of
    the run: elsewhere the same code works, or may. (Where it does not, the first host has the last word.)"""
    if worker.host == FIRST or (worker.ready_at is not None and worker.permanent):
        return False
    others = [one for one in turn.members(stage.name) if one.host != worker.host]
    if worker.ready_at is None:
        return bool(stage.was_ready or others)
    hosts = {name: host for name, host in turn.hosts.items() if name != worker.host}
    return seat.host is not None or choose(hosts, (), Wish(stage.on, stage.stays)) is not None


def send_away(turn: Turn, name: str, cause: str) -> None:
    """It cannot run what it should: it takes nobody new, and who works there goes in good order."""
    host = turn.hosts.get(name)
    if host is not None and not host.leaving:
        turn.hosts[name] = host._replace(leaving=True, unfit=cause)
        turn.report(events.HostUnfit(host=name, cause=cause))
        _clear(turn, name)


def _clear(turn: Turn, host: str) -> None:
    _take_back(turn, host, tell=True)
    others = tuple(worker.number for worker in _living(turn, host) if worker.told == Goal.WORK)
    queue(turn, stimulus.Restart(others, drain_first=True))


def on_lost(turn: Turn, happened: stimulus.HostLost) -> None:
    """It is gone, with all who were there: their deaths are told next."""
    if happened.host not in turn.hosts or happened.host == FIRST:
        return
    turn.report(events.HostLost(host=happened.host, cause=happened.cause))
    _take_back(turn, happened.host, tell=False)
    del turn.hosts[happened.host]


def _take_back(turn: Turn, host: str, *, tell: bool) -> None:
    """The seats that it has brought go, as with fewer replicas."""
    mine = [key for key, seat in turn.seats.items() if seat.host == host]
    for key in mine:
        stage = turn.stages[key[0]]
        turn.report(events.StageScaled(stage=stage.name, before=stage.asked, after=stage.asked - 1))
        turn.change_stage(stage.name, asked=stage.asked - 1)
        turn.abandon([each for each in turn.renewals if each.seat == key], f"{host} leaves")
        for worker in turn.sitting(key):
            if tell:
                turn.tell(worker, Goal.DRAIN)
            elif worker.told == Goal.WORK:
                turn.change(worker, told=Goal.DRAIN)
        if turn.sitting(key):
            turn.seats[key] = turn.seats[key]._replace(due=None)
        else:
            del turn.seats[key]


def _living(turn: Turn, host: str) -> list[Worker]:
    return [worker for worker in turn.workers.values() if worker.host == host]


# The standing rule --------------------------------------------------------------------------------------


def release(turn: Turn) -> None:
    """Who leaves, and has nobody left, may go."""
    for host in list(turn.hosts.values()):
        if host.leaving and not _living(turn, host.name):
            del turn.hosts[host.name]
            turn.report(events.HostLeft(host=host.name))
            turn.do(action.Release(host.name, host.unfit))
