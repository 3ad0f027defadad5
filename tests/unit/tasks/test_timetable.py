"""Schedules in a store: each tick has one job, whoever plans it and whatever the clock does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from penstock.tasks import timetable
from penstock.tasks.job import Claim, Rules
from penstock.tasks.schedule import Schedule, Scheduled
from penstock.tasks.settle import Closing, Done
from penstock.tasks.store import Store

HOUR = 3_600_000
START = 1_800_000_000_000 // HOUR * HOUR + 20 * 60_000


class Desk:
    """A store whose clock is moved by hand, and who plans in it."""

    def __init__(self, path: str = ":memory:") -> None:
        self.now = START
        self.path = path
        self.store = Store(path, now=lambda: self.now, jitter=lambda: 0.0)

    def declare(self, *schedules: Schedule, **rules: Any) -> None:
        found = [Scheduled("g", "t", each, b"a", rules=Rules(**rules)) for each in schedules]
        timetable.declare(self.store, ["g"], found, self.now)
        self.plan()

    def plan(self) -> bool:
        return timetable.plan(self.store, ["g"], self.now)

    def claim(self) -> list[Claim]:
        return self.store.claim("w", "g", 10)

    def done(self, claim: Claim) -> None:
        self.store.close_attempts([Closing(claim.id, claim.fence, Done())])
        self.plan()

    @property
    def waiting(self) -> list[float]:
        """Hours from the last full one before the start."""
        rows = [row for row in self.store.jobs() if row.state in {"ready", "scheduled"}]
        return [(row.run_at - START // HOUR * HOUR) / HOUR for row in rows]


def tick_of(claim: Claim) -> int:
    return int(claim.id.replace("-", "")[:12], 16)


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.store.close()


def test_the_next_tick_is_a_job_for_that_time(desk: Desk) -> None:
    desk.declare(Schedule(every=HOUR))
    assert desk.waiting == [1.0]
    assert not desk.claim()
    desk.now += HOUR
    (claim,) = desk.claim()
    assert (claim.task, claim.args) == ("t", b"a")
    desk.done(claim)
    assert desk.waiting == [2.0]


def test_however_many_plan_it_is_one_job(desk: Desk) -> None:
    for _ in range(3):
        desk.declare(Schedule(every=HOUR))
        assert not desk.plan()
    assert desk.waiting == [1.0]


def test_a_tick_that_comes_while_its_job_runs_or_waits_is_left_out(desk: Desk) -> None:
    desk.declare(Schedule(every=HOUR))
    desk.now += HOUR
    (claim,) = desk.claim()
    desk.now += 3 * HOUR
    desk.plan()
    assert desk.waiting == []
    desk.done(claim)
    assert desk.waiting == [5.0]


def test_what_was_missed_while_nobody_ran_is_made_up_for_once(desk: Desk) -> None:
    desk.declare(Schedule(every=HOUR))
    desk.now += 100 * HOUR
    desk.declare(Schedule(every=HOUR))
    (claim,) = desk.claim()
    assert tick_of(claim) == desk.now // HOUR * HOUR
    desk.done(claim)
    assert (desk.waiting, desk.claim()) == ([101.0], [])


def test_a_group_that_is_paused_for_days_has_one_job_to_do_afterwards(desk: Desk) -> None:
    desk.declare(Schedule(every=HOUR))
    desk.store.pause("g")
    for _ in range(50):
        desk.now += HOUR
        assert not desk.claim()
        desk.plan()
    desk.store.resume("g")
    (claim,) = desk.claim()
    desk.done(claim)
    assert not desk.claim()


def test_a_schedule_that_is_changed_replaces_the_tick_that_was_planned(desk: Desk) -> None:
    desk.declare(Schedule(every=10 * HOUR))
    desk.declare(Schedule(every=HOUR))
    assert desk.waiting == [1.0]
    desk.declare(Schedule(every=HOUR), max_failures=9)
    (row,) = desk.store.jobs()
    assert (desk.waiting, row.rules.max_failures) == ([1.0], 9)
    desk.declare()
    assert (desk.waiting, timetable.entries(desk.store)) == ([], [])


def test_one_that_may_be_on_its_way_to_somebody_stays_as_it_is(desk: Desk) -> None:
    desk.declare(Schedule(every=HOUR))
    desk.now += 5 * HOUR
    assert not timetable.plan(desk.store, ["g"], desk.now, moves=False)
    assert desk.waiting == [1.0]
    timetable.declare(desk.store, ["g"], [], desk.now)
    assert desk.waiting == [1.0]


def test_a_job_that_runs_is_not_replaced_and_not_joined_by_another(desk: Desk) -> None:
    desk.declare(Schedule(every=HOUR))
    desk.now += HOUR
    (claim,) = desk.claim()
    desk.declare(Schedule(every=HOUR // 2))
    assert desk.waiting == []
    desk.done(claim)
    assert desk.waiting == [1.5]


def test_a_tick_that_somebody_cancels_is_left_out(desk: Desk) -> None:
    desk.declare(Schedule(every=HOUR))
    (row,) = desk.store.jobs()
    desk.store.cancel(row.id)
    desk.plan()
    assert desk.waiting == [2.0]


def test_a_clock_that_goes_back_repeats_no_tick(desk: Desk) -> None:
    desk.declare(Schedule(every=HOUR))
    for _ in range(3):
        desk.now += HOUR
        (claim,) = desk.claim()
        desk.done(claim)
    desk.now -= 3 * HOUR
    desk.plan()
    assert desk.waiting == [4.0]


def test_a_clock_that_was_years_ahead_for_a_moment_does_not_stop_a_schedule(desk: Desk) -> None:
    desk.declare(Schedule(every=HOUR))
    desk.now += 50_000 * HOUR
    desk.plan()
    (claim,) = desk.claim()
    desk.done(claim)
    desk.now -= 50_000 * HOUR
    desk.plan()
    assert desk.waiting == [1.0]


def test_jobs_of_one_tick_have_one_id_and_those_of_others_another() -> None:
    scheduled = Scheduled("g", "t", Schedule(every=HOUR), b"")
    other = Scheduled("g", "u", Schedule(every=HOUR), b"")
    assert scheduled.job(START).id == scheduled.job(START).id
    assert len({each.job(tick).id for each in (scheduled, other) for tick in (START, START + 1)}) == 4


class Ticks(RuleBasedStateMachine):
    """Two supervisors, each with a thread to plan in, workers that are slow, and a clock that leaps."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.desk.declare(Schedule(every=HOUR))
        self.held: list[Claim] = []
        self.begun: set[int] = set()

    def teardown(self) -> None:
        self.desk.store.close()

    @rule(ms=st.sampled_from([1, 60_000, HOUR // 2, HOUR, 10 * HOUR]))
    def time_passes(self, ms: int) -> None:
        self.desk.now += ms

    @rule(hours=st.sampled_from([1, 5, 100]))
    def the_clock_goes_back(self, hours: int) -> None:
        self.desk.now -= hours * HOUR

    @rule()
    def somebody_looks(self) -> None:
        self.desk.plan()

    @rule()
    def somebody_starts(self) -> None:
        self.desk.declare(Schedule(every=HOUR))

    @rule()
    def it_is_begun(self) -> None:
        for claim in self.desk.claim():
            assert tick_of(claim) not in self.begun, "a tick twice"
            self.begun.add(tick_of(claim))
            self.held.append(claim)
        assert len(self.held) <= 1, "two at a time"

    @rule()
    def it_ends(self) -> None:
        while self.held:
            self.desk.done(self.held.pop())

    @rule()
    def it_goes_on_within_an_hour(self) -> None:
        self.desk.plan()
        if not self.held:
            (row,) = [row for row in self.desk.store.jobs() if row.state in {"ready", "scheduled"}]
            stepped_over = sum(1 for tick in self.begun if tick > self.desk.now)
            assert row.state == "ready" or row.run_at <= self.desk.now + HOUR * (1 + stepped_over)


TestTicks = Ticks.TestCase
TestTicks.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
