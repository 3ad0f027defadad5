"""What each knob of a task may be; and the sentences of those who fail."""

from __future__ import annotations

import datetime
from typing import Any, Callable, Dict, List, Optional, get_args

from penstock.errors import WiringError
from penstock.pipeline.checks import check_name, whole_number
from penstock.pipeline.duration import seconds
from penstock.pipeline.nearest import nearest
from penstock.tasks import kind
from penstock.tasks.job import Cause
from penstock.tasks.knobs import Unique

FOR_GROUPS = (
    "interpreter",
    "variables",
    "workers",
    "max_jobs",
    "max_rss",
)
"""What is said of a group, as its tasks share their workers."""

SYNONYMS = {
    "acks_late": "max_failures",
    "autoretry_for": "retry_on",
    "countdown": "delay",
    "crontab": "cron",
    "deduplicate": "unique",
    "environment": "variables",
    "eta": "at",
    "expires": "timeout",
    "idempotency_key": "unique",
    "interval": "every",
    "job_id": "unique",
    "max_retries": "max_failures",
    "num_gpus": "gpus",
    "prio": "priority",
    "python": "interpreter",
    "queue": "group",
    "replicas": "workers",
    "retries": "max_failures",
    "retry_backoff": "backoff",
    "run_at": "at",
    "run_every": "every",
    "schedule": "cron",
    "time_limit": "timeout",
    "tz": "timezone",
    "unique_key": "unique",
}
"""What the same is called elsewhere: no spelling is near enough to find these."""

FURTHEST_PRIORITY = 2**31


def check(knob: str, value: Any, allowed: List[str]) -> Any:
    """The value of a knob as it is kept. ``allowed``: those that may be said here.

    Raises:
        ValueError: no such knob (says the nearest), none here, or not a possible value.
    """
    meant = SYNONYMS.get(knob, knob)
    if meant in FOR_GROUPS:
        raise ValueError(f"{meant} is not a task's but its group's: say it in penstock.toml, [group.NAME]")
    if knob not in CHECKS:
        hint = f"; did you mean {meant!r}?" if meant in CHECKS else nearest(knob, allowed)
        raise ValueError(f"there is no knob {knob!r}{hint}")
    if knob not in allowed:
        raise ValueError(f"{knob}={value!r}: {ELSEWHERE.get(knob, 'is chosen where the task is declared')}")
    try:
        return CHECKS[knob](value)
    except ValueError as error:
        raise ValueError(f"{knob}={value!r}: {error}") from None


ELSEWHERE = {
    "delay": "is said of a submission: train.options(delay=...).submit(...)",
    "at": "is said of a submission: train.options(at=...).submit(...)",
}


def _count(value: Any) -> int:
    return whole_number(value, 0)


def _span(value: Any) -> float:
    found = seconds(value)
    if found < 0:
        raise ValueError("must not be less than no time")
    return found


def _limit(value: Any) -> Optional[float]:
    if value is None:
        return None
    found = seconds(value)
    if found <= 0:
        raise ValueError("must be more than no time")
    return found


def _period(value: Any) -> float:
    found = seconds(value)
    if found < 1:
        raise ValueError("must be a second or more; what comes more often is a @source")
    return found


def _cron(value: Any) -> str:
    if not isinstance(value, str) or len(value.split()) != 5:
        raise ValueError('must be text with five fields, like "0 3 * * *"')
    return " ".join(value.split())


def _zone(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError('must be the name of one, like "Europe/Paris"')
    return value


def _priority(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > FURTHEST_PRIORITY:
        raise ValueError("must be a whole number; higher ones are first")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be True or False")  # noqa: TRY004  a ValueError for types, too: see CHECKS
    return value


def _retry_on(value: Any) -> List[str]:
    listed = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
    return [_retryable(each) for each in listed]


def _retryable(value: Any) -> str:
    if isinstance(value, type) and issubclass(value, BaseException):
        try:
            return kind.name(value)
        except WiringError as error:
            raise ValueError(str(error)) from None
    if isinstance(value, str) and value.replace(".", "").isidentifier():
        if value.islower() and "." not in value and value not in get_args(Cause):
            raise ValueError(f"there is no cause {value!r}{nearest(value, get_args(Cause))}")
        return value
    raise ValueError("say classes of exceptions, their names, or causes like 'oom'")


def _unique(value: Any) -> Unique:
    if not isinstance(value, (bool, str)) and not callable(value):
        raise ValueError('must be True, a format like "{model}", or a function of the arguments')  # noqa: TRY004
    found: Unique = value
    return found


def _at(value: Any) -> int:
    if not isinstance(value, datetime.datetime):
        raise ValueError("must be a datetime")  # noqa: TRY004  as above
    return round(value.timestamp() * 1000)


# A check answers with the value as it is kept, or raises a ValueError: the end of a sentence about it.
CHECKS: Dict[str, Callable[[Any], Any]] = {
    "name": check_name,
    "group": check_name,
    "max_failures": _count,
    "timeout": _limit,
    "retry_on": _retry_on,
    "backoff": _span,
    "max_backoff": _span,
    "unique": _unique,
    "priority": _priority,
    "env": check_name,
    "isolate": _flag,
    "gpus": _count,
    "grace": _span,
    "every": _period,
    "cron": _cron,
    "timezone": _zone,
    "delay": _span,
    "at": _at,
}
