"""For how long a job may be run before the broker takes it back: ``consumer_timeout``. A decision module.

A delivery that is not settled within that time is given to somebody else, while the job still runs. It is 30
minutes unless somebody has said more: before 3.12 only the broker's configuration can, from then on a policy,
and from 4.3 on the worker. Nothing tells a client what is configured, so it has to be said:
``&consumer_timeout=7d`` in the URL.
"""

from __future__ import annotations

import math
from typing import Iterable, Mapping

from penstock.rabbitmq.policies import LONGEST, Version
from penstock.rabbitmq.remark import Remark
from penstock.tasks.job import Rules

SUBJECT = "consumer timeout"
USUAL = 1_800_000
"""Milliseconds, where nobody has said more."""
MARGIN = 60_000
"""The broker looks once a minute, and a job waits for its turn for a little."""
ENOUGH = 86_400_000
"""Jobs without a time-out of their own seldom take longer than a day."""


def needed(rules: Iterable[tuple[str, Rules]]) -> dict[str, float]:
    """For how many milliseconds the jobs of each group may be held; infinite where one of its tasks has no
    time-out."""
    found: dict[str, float] = {}
    for group, each in rules:
        held = math.inf if each.timeout is None else (each.timeout + each.grace) * 1000
        found[group] = max(found.get(group, 0), held)
    return found


def granted(version: Version, said: int = 0) -> int:
    """Milliseconds after which this broker takes a job back, as far as we know.

    Args:
        version: Of the broker.
        said: What is known of its configuration; 0: nothing. A policy counts more, where there can be one.
    """
    return LONGEST if version >= (3, 12) else said or USUAL


def judge(group: str, held: float, limit: int, version: Version) -> Remark:
    """Whether the jobs of a group may be run for as long as they are to be."""
    if held + MARGIN <= limit:
        return Remark(
            SUBJECT, "good", f"{group}: a job is run for up to {_words(held)}, and may be for {_words(limit)}"
        )
    if math.isinf(held):
        text = (
            f"{group}: what takes longer than {_words(limit)} is taken back, and no time-out ends it before"
        )
        good = limit >= ENOUGH
        return Remark(SUBJECT, "good" if good else "doubtful", text, "" if good else cure(version, LONGEST))
    text = f"{group}: a job may take {_words(held)}, and this broker takes it back after {_words(limit)}"
    return Remark(SUBJECT, "bad", text, cure(version, math.ceil(held + MARGIN)))


def judge_all(groups: Mapping[str, float], limit: int, version: Version) -> list[Remark]:
    """All of them, by name."""
    return [judge(name, held, limit, version) for name, held in sorted(groups.items())]


def cure(version: Version, held: int) -> str:
    """What makes this broker wait for so many milliseconds, or longer."""
    if version >= (3, 12):
        return (
            "give the task a shorter timeout, or set the policy ps-work by hand, with consumer-timeout "
            f"{held}; `penstock broker init --dry-run` shows what else is in it"
        )
    return (
        f"consumer_timeout = {held} in rabbitmq.conf, and until its next start "
        f"rabbitmqctl eval 'application:set_env(rabbit, consumer_timeout, {held}).'; "
        f"then say so in the URL: consumer_timeout={_option(held)}"
    )


def _option(milliseconds: int) -> str:
    days, rest = divmod(milliseconds, ENOUGH)
    return f"{days}d" if days and not rest else f"{milliseconds // 1000}s"


def _words(milliseconds: float) -> str:
    """Roughly, for people."""
    seconds = milliseconds / 1000
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
