"""What the policy makes of a group of tasks: a stage to which work comes from no other stage."""

from __future__ import annotations

import pytest

from penstock.observe import events
from penstock.pipeline.plan import GROUP, LinkPlan, Plan, StagePlan
from penstock.pipeline.reference import Reference
from penstock.runtime.policy import action, stimulus
from penstock.runtime.policy.action import Action
from penstock.runtime.policy.death import Death
from penstock.runtime.policy.policy import refusal, step
from penstock.runtime.policy.roster import Goal, enrol
from penstock.runtime.policy.stimulus import Stimulus
from penstock.runtime.supervisor import process

CODE = Reference("/app", "app", "f")
KILLED = Death(exit=-9, in_hand="a job")


class Run:
    """One group, and a time that stands still."""

    def __init__(self, **rules: object) -> None:
        group = StagePlan("gpu", GROUP, CODE, **rules)  # type: ignore[arg-type]
        self.roster = enrol(Plan("app", [group], []), grace=10.0)
        self.now = 1000.0
        self.feed(stimulus.Begin())

    def feed(self, happened: Stimulus) -> list[Action]:
        self.roster, actions = step(self.roster, happened, self.now)
        return actions

    def ready(self) -> None:
        for number in tuple(self.roster.workers):
            self.feed(stimulus.Bound(number))
            self.feed(stimulus.Ready(number))


def spawned(actions: list[Action]) -> list[int]:
    return [each.number for each in actions if isinstance(each, action.Spawn)]


def test_it_is_not_drained_though_nobody_feeds_it() -> None:
    run = Run(replicas=2)
    run.ready()
    assert all(worker.told == Goal.WORK for worker in run.roster.workers.values())
    assert not run.roster.stages["gpu"].drained


def test_a_job_that_kills_its_worker_costs_the_group_nothing_however_often() -> None:
    run = Run(max_restarts=2)
    for _ in range(20):
        run.ready()
        (number,) = run.roster.workers
        assert spawned(run.feed(stimulus.Died(number, KILLED)))
    assert run.roster.failure is None
    assert run.roster.seats["gpu", 0].record.total == 0


def test_one_whose_workers_never_get_ready_is_given_up() -> None:
    run = Run()
    while run.roster.workers:
        (number,) = run.roster.workers
        run.feed(stimulus.Died(number, Death(exit=1)))
        run.now = max(run.now, run.roster.wake() or 0.0)
        run.feed(stimulus.Tick())
    assert run.roster.failure is not None


def test_a_worker_that_has_done_its_part_is_replaced_at_once_and_that_is_no_death() -> None:
    run = Run()
    run.ready()
    (number,) = run.roster.workers
    run.feed(stimulus.Finished(number))
    actions = run.feed(stimulus.Died(number, Death(exit=0)))
    assert spawned(actions)
    died = [each for each in actions if isinstance(each, action.Report)]
    assert not any(isinstance(each.event, events.WorkerDied) for each in died)


def test_it_drains_when_the_run_does_and_then_the_run_is_over() -> None:
    run = Run(replicas=2)
    run.ready()
    told = [each for each in run.feed(stimulus.Interrupt()) if isinstance(each, action.Tell)]
    assert [each.goal for each in told] == [Goal.DRAIN] * 2
    ended: list[Action] = []
    for number in tuple(run.roster.workers):
        run.feed(stimulus.Finished(number))
        ended = run.feed(stimulus.Died(number, Death(exit=0)))
    assert action.End() in ended
    assert run.roster.failure is None


def test_a_death_while_it_drains_does_not_keep_the_run_from_its_end() -> None:
    run = Run()
    run.ready()
    run.feed(stimulus.Interrupt())
    (number,) = run.roster.workers
    actions = run.feed(stimulus.Died(number, KILLED))
    assert not spawned(actions)
    assert action.End() in actions


def test_a_gpu_is_never_given_to_two_workers() -> None:
    run = Run(replicas=2, devices=["0", "1"])
    run.ready()
    assert "has GPUs for 2 workers" in refusal(run.roster, "gpu", 3)
    assert not refusal(run.roster, "gpu", 1)
    assert not spawned(run.feed(stimulus.Restart((1,))))
    run.feed(stimulus.Finished(1))
    assert spawned(run.feed(stimulus.Died(1, Death(exit=0))))


@pytest.mark.parametrize(("replica", "seen"), [(0, "0,1"), (1, "2,3")])
def test_each_seat_has_its_own_part_of_the_gpus(replica: int, seen: str) -> None:
    group = StagePlan("gpu", GROUP, CODE, replicas=2, devices=["0", "1", "2", "3"])
    assert process.environment(group, "/run", {}, replica)["CUDA_VISIBLE_DEVICES"] == seen


def test_beside_a_pipeline_it_ends_with_that_and_not_before() -> None:
    stages = [
        StagePlan("make", "source", CODE),
        StagePlan("save", "sink", CODE),
        StagePlan("gpu", GROUP, CODE),
    ]
    run = Run()
    run.roster = enrol(Plan("app", stages, [LinkPlan(0, "make", "save")]), grace=10.0)
    run.feed(stimulus.Begin())
    run.ready()
    numbers = {worker.stage: worker.number for worker in run.roster.workers.values()}
    for stage in ("make", "save"):
        assert run.roster.goal == Goal.WORK, "the pipeline goes on"
        run.feed(stimulus.Finished(numbers[stage]))
        run.feed(stimulus.Died(numbers[stage], Death(exit=0)))
    assert run.roster.goal == Goal.DRAIN
    assert run.roster.workers[numbers["gpu"]].told == Goal.DRAIN
    run.feed(stimulus.Finished(numbers["gpu"]))
    run.feed(stimulus.Died(numbers["gpu"], Death(exit=0)))
    assert run.roster.ended and run.roster.failure is None
