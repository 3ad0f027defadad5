"""When the ticks of a schedule are, and which of them is next. Decides only: ``now`` is an argument.

The only module that knows cronsim. It is imported where ticks are counted, which is never in a worker.

How a tick stays the only one of its time, and none is lost for good:

- a schedule has one job at a time that waits or runs. A tick that comes while it does is left out;
- if nobody was there at some ticks, the last of them is made up for, and no other;
- if the clock goes back, ticks that have had their job (known by its id) are stepped over.
"""

from __future__ import annotations

import itertools
from datetime import datetime, timezone
from typing import Callable, Iterator, NamedTuple, Optional
from zoneinfo import ZoneInfo, available_timezones

from penstock.errors import UserError
from penstock.pipeline.nearest import nearest
from penstock.tasks.schedule import UTC, Schedule

MOST = 10_000
"""Ticks that are stepped over, one after the other, when the clock has gone back."""
FUZZ = 26 * 3_600_000
"""Milliseconds by which clocks are put forward or back at most. (Samoa left out a day.)"""


class Standing(NamedTuple):
    """Of one schedule."""

    since: int
    """Ticks up to then are over: one had its job, or came while a job ran, or before there was a schedule."""
    waiting: Optional[int] = None
    """The tick whose job waits for its time."""


def check(schedule: Schedule) -> None:
    """Refuse one without ticks.

    Raises:
        UserError: its cron text or its time zone is wrong; the end of a sentence.
    """
    if not schedule.cron:
        return
    from cronsim import CronSim, CronSimError

    try:
        zone = ZoneInfo(schedule.timezone)
    except (KeyError, ValueError, OSError):
        hint = nearest(schedule.timezone, available_timezones())
        raise UserError(
            f"timezone={schedule.timezone!r}: this machine knows no such time zone{hint}"
        ) from None
    try:
        next(CronSim(schedule.cron, datetime(2024, 1, 1, tzinfo=zone)))
    except CronSimError as error:
        raise UserError(
            f"cron={schedule.cron!r}: {str(error).lower()}; write minute, hour, day of the month, month and"
            ' day of the week, like "0 3 * * *"'
        ) from None
    except StopIteration:
        raise UserError(f"cron={schedule.cron!r}: there is no such day") from None


def after(schedule: Schedule, at: int) -> int:
    """The first tick after ``at``; times in milliseconds since 1970."""
    return next(_from(schedule, at))


def last(schedule: Schedule, since: int, at: int) -> Optional[int]:
    """The last tick after ``since`` and up to ``at``; ``None``: there is none."""
    if schedule.every:
        found = at // schedule.every * schedule.every
        return found if found > since else None
    near = _before(schedule, at) - FUZZ
    ticks = itertools.takewhile(lambda tick: tick <= at, _from(schedule, max(since, near)))
    return max(ticks, default=None)


def choose(
    schedule: Schedule, standing: Standing, now: int, is_taken: Callable[[int], bool]
) -> Optional[int]:
    """The tick that is to have a job now; ``None``: it has one.

    ``is_taken``: whether a tick has had one.
    """
    since = min(standing.since, now)
    tick = last(schedule, since, now) or after(schedule, since)
    for _ in range(MOST):
        if tick == standing.waiting:
            return None
        if not is_taken(tick):
            return tick
        tick = after(schedule, max(tick, now))
    return after(schedule, max(standing.since, now))


def _from(schedule: Schedule, at: int) -> Iterator[int]:
    """All ticks after ``at``, without end."""
    if schedule.every:
        yield from itertools.count((at // schedule.every + 1) * schedule.every, schedule.every)
    latest = at
    for tick in _cron(schedule, at, reverse=False):
        if tick > latest:  # an hour that comes twice is once an hour; one that is left out, a moment
            latest = tick
            yield tick


def _before(schedule: Schedule, at: int) -> int:
    """A tick not after ``at``, and near to it; near a change of clocks it may be none."""
    return next(tick for tick in _cron(schedule, at + 1000, reverse=True) if tick <= at)


def _cron(schedule: Schedule, at: int, *, reverse: bool) -> Iterator[int]:
    from cronsim import CronSim

    zone = timezone.utc if schedule.timezone == UTC else ZoneInfo(schedule.timezone)
    start = datetime.fromtimestamp(at // 1000, zone)
    return (round(found.timestamp()) * 1000 for found in CronSim(schedule.cron, start, reverse=reverse))
