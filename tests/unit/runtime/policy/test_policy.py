"""The policy's promises, one by one; ``test_policy_machine`` looks for what nobody thought of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from penstock.observe import events
from penstock.observe.events import Event
from penstock.pipeline.plan import LinkPlan, Plan, StagePlan
from penstock.pipeline.reference import Reference
from penstock.runtime.control import Blame
from penstock.runtime.policy import action, stimulus
from penstock.runtime.policy.action import Action, Remains
from penstock.runtime.policy.death import Death
from penstock.runtime.policy.policy import refusal, step
from penstock.runtime.policy.roster import Goal, enrol
from penstock.runtime.policy.stimulus import Stimulus

CODE = Reference("/app", "app", "f")
KILLED = Death(exit=-9)
CLEAN = Death(exit=0)
MAKE, WORK, SAVE = 1, 2, 3
"""The first workers of the chain."""


class Run:
    """A chain make → work → save under the policy; a time that stands still until it is moved."""

    def __init__(self, **rules: object) -> None:
        stages = [
            StagePlan("make", "source", CODE, max_restarts=2),
            StagePlan("work", "stage", CODE, where="app.py:7", **rules),  # type: ignore[arg-type]
            StagePlan("save", "sink", CODE),
        ]
        plan = Plan("p", stages, [LinkPlan(0, "make", "work"), LinkPlan(1, "work", "save")])
        self.roster = enrol(plan, grace=10.0)
        self.now = 1000.0
        self.feed(stimulus.Begin())

    def feed(self, happened: Stimulus) -> list[Action]:
        self.roster, actions = step(self.roster, happened, self.now)
        return actions

    def ready(self, *numbers: int) -> None:
        for number in numbers or tuple(self.roster.workers):
            self.feed(stimulus.Bound(number))
            self.feed(stimulus.Ready(number))

    def die(self, number: int, death: Death = KILLED) -> list[Action]:
        return self.feed(stimulus.Died(number, death))

    def finish(self, number: int) -> list[Action]:
        return [*self.feed(stimulus.Finished(number)), *self.die(number, CLEAN)]

    def wait(self, seconds: float) -> list[Action]:
        self.now += seconds
        return self.feed(stimulus.Tick())

    def crash_loop(self, number: int, *, lived: float) -> Iterator[list[Action]]:
        """Ready, alive for a while, dead, again and again: the actions of each death."""
        while self.roster.failure is None:
            self.ready(number)
            self.now += lived
            yield self.die(number)
            wake = self.roster.wake()
            assert wake is not None
            spawned = [one for one in self.wait(wake - self.now) if isinstance(one, action.Spawn)]
            number = spawned[0].number if spawned else 0


def told(actions: list[Action]) -> list[tuple[int, Goal]]:
    return [(each.number, each.goal) for each in actions if isinstance(each, action.Tell)]


def reported(actions: list[Action], kind: type[Event]) -> list[Event]:
    found = [each.event for each in actions if isinstance(each, action.Report)]
    return [event for event in found if isinstance(event, kind)]


# Beginning


def test_all_workers_are_started_at_once() -> None:
    run = Run(replicas=3)
    assert [(one.stage, one.replica) for one in run.roster.workers.values()] == [
        ("make", 0),
        ("work", 0),
        ("work", 1),
        ("work", 2),
        ("save", 0),
    ]


def test_a_receiver_hears_of_a_sender_when_that_can_be_reached_not_before() -> None:
    run = Run()
    assert not any(isinstance(each, action.Introduce) for each in run.feed(stimulus.Bound(SAVE)))
    assert action.Introduce(0, MAKE, WORK) in run.feed(stimulus.Bound(MAKE))


# Deaths


def test_peers_hear_of_a_death_before_anything_else_is_done() -> None:
    run = Run()
    run.ready()
    blame = Blame(MAKE, 0, 7, 3)
    actions = run.die(WORK, Death(exit=-11, blame=blame))
    assert actions[:2] == [
        action.Announce(MAKE, WORK, "work/0", "killed (SIGSEGV)", blame),
        action.Announce(SAVE, WORK, "work/0", "killed (SIGSEGV)", None),
    ]
    assert action.Retire(WORK, Remains.GIVEN_BACK) in actions


def test_a_dead_replica_comes_back_after_its_pause_with_a_new_number() -> None:
    run = Run()
    run.ready()
    run.die(WORK)
    assert run.wait(0.04) == []
    assert action.Spawn(4, "work", 0, 1) in run.wait(0.02)


def test_a_stage_that_never_was_ready_is_given_up_after_three_tries() -> None:
    run = Run()
    for number in (WORK, 4, 5):
        assert run.roster.failure is None
        run.feed(stimulus.Failed(number, "ValueError: no model", "", permanent=False))
        run.die(number, Death(exit=1))
        run.wait(1.0)
    assert run.roster.failure is not None
    assert run.roster.failure.cause == "app.py:7: work/0 failed to start 3 times: ValueError: no model"
    assert run.roster.goal == Goal.STOP


def test_each_replica_has_its_three_tries() -> None:
    run = Run(replicas=4)
    for number in (2, 3, 4, 5):
        run.die(number, Death(exit=1))
    assert run.roster.failure is None


def test_a_stage_that_was_ready_once_gets_all_its_restarts() -> None:
    run = Run(max_restarts=7)
    run.ready()
    deaths = list(run.crash_loop(WORK, lived=0.5))
    assert len(deaths) == 8
    assert run.roster.failure is not None
    assert "work/0 died 8 times within a minute of work, the last time of: killed" in run.roster.failure.cause


def test_a_replica_that_dies_now_and_then_is_started_for_ever() -> None:
    run = Run(max_restarts=3)
    run.ready()
    deaths = run.crash_loop(WORK, lived=30.0)
    for _ in range(50):
        next(deaths)
    assert run.roster.failure is None


def test_code_that_is_not_there_is_not_tried_again() -> None:
    run = Run()
    run.feed(stimulus.Failed(WORK, "AttributeError: no function clean", "Traceback", permanent=True))
    run.die(WORK, Death(exit=1))
    assert run.roster.failure is not None
    assert run.roster.failure.cause == "app.py:7: work/0 cannot run: AttributeError: no function clean"


def test_an_interpreter_that_cannot_run_a_worker_is_the_environments_fault() -> None:
    run = Run()
    run.die(WORK, Death(exit=78, fault="/py is cpython 3.8.2; stages need CPython 3.9 or newer"))
    assert run.roster.failure is not None
    assert run.roster.failure.environment
    assert run.roster.failure.cause.startswith("app.py:7: work cannot run: /py is cpython 3.8.2")


def test_a_worker_that_finishes_unasked_is_mended_like_a_dead_one() -> None:
    run = Run()
    run.ready()
    actions = run.finish(WORK)
    assert [event.cause for event in reported(actions, events.WorkerDied)] == ["exit code 0"]  # type: ignore[attr-defined]
    assert run.roster.wake() is not None


def test_a_crash_at_work_is_told_with_the_line_of_the_users_code() -> None:
    run = Run()
    run.ready()
    report = "Fatal Python error: Segmentation fault\n  File ..."
    [died] = reported(run.die(WORK, Death(exit=-11, tail="items, items", report=report)), events.WorkerDied)
    assert (died.cause, died.details) == ("killed (SIGSEGV)", report)  # type: ignore[attr-defined]


# Start-up and items that take too long


def test_a_worker_that_does_not_get_ready_is_killed_and_its_log_is_told() -> None:
    run = Run(start_timeout=30.0)
    run.ready(MAKE, SAVE)
    assert action.Kill(WORK) in run.wait(30.0)
    run.die(WORK, Death(exit=-9, tail="loading weights"))
    assert run.roster.failure is not None
    assert run.roster.failure.cause == "app.py:7: work/0 did not start in 30 s\nloading weights"


def test_a_later_replica_that_does_not_get_ready_is_only_started_again() -> None:
    run = Run(start_timeout=30.0)
    run.ready()
    run.feed(stimulus.Scale("work", 2))
    assert action.Kill(4) in run.wait(30.0)
    actions = run.die(4)
    assert run.roster.failure is None
    assert reported(actions, events.WorkerDied)[0].cause == "did not start in 30 s"  # type: ignore[attr-defined]


def test_an_item_is_looked_at_when_its_time_may_be_over_and_exactly_when_it_is() -> None:
    run = Run(timeout=10.0)
    run.ready()
    assert run.wait(10.0) == [action.Look(WORK)]
    assert run.feed(stimulus.Looked(WORK, run.now - 4.0)) == []
    assert run.wait(5.9) == []
    assert run.wait(0.1) == [action.Look(WORK)]
    assert run.feed(stimulus.Looked(WORK, run.now - 10.0)) == [action.Kill(WORK)]
    actions = run.die(WORK)
    assert reported(actions, events.WorkerDied)[0].cause == "timed out after 10 s"  # type: ignore[attr-defined]


def test_an_idle_worker_is_looked_at_once_a_timeout_and_never_killed() -> None:
    run = Run(timeout=10.0)
    run.ready()
    for _ in range(5):
        assert run.wait(10.0) == [action.Look(WORK)]
        assert run.feed(stimulus.Looked(WORK, None)) == []


def test_a_source_may_wait_for_its_next_item_as_long_as_it_likes() -> None:
    run = Run()
    stages = [StagePlan("make", "source", CODE, timeout=1.0), StagePlan("save", "sink", CODE)]
    run.roster = enrol(Plan("p", stages, [LinkPlan(0, "make", "save")]), grace=10.0)
    run.feed(stimulus.Begin())
    run.ready()
    assert run.roster.wake() is None


# Scaling


def test_scaling_up_starts_at_the_lowest_free_places() -> None:
    run = Run(replicas=3)
    run.ready()
    run.feed(stimulus.Scale("work", 1))
    run.finish(3)
    spawned = [each for each in run.feed(stimulus.Scale("work", 3)) if isinstance(each, action.Spawn)]
    assert [(each.replica, each.replicas) for each in spawned] == [(1, 3), (3, 3)]  # 2 still drains


def test_scaling_down_drains_the_highest_and_keeps_the_rest() -> None:
    run = Run(replicas=3)
    run.ready()
    assert told(run.feed(stimulus.Scale("work", 1))) == [(3, Goal.DRAIN), (4, Goal.DRAIN)]


def test_a_replica_that_waits_for_its_restart_is_scaled_away_without_a_word() -> None:
    run = Run(replicas=2)
    run.ready()
    run.die(3)
    assert told(run.feed(stimulus.Scale("work", 1))) == []
    assert run.wait(10.0) == []


@pytest.mark.parametrize(
    ("stage", "replicas", "why"),
    [
        ("wrok", 2, "no stage is called wrok; there are make, work, save"),
        (
            "make",
            2,
            "make is a source: each replica would produce everything again, so sources are not scaled",
        ),
        ("work", 0, "work cannot have 0 replicas: at least one must be there to take its items"),
        ("work", 1001, "work cannot have 1001 replicas: each is a process, and 1000 are the most"),
    ],
)
def test_what_cannot_be_scaled_says_why(stage: str, replicas: int, why: str) -> None:
    assert refusal(Run().roster, stage, replicas) == why


def test_who_has_to_see_all_items_is_not_scaled() -> None:
    roster = Run().roster
    roster.stages["work"] = roster.stages["work"]._replace(is_shape=True)  # type: ignore[index]
    assert refusal(roster, "work", 2) == "work has to see all items, so it has one replica"
    assert not refusal(roster, "work", 1)


def test_a_draining_pipeline_is_not_scaled_any_more() -> None:
    run = Run()
    run.feed(stimulus.Drain())
    assert "draining" in refusal(run.roster, "work", 2)


# Ending


def test_a_drain_goes_downstream_stage_by_stage() -> None:
    run = Run()
    run.ready()
    assert told(run.feed(stimulus.Drain())) == [(MAKE, Goal.DRAIN)]
    assert told(run.finish(MAKE)) == [(WORK, Goal.DRAIN)]
    assert told(run.finish(WORK)) == [(SAVE, Goal.DRAIN)]
    assert isinstance(run.finish(SAVE)[-1], action.End)
    assert run.roster.failure is None
    assert not run.roster.cut_short


def test_a_source_that_runs_dry_begins_the_drain_by_itself() -> None:
    run = Run()
    run.ready()
    assert told(run.finish(MAKE)) == [(WORK, Goal.DRAIN)]


def test_deaths_are_mended_until_the_sources_are_through() -> None:
    run = Run()
    run.ready()
    run.feed(stimulus.Drain())
    run.die(WORK)
    assert any(isinstance(each, action.Spawn) for each in run.wait(1.0))


def test_nobody_comes_back_to_a_stage_to_which_nothing_can_come() -> None:
    run = Run()
    run.ready()
    run.die(WORK)
    run.finish(MAKE)
    assert not list(run.roster.members("work"))
    assert run.wait(100.0) == []


def test_a_source_that_dies_begins_again_and_says_so() -> None:
    run = Run()
    run.ready()
    actions = run.die(MAKE)
    assert reported(actions, events.SourceRepeats)
    assert action.Retire(MAKE, Remains.GIVEN_BACK) in actions
    assert any(isinstance(each, action.Spawn) for each in run.wait(1.0))


def test_a_source_that_dies_while_it_drains_leaves_something_unfinished() -> None:
    run = Run()
    run.ready()
    run.feed(stimulus.Drain())
    actions = run.die(MAKE)
    assert action.Retire(MAKE, Remains.UNFINISHED) in actions
    assert run.roster.failure is not None
    assert told(actions) == [(WORK, Goal.DRAIN)]  # the rest still ends in order


def test_a_source_that_raised_lets_the_others_finish() -> None:
    run = Run()
    run.ready()
    run.feed(stimulus.Failed(MAKE, "ValueError: bad row", "Traceback", permanent=True))
    actions = run.die(MAKE, Death(exit=1))
    assert run.roster.failure is not None
    assert run.roster.failure.cause == "make/0 failed: ValueError: bad row"
    assert told(actions) == [(WORK, Goal.DRAIN)]


def test_a_teardown_that_raises_fails_the_run_and_lets_the_others_end_in_peace() -> None:
    run = Run()
    run.ready()
    run.finish(MAKE)
    run.feed(stimulus.Failed(WORK, "OSError: disk full", "Traceback ...", permanent=True))
    assert told(run.die(WORK, Death(exit=1))) == [(SAVE, Goal.DRAIN)]
    run.finish(SAVE)
    assert run.roster.ended
    assert run.roster.failure is not None
    assert run.roster.failure.cause == "app.py:7: work/0 failed: OSError: disk full"


def test_three_interrupts_drain_stop_and_kill() -> None:
    run = Run()
    run.ready()
    assert told(run.feed(stimulus.Interrupt())) == [(MAKE, Goal.DRAIN)]
    assert told(run.feed(stimulus.Interrupt())) == [(number, Goal.STOP) for number in (MAKE, WORK, SAVE)]
    kills = [each.number for each in run.feed(stimulus.Interrupt()) if isinstance(each, action.Kill)]
    assert kills == [MAKE, WORK, SAVE]
    assert run.roster.cut_short


def test_who_does_not_stop_within_the_grace_is_killed() -> None:
    run = Run()
    run.ready()
    run.feed(stimulus.Stop())
    run.die(MAKE, CLEAN)
    kills = [each.number for each in run.wait(10.0) if isinstance(each, action.Kill)]
    assert kills == [WORK, SAVE]


def test_who_says_that_it_has_finished_and_stays_is_killed_and_still_has_finished() -> None:
    run = Run()
    run.ready()
    run.feed(stimulus.Finished(MAKE))
    assert action.Kill(MAKE) in run.wait(10.0)
    assert action.Retire(MAKE, Remains.NONE) in run.die(MAKE)


def test_the_first_failure_is_the_one_that_is_told() -> None:
    run = Run()
    run.ready()
    run.feed(stimulus.Failed(WORK, "first", "", permanent=True))
    run.feed(stimulus.Failed(SAVE, "second", "", permanent=True))
    run.die(WORK)
    run.die(SAVE)
    assert run.roster.failure is not None
    assert "first" in run.roster.failure.cause


# Pauses


def test_a_paused_stage_is_told_once_and_its_next_workers_begin_paused() -> None:
    run = Run(replicas=2)
    run.ready()
    actions = run.feed(stimulus.Pause("work", paused=True))
    assert [each for each in actions if isinstance(each, action.Pause)] == [
        action.Pause(2, paused=True),
        action.Pause(3, paused=True),
    ]
    assert reported(actions, events.StagePaused)
    assert run.feed(stimulus.Pause("work", paused=True)) == []
    run.die(2)
    assert run.roster.stages["work"].paused


def test_what_is_paused_goes_on_before_anybody_is_told_to_drain() -> None:
    run = Run()
    run.ready()
    run.feed(stimulus.Pause("work", paused=True))
    actions = run.feed(stimulus.Drain())
    assert reported(actions, events.StageResumed)
    assert actions.index(action.Pause(WORK, paused=False)) < actions.index(action.Tell(MAKE, Goal.DRAIN))
    assert run.feed(stimulus.Pause("work", paused=True)) == []
