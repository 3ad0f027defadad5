"""Hosts that join, leave and are lost, and what becomes of their workers."""

from __future__ import annotations

import msgspec

from penstock.observe import events
from penstock.pipeline.plan import LinkPlan, Plan, StagePlan
from penstock.pipeline.reference import Reference
from penstock.runtime.policy import action, stimulus
from penstock.runtime.policy.death import Death
from penstock.runtime.policy.placement import FIRST, Host
from penstock.runtime.policy.policy import step
from penstock.runtime.policy.roster import enrol

CODE = Reference("/app", "app", "f")
LOST = Death(exit=-9, parting="host h2 was lost", lost=True)


class Run:
    """make → work → save, on one host until others join."""

    def __init__(self, *, label: str | None = None, cores: int = 4) -> None:
        stages = [
            StagePlan("make", "source", CODE),
            StagePlan("work", "stage", CODE, hosts=label, max_restarts=0),
            StagePlan("save", "sink", CODE),
        ]
        plan = Plan("p", stages, [LinkPlan(0, "make", "work"), LinkPlan(1, "work", "save")])
        self.roster = enrol(plan, grace=10.0, cores=cores)
        self.now = 0.0
        self.done: list[action.Action] = []
        self.feed(stimulus.Begin())

    def feed(self, happened: stimulus.Stimulus) -> list[action.Action]:
        self.roster, actions = step(self.roster, happened, self.now)
        self.done += actions
        spawned = [each for each in actions if isinstance(each, action.Spawn)]
        for each in spawned:
            self.feed(stimulus.Bound(each.number))
            self.feed(stimulus.Ready(each.number))
        return actions

    def join(self, name: str, *, brings: int = 0, labels: frozenset[str] = frozenset()) -> None:
        brought = (("work", brings),) if brings else ()
        self.feed(stimulus.HostJoined(Host(name, 4, labels, brought)))

    def lose(self, name: str) -> None:
        gone = [worker.number for worker in self.roster.workers.values() if worker.host == name]
        self.feed(stimulus.HostLost(name, "it was not heard for 10 s"))
        for number in gone:
            self.feed(stimulus.Died(number, LOST))

    def where(self, stage: str = "work") -> list[str]:
        return sorted(worker.host for worker in self.roster.members(stage))

    def said(self, kind: type[events.Event]) -> list[events.Event]:
        return [
            each.event
            for each in self.done
            if isinstance(each, action.Report) and isinstance(each.event, kind)
        ]


def test_what_a_host_brings_is_there_more_than_before_and_goes_with_it() -> None:
    run = Run()
    run.join("h2", brings=2)
    assert run.where() == [FIRST, "h2", "h2"]
    run.lose("h2")
    assert run.where() == [FIRST]
    assert run.roster.stages["work"].asked == 1
    assert run.roster.failure is None


def test_who_was_placed_on_a_lost_host_is_started_elsewhere_at_once_and_that_counts_as_no_restart() -> None:
    run = Run(cores=1)
    run.join("h2")
    run.feed(stimulus.Scale("work", 2))
    assert run.where() == [FIRST, "h2"]
    run.lose("h2")
    assert run.where() == [FIRST, FIRST]
    assert run.roster.failure is None
    assert run.said(events.HostLost)


def test_who_leaves_has_its_workers_drained_and_is_released_when_nobody_is_left_there() -> None:
    run = Run(cores=1)
    run.join("h2", brings=1)
    run.feed(stimulus.Scale("work", 3))
    assert run.where() == [FIRST, "h2", "h2"]
    run.feed(stimulus.HostLeaves("h2"))
    for _ in range(2):
        told = [each.number for each in run.done if isinstance(each, action.Tell)]
        assert not [each for each in run.done if isinstance(each, action.Release)]
        number = next(number for number in told if number in run.roster.workers)
        run.feed(stimulus.Finished(number))
        run.feed(stimulus.Died(number, Death(exit=0)))
    assert run.where() == [FIRST, FIRST]
    assert [each for each in run.done if isinstance(each, action.Release)] == [action.Release("h2")]
    assert list(run.roster.hosts) == [FIRST]


NO_MODULE = Death(exit=78, fault="no module named 'cv2'")


