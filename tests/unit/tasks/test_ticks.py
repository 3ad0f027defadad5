"""When the ticks of a schedule are: whatever clocks do, they grow, and are the same for everybody."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import UserError
from penstock.tasks import ticks
from penstock.tasks.schedule import Schedule
from penstock.tasks.ticks import Standing

HOUR = 3_600_000
PARIS = "Europe/Paris"


def at(text: str, zone: str = "UTC") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def shown(tick: int, zone: str = "UTC") -> str:
    return datetime.fromtimestamp(tick / 1000, ZoneInfo(zone)).strftime("%m-%d %H:%M")


def following(schedule: Schedule, start: int, count: int) -> list[int]:
    found = [ticks.after(schedule, start)]
    while len(found) < count:
        found.append(ticks.after(schedule, found[-1]))
    return found


ZONES = st.sampled_from(["UTC", PARIS, "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"])
CRONS = st.sampled_from(
    ["* * * * *", "*/7 * * * *", "30 2 * * *", "15,45 2 * * *", "0 */2 * * *", "0 3 1 * *", "0 0 29 2 *",
     "10 1-3 * * 0", "0 0 * * MON#1", "59 23 L * *"]
)  # fmt: skip
SCHEDULES = st.one_of(
    st.builds(Schedule, every=st.sampled_from([1000, 7 * 60_000, HOUR, 7 * HOUR, 24 * HOUR])),
    st.builds(lambda cron, zone: Schedule(cron=cron, timezone=zone), CRONS, ZONES),
)
CHANGES = [at(day) for day in ("2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2011-12-30")]
TIMES = st.one_of(
    st.integers(at("2000-01-01"), at("2037-01-01")),
    st.builds(lambda day, ms: day + ms, st.sampled_from(CHANGES), st.integers(-12 * HOUR, 36 * HOUR)),
)


@settings(max_examples=60, deadline=None)
@given(schedule=SCHEDULES, start=TIMES, part=st.floats(0, 0.999))
def test_from_anywhere_between_two_ticks_the_next_one_is_the_same(
    schedule: Schedule, start: int, part: float
) -> None:
    first, second = following(schedule, start, 2)
    assert start < first < second
    between = first + int((second - first) * part)
    assert ticks.after(schedule, between) == second
    assert ticks.last(schedule, start - 1, between) == first
    assert ticks.last(schedule, first, between) is None


def test_every_counts_from_full_hours_and_not_from_when_somebody_looked() -> None:
    assert shown(ticks.after(Schedule(every=HOUR), at("2026-05-01T10:20:00"))) == "05-01 11:00"
    assert ticks.after(Schedule(every=HOUR), at("2026-05-01T11:00:00")) == at("2026-05-01T12:00:00")


def test_an_hour_that_is_left_out_in_spring_has_its_tick_when_it_would_be_over() -> None:
    found = following(Schedule(cron="30 2 * * *", timezone=PARIS), at("2026-03-28T00:00"), 3)
    assert [shown(each, PARIS) for each in found] == ["03-28 02:30", "03-29 03:00", "03-30 02:30"]


def test_an_hour_that_comes_twice_in_autumn_has_its_tick_once() -> None:
    found = following(Schedule(cron="30 2 * * *", timezone=PARIS), at("2026-10-24T00:00"), 3)
    assert [shown(each, PARIS) for each in found] == ["10-24 02:30", "10-25 02:30", "10-26 02:30"]
    hourly = following(Schedule(cron="0 * * * *", timezone=PARIS), at("2026-10-24T23:30"), 4)
    assert {later - earlier for earlier, later in itertools.pairwise(hourly)} == {HOUR}


@pytest.mark.parametrize(
    ("schedule", "sentence"),
    [
        (Schedule(cron="61 * * * *"), "cron='61 * * * *': bad minute; write minute, hour, day of the month"),
        (Schedule(cron="0 3 * * FRIDAY"), "bad day-of-week; write"),
        (Schedule(cron="0 0 30 2 *"), "cron='0 0 30 2 *': bad day-of-month"),
        (Schedule(cron="0 3 * * *", timezone="Europe/Pariss"), "time zone; did you mean 'Europe/Paris'"),
        (Schedule(cron="0 3 * * *", timezone="../etc/passwd"), "this machine knows no such time zone"),
    ],
)  # fmt: skip
def test_what_has_no_ticks_is_refused_with_what_to_write(schedule: Schedule, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        ticks.check(schedule)
    assert sentence in str(caught.value)


def test_of_ticks_that_nobody_was_there_for_the_last_is_made_up_for() -> None:
    now = at("2026-05-04T12:00")
    daily = Schedule(cron="0 3 * * *")
    chosen = ticks.choose(daily, Standing(since=at("2026-05-01T03:00")), now, lambda _: False)
    assert chosen == at("2026-05-04T03:00")
    assert ticks.choose(daily, Standing(since=now), now, lambda _: False) == at("2026-05-05T03:00")


@settings(max_examples=80, deadline=None)
@given(
    every=st.sampled_from([1000, 60_000, HOUR]),
    since=st.integers(0, 100 * HOUR),
    now=st.integers(0, 100 * HOUR),
    taken=st.sets(st.integers(0, 100), max_size=20),
    waiting=st.none() | st.integers(0, 100),
)
def test_the_tick_that_is_chosen_is_free_and_either_to_come_or_the_last_one(
    every: int, since: int, now: int, taken: set[int], waiting: int | None
) -> None:
    had = {each * every for each in taken}
    wait = None if waiting is None else waiting * every
    tick = ticks.choose(Schedule(every=every), Standing(since, wait), now, had.__contains__)
    if tick is None:
        assert wait is not None
        return
    assert tick not in had and tick % every == 0
    assert tick > min(since, now)
    free = [each for each in range(now // every * every + every, now + 200 * every, every) if each not in had]
    assert tick <= min([*free, now + 200 * every])


def test_a_clock_set_back_by_a_week_costs_no_more_than_the_ticks_it_steps_over() -> None:
    since = at("2026-05-08T00:00")
    chosen = ticks.choose(Schedule(every=1000), Standing(since), since - 7 * 24 * HOUR, lambda _: True)
    assert chosen == since + 1000


def test_decisions_are_made_in_utc_wherever_the_machine_stands() -> None:
    assert Schedule(cron="0 3 * * *").timezone == "UTC"
    tick = ticks.after(Schedule(cron="0 3 * * *"), at("2026-07-01T00:00"))
    assert datetime.fromtimestamp(tick / 1000, UTC).hour == 3
