"""What can be chosen for a task besides its code, as it is written: one word and one meaning each."""

from __future__ import annotations

import datetime
from typing import Any, Callable, Sequence, Type, TypedDict, Union

from penstock.pipeline.duration import Duration

Retryable = Union[str, Type[BaseException]]
Unique = Union[bool, str, Callable[..., Any]]


class Treatment(TypedDict, total=False):
    """The knobs of ``@task`` that can also be chosen for one submission, by ``train.options(...)``."""

    max_failures: int
    """A job may fail this often and be tried again; one more and it is dead; 3. Exceptions, crashes and
    time-outs count together; being stopped by a drain or a cancel counts for nothing."""
    timeout: Union[Duration, None]
    """How long one attempt may take, with its unit: ``"30m"``, ``"2h"``; then its processes are killed and
    it has failed. No limit unless said."""
    retry_on: Union[Retryable, Sequence[Retryable]]
    """What is worth another attempt: classes of exceptions, their names, and ``"error"``, ``"crash"``,
    ``"oom"``, ``"timeout"``; whatever else happens is the end of the job. Everything, unless said."""
    backoff: Duration
    """How long a job waits after its first failure, then twice as long after each; ``"1s"``."""
    max_backoff: Duration
    """How long it waits at most; ``"10m"``."""
    unique: Unique
    """While a job like it waits or runs, no second one is made: whoever submits gets that one. ``True``: by
    all its arguments. A format of them, ``"{model}"``, or a function of them: by what that gives."""
    priority: int
    """Jobs with a higher number are begun first; 0."""
    grace: Duration
    """How long it may take to end, when it is told to, before it is killed; ``"10s"``."""


class Knobs(Treatment, total=False):
    """The knobs of ``@task``, as they are written."""

    name: str
    """What it is called in the store; else the name of the function or class."""
    group: str
    """Whose workers run it; ``"default"``. Workers of a group share their Python and their settings:
    ``[group.NAME]`` in penstock.toml."""
    env: str
    """The environment that its group's workers run in, ``[envs.NAME]`` of ``penstock.toml``; else that of the
    supervisor. All tasks of a group that say one say the same."""
    isolate: bool
    """``True``: each attempt has a process of its own; else a worker does one job after the other."""
    gpus: int
    """How many GPUs an attempt has for itself; 0."""
    every: Duration
    """It is called by itself so often: ``"1h"``, on the hour. Then it needs no arguments."""
    cron: str
    """It is called by itself then, as in a crontab: minute, hour, day of the month, month, day of the week;
    ``"0 3 * * *"``."""
    timezone: str
    """Whose clocks ``cron`` means, like ``"Europe/Paris"``; ``"UTC"``, which knows no summer time."""


class When(Treatment, total=False):
    """All that ``train.options(...)`` takes."""

    delay: Duration
    """Not before so much time has passed: ``"10m"``."""
    at: datetime.datetime
    """Not before then; without a time zone: local time."""