def test_a_host_where_a_worker_does_not_start_is_sent_away_and_the_run_goes_on() -> None:
    run = Run(cores=1)
    run.join("h2", brings=2)
    first, second = [each for each in run.roster.workers.values() if each.host == "h2"]
    workers = {**run.roster.workers, first.number: first._replace(ready_at=None)}
    run.roster = msgspec.structs.replace(run.roster, workers=workers)
    run.feed(stimulus.Died(first.number, NO_MODULE))
    assert run.roster.failure is None
    assert run.said(events.HostUnfit) == [
        events.HostUnfit(host="h2", cause="work cannot run: no module named 'cv2'")
    ]
    assert not [each for each in run.done if isinstance(each, action.Release)]
    run.feed(stimulus.Finished(second.number))
    run.feed(stimulus.Died(second.number, Death(exit=0)))
    released = action.Release("h2", "work cannot run: no module named 'cv2'")
    assert [each for each in run.done if isinstance(each, action.Release)] == [released]
    assert run.where() == [FIRST]
    assert run.roster.stages["work"].asked == 1


def test_a_host_where_a_worker_dies_too_often_is_sent_away_and_only_the_first_one_ends_the_run() -> None:
    run = Run()
    run.join("h2", brings=1)
    crashed = Death(exit=-11)
    there = next(one for one in run.roster.members("work") if one.host == "h2")
    run.feed(stimulus.Died(there.number, crashed))
    assert run.roster.failure is None
    cause = "work/1 died: killed (SIGSEGV)"
    assert run.said(events.HostUnfit) == [events.HostUnfit(host="h2", cause=cause)]
    assert run.where() == [FIRST]
    run.feed(stimulus.Died(next(run.roster.members("work")).number, crashed))
    assert run.roster.failure is not None


def test_a_worker_that_dies_too_often_where_alone_it_can_be_ends_the_run() -> None:
    run = Run(label="gpu")
    run.join("h2", labels=frozenset({"gpu"}))
    run.feed(stimulus.Died(next(run.roster.members("work")).number, Death(exit=-11)))
    assert run.roster.failure is not None


def test_where_no_worker_of_a_stage_has_ever_started_it_is_the_run_that_ends() -> None:
    run = Run(label="gpu")
    run.join("h3", labels=frozenset({"gpu"}))
    only = next(run.roster.members("work"))
    stages = {**run.roster.stages, "work": run.roster.stages["work"]._replace(was_ready=False)}
    workers = {**run.roster.workers, only.number: only._replace(ready_at=None)}
    run.roster = msgspec.structs.replace(run.roster, stages=stages, workers=workers)
    run.feed(stimulus.Died(only.number, NO_MODULE))
    assert run.roster.failure is not None


def test_a_stage_with_a_label_waits_for_a_host_that_has_it_and_says_so_once() -> None:
    run = Run(label="gpu")
    assert run.where() == []
    assert run.roster.wake() is None
    run.feed(stimulus.Tick())
    run.join("plain")
    assert run.said(events.HostAwaited) == [events.HostAwaited(stage="work", label="gpu")]
    run.join("h3", labels=frozenset({"gpu"}))
    assert run.where() == ["h3"]


def test_sources_and_sinks_stay_on_the_first_host() -> None:
    run = Run(cores=1)
    run.join("h2")
    save = next(run.roster.members("save")).number
    run.feed(stimulus.Died(save, Death(exit=1)))
    run.now = 100.0
    run.feed(stimulus.Tick())
    assert run.where("save") == [FIRST]


def test_a_drain_waits_for_a_host_only_while_anything_moves_and_then_says_what_is_unfinished() -> None:
    run = Run(label="gpu")
    run.feed(stimulus.Drain())
    for _ in range(40):
        wake = run.roster.wake()
        if wake is None or run.roster.failure is not None:
            break
        run.now = wake
        for each in run.feed(stimulus.Tick()):
            if isinstance(each, action.Count):
                run.feed(stimulus.Counted(dict.fromkeys(each.stages, 7), 0))
    assert run.roster.failure is not None
    assert (
        run.roster.failure.cause == "no host has joined to do what waits (7 for 'work'): that is unfinished"
    )
