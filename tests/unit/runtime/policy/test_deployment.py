"""Two versions of a service: their shares add up, and in the end there is one, whatever came before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.observe import events
from penstock.pipeline.plan import SERVICE, Plan, StagePlan
from penstock.pipeline.reference import Reference
from penstock.runtime.policy import action, stimulus
from penstock.runtime.policy.action import Action
from penstock.runtime.policy.death import Death
from penstock.runtime.policy.deployment import refusal, refusal_to_change, services, shares, versions
from penstock.runtime.policy.policy import step
from penstock.runtime.policy.roster import Goal, Stage, enrol, stage_of
from penstock.runtime.policy.stimulus import Stimulus

CODE = Reference("", "app", "classify")
CLEAN, KILLED = Death(exit=0), Death(exit=-9)


class Run:
    """A run of one service with a sink beside it; time stands still."""

    def __init__(self) -> None:
        self.plan = Plan("p", [StagePlan("classify", SERVICE, CODE), StagePlan("save", "sink", CODE)], [])
        self.roster = enrol(self.plan, grace=10.0)
        self.feed(stimulus.Begin())
        self.ready()

    def feed(self, happened: Stimulus) -> list[Action]:
        self.roster, actions = step(self.roster, happened, 1000.0)
        return actions

    def ready(self) -> None:
        for number in tuple(self.roster.workers):
            self.feed(stimulus.Bound(number))
            self.feed(stimulus.Ready(number))

    def version(self, name: str, replicas: int = 1) -> Stage:
        planned = StagePlan(f"classify@{name}", SERVICE, CODE, replicas=replicas)
        return stage_of(self.plan, planned)._replace(of="classify")

    def deploy(self, name: str, share: float = 0.1, replicas: int = 1) -> list[Action]:
        return self.feed(stimulus.Deploy(self.version(name, replicas), share))

    def numbers(self, stage: str) -> list[int]:
        return [one.number for one in self.roster.members(stage)]

    def end(self, number: int) -> None:
        self.feed(stimulus.Finished(number))
        self.feed(stimulus.Died(number, CLEAN))


STEPS = st.one_of(
    st.tuples(st.just("deploy"), st.sampled_from(["v2", "v3"]), st.floats(0, 1)),
    st.tuples(st.just("share"), st.floats(-1, 2)),
    st.tuples(st.just("settle"), st.booleans()),
    st.tuples(st.just("ready")),
    st.tuples(st.just("end")),
    st.tuples(st.just("die"), st.integers(1, 9)),
)


@given(st.lists(STEPS, max_size=25))
def test_shares_add_up_and_one_version_is_left_whatever_came_before(steps: list[tuple[object, ...]]) -> None:
    run = Run()
    for step_ in steps:
        match step_:
            case ("deploy", str(name), float(share)):
                run.deploy(name, share, 2)
            case ("share", float(share)):
                run.feed(stimulus.Share("classify", share))
            case ("settle", bool(everything)):
                run.feed(stimulus.Settle("classify", everything))
            case ("ready",):
                run.ready()
            case ("end",):
                for one in [each for each in run.roster.workers.values() if each.told == Goal.DRAIN]:
                    run.end(one.number)
            case ("die", int(number)):
                run.feed(stimulus.Died(number, KILLED))
        known = versions(run.roster.stages, "classify")
        assert 1 <= len(known) <= 2 and services(run.roster.stages) == ["classify"]
        assert sum(stage.share for stage in known) == pytest.approx(1.0)
        assert all(0 <= stage.share <= 1 for stage in known)
        given_ = shares(run.roster, "classify")
        assert set(given_) == {stage.name for stage in known} and sum(given_.values()) == pytest.approx(1.0)
        assert run.roster.failure is None
    run.feed(stimulus.Settle("classify", everything=False))
    [left] = versions(run.roster.stages, "classify")
    for one in [each for each in run.roster.workers.values() if each.told == Goal.DRAIN]:
        run.end(one.number)
    assert [stage.name for stage in run.roster.stages.values() if stage.of] == [left.name]
    assert left.share == 1.0


def test_the_older_drains_when_the_newer_takes_all() -> None:
    run = Run()
    old = run.numbers("classify")
    run.deploy("v2", 0.25, 2)
    assert shares(run.roster, "classify") == {"classify": 1.0, "classify@v2": 0.0}
    run.ready()
    assert shares(run.roster, "classify") == {"classify": 0.75, "classify@v2": 0.25}
    actions = run.feed(stimulus.Settle("classify", everything=True))
    assert [one.number for one in actions if isinstance(one, action.Tell)] == old
    assert shares(run.roster, "classify") == {"classify@v2": 1.0}
    run.end(old[0])
    assert "classify" not in run.roster.stages
    run.feed(stimulus.Drain())
    assert not run.roster.ended


def test_when_none_of_the_newer_lives_the_older_has_all_calls() -> None:
    run = Run()
    run.deploy("v2", 1.0)
    run.ready()
    assert shares(run.roster, "classify") == {"classify": 0.0, "classify@v2": 1.0}
    run.feed(stimulus.Died(run.numbers("classify@v2")[0], KILLED))
    assert shares(run.roster, "classify") == {"classify": 1.0, "classify@v2": 0.0}


def test_a_version_that_cannot_run_ends_its_trial_and_nothing_else() -> None:
    run = Run()
    run.deploy("v2", 0.5, 2)
    first, second = run.numbers("classify@v2")
    run.feed(stimulus.Failed(first, "ImportError: no torch", "", permanent=True))
    actions = run.feed(stimulus.Died(first, Death(exit=1)))
    [retired] = [one.event for one in actions if isinstance(one, action.Report) and is_retired(one.event)]
    assert isinstance(retired, events.VersionRetired) and "no torch" in retired.cause
    run.feed(stimulus.Died(second, KILLED))
    assert "classify@v2" not in run.roster.stages and run.roster.failure is None
    assert run.roster.goal == Goal.WORK and shares(run.roster, "classify") == {"classify": 1.0}


def is_retired(event: events.Event) -> bool:
    return isinstance(event, events.VersionRetired)


def test_what_cannot_be_is_one_sentence() -> None:
    run = Run()
    assert "no service is called foo; there are classify" in refusal(run.roster, "foo", "foo@v2", 0.1)
    assert "save is no service" in refusal(run.roster, "save", "save@v2", 0.1)
    assert "from 0% to 100%" in refusal(run.roster, "classify", "classify@v2", 1.5)
    assert "has one version" in refusal_to_change(run.roster, "classify", everything=True)
    run.deploy("v2")
    assert "classify@v2 is being deployed" in refusal(run.roster, "classify", "classify@v3", 0.1)
    assert "no replica of it is ready" in refusal_to_change(run.roster, "classify", everything=True)
    run.ready()
    run.feed(stimulus.Settle("classify", everything=False))
    assert "still finishes" in refusal(run.roster, "classify", "classify@v2", 0.1)
    run.feed(stimulus.Drain())
    assert "draining" in refusal(run.roster, "classify", "classify@v3", 0.1)
