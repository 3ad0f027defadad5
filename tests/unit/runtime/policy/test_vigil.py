"""A drain with an empty seat: what it says, and that it ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.observe import events
from penstock.pipeline.plan import LinkPlan, Plan, StagePlan
from penstock.pipeline.reference import EXTERNAL, Reference
from penstock.runtime.policy import action, stimulus
from penstock.runtime.policy.death import Death
from penstock.runtime.policy.policy import step
from penstock.runtime.policy.roster import Goal, enrol
from penstock.runtime.policy.vigil import LOOK

CODE = Reference("/app", "app", "f")
GRACE = 10.0
CLEAN = Death(exit=0)
MAKE, SAVE = 1, 2


class Run:
    """make → work → save, where scripts do the work; what waits for them is counted as often as asked for."""

    def __init__(self) -> None:
        stages = [
            StagePlan("make", "source", CODE),
            StagePlan("work", "stage", EXTERNAL),
            StagePlan("save", "sink", CODE),
        ]
        plan = Plan("p", stages, [LinkPlan(0, "make", "work"), LinkPlan(1, "work", "save")])
        self.roster = enrol(plan, grace=GRACE)
        self.now, self.items, self.motion, self.counted = 0.0, 3, 0, 0
        self.told: list[events.Event] = []
        self.feed(stimulus.Begin())
        for number in (MAKE, SAVE):
            self.feed(stimulus.Bound(number))
            self.feed(stimulus.Ready(number))

    def feed(self, happened: stimulus.Stimulus) -> None:
        self.roster, actions = step(self.roster, happened, self.now)
        self.told += [each.event for each in actions if isinstance(each, action.Report)]
        for each in actions:
            if isinstance(each, action.Count):
                assert each.stages == ("work",)
                self.counted += 1
                self.feed(stimulus.Counted({"work": self.items}, self.motion))

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (wake := self.roster.wake()) is not None and wake <= end:
            self.now = wake
            self.feed(stimulus.Tick())
        self.now = end

    def attach(self, guest: int) -> int:
        self.feed(stimulus.Attach("work", None, guest))
        number = max(self.roster.workers)
        self.feed(stimulus.Bound(number))
        self.feed(stimulus.Ready(number))
        return number

    def is_at(self, goal: Goal) -> bool:
        return self.roster.goal == goal

    def awaited(self) -> list[events.ScriptAwaited]:
        return [each for each in self.told if isinstance(each, events.ScriptAwaited)]


def test_a_drain_says_at_once_which_script_it_waits_for_and_says_it_once() -> None:
    run = Run()
    run.feed(stimulus.Drain())
    assert run.awaited() == [events.ScriptAwaited(stage="work", items=3, patience=GRACE)]
    run.wait(5 * LOOK)
    assert len(run.awaited()) == 1


def test_when_nobody_comes_it_is_given_up_after_the_grace_and_that_is_a_failure() -> None:
    run = Run()
    run.feed(stimulus.Drain())
    run.wait(GRACE - LOOK)
    assert run.is_at(Goal.DRAIN)
    run.wait(2 * LOOK)
    assert run.is_at(Goal.STOP)
    assert run.roster.failure is not None
    assert run.roster.failure.cause == (
        "no script has attached to do what waits (3 for 'work'): that is unfinished"
    )
    assert not run.roster.cut_short


def test_while_anything_moves_it_waits() -> None:
    run = Run()
    run.feed(stimulus.Drain())
    for _ in range(5):
        run.motion += 1
        run.wait(GRACE - LOOK)
    assert run.is_at(Goal.DRAIN)


def test_a_script_that_attaches_ends_the_wait_and_one_that_leaves_begins_it_anew() -> None:
    run = Run()
    run.feed(stimulus.Drain())
    run.wait(GRACE - LOOK)
    guest = run.attach(1)
    counted = run.counted
    run.wait(10 * GRACE)
    assert run.counted == counted, "nobody looks while somebody works there"
    run.feed(stimulus.Leaving(guest))
    run.feed(stimulus.Finished(guest))
    run.feed(stimulus.Died(guest, CLEAN))
    assert len(run.awaited()) == 2
    run.wait(GRACE - LOOK)
    assert run.is_at(Goal.DRAIN)
    run.wait(2 * LOOK)
    assert run.is_at(Goal.STOP)


def test_where_nothing_waits_for_a_script_nothing_is_said_and_the_run_ends_as_ever() -> None:
    run = Run()
    run.items = 0
    run.feed(stimulus.Drain())
    run.wait(3 * GRACE)
    assert run.is_at(Goal.DRAIN)
    assert run.awaited() == []


def test_a_run_that_does_not_drain_waits_for_its_scripts_as_long_as_it_takes() -> None:
    run = Run()
    run.wait(1000.0)
    assert run.counted == 0
    assert run.roster.wake() is None


@given(moves=st.lists(st.booleans(), max_size=80))
def test_it_is_given_up_exactly_when_nothing_has_moved_for_the_grace(moves: list[bool]) -> None:
    run = Run()
    run.feed(stimulus.Drain())
    still = run.now
    for moved in moves:
        run.motion += moved
        run.wait(LOOK)
        if moved and run.is_at(Goal.DRAIN):
            still = run.now
        assert run.is_at(Goal.STOP) == (run.now - still >= GRACE)
        if run.is_at(Goal.STOP):
            break
