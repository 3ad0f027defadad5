"""What a run reads from its environment, once, into one frozen value that is then handed on.

    PENSTOCK_RUN_DIR     where run directories are made (default: /dev/shm/penstock-<uid>)
    PENSTOCK_STATE_DIR   where logs and dead letters are kept (default: .penstock/<pipeline>/ beside the app)
    PENSTOCK_GRACE       how long a worker may take to stop before it is killed, and how long a
                         drain in which nothing moves waits for a script to attach (default: 10s)
    PENSTOCK_SHM_BUDGET  shared memory all workers of a run may use together (default: half of what is free)
    PENSTOCK_JOBS        the file that keeps jobs (default: .penstock/jobs.db beside the app)
    PENSTOCK_BROKER      the address of the RabbitMQ that jobs go over (default: none, all is in that file)
    PENSTOCK_FILES       the folder that all share whose jobs go over it, for what is too large for a message
                         (default: beside that file)
    PENSTOCK_CACHE_DIR   where environments are kept (default: ~/.cache/penstock)
    PENSTOCK_PROFILE     which [profile.NAME] of penstock.toml counts (default: none)
    PENSTOCK_KEYS        the folder of our key and of those we trust (default: penstock/keys in ~/.config)

Nothing else in penstock looks at these variables, but for four: what the profile and variables with two
underscores (PENSTOCK_STAGES__DETECT__REPLICAS) mean is known to ``penstock.config``, where jobs are kept
and what they go over to ``penstock.tasks.home``, whatever process asks, where environments are to
``penstock.environments.store``, and where keys are to ``penstock.security.keys``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from penstock.errors import UserError

Value = TypeVar("Value")

GRACE = 10.0
"""Seconds, as `docker stop` has it."""
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_NAMES = (
    "PENSTOCK_RUN_DIR",
    "PENSTOCK_STATE_DIR",
    "PENSTOCK_GRACE",
    "PENSTOCK_SHM_BUDGET",
    "PENSTOCK_JOBS",
    "PENSTOCK_BROKER",
    "PENSTOCK_FILES",
    "PENSTOCK_CACHE_DIR",
    "PENSTOCK_PROFILE",
    "PENSTOCK_KEYS",
)
_OURS = ("PENSTOCK_RUN", "PENSTOCK_BENCH_TRIAL", "PENSTOCK_FAULT")
"""Passed from process to process, or by tests; not for people to set."""


class Settings(NamedTuple):
    """One run's settings."""

    run_dir: str | None = None
    """Where run directories are made; ``None``: on /dev/shm."""
    state_dir: str | None = None
    """Where logs and dead letters are kept; ``None``: beside the app file."""
    grace: float = GRACE
    """Seconds between telling a worker to stop and killing it."""
    shm_budget: int | None = None
    """Bytes of shared memory for all workers together; ``None``: half of what is free."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """The settings in ``environ`` (usually ``os.environ``); an empty variable counts as not set.

        Raises:
            UserError: a value cannot be read, or a name looks like a misspelt one of ours.
        """
        _refuse_misspelt(environ)
        grace = _read(environ, "PENSTOCK_GRACE", _duration)
        return cls(
            run_dir=environ.get("PENSTOCK_RUN_DIR") or None,
            state_dir=environ.get("PENSTOCK_STATE_DIR") or None,
            grace=GRACE if grace is None else grace,
            shm_budget=_read(environ, "PENSTOCK_SHM_BUDGET", _size),
        )


def _refuse_misspelt(environ: Mapping[str, str]) -> None:
    """Only near misses: Kubernetes sets PENSTOCK_PORT and its like for any service named penstock."""
    for name in environ:
        if name.startswith("PENSTOCK_") and name not in _NAMES and name not in _OURS:
            import difflib  # for who has made a slip

            near = difflib.get_close_matches(name, _NAMES, 1, cutoff=0.85)
            if near:
                raise UserError(f"penstock does not know the variable {name}: did you mean {near[0]}?")


def _read(environ: Mapping[str, str], name: str, parse: Callable[[str], Value]) -> Value | None:
    text = environ.get(name)
    if not text:
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise UserError(f"{name}={text}: {error}") from None


def _duration(text: str) -> float:
    return _number(text, _SECONDS, 'write a time with its unit, for example "500ms", "10s" or "2m"')


def _size(text: str) -> int:
    return int(_number(text, _BYTES, 'write a size with its unit, for example "256MiB" or "2GiB"'))


def _number(text: str, units: Mapping[str, float], advice: str) -> float:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", text)
    if match is None or match[2] not in units:
        raise ValueError(advice)
    return float(match[1]) * units[match[2]]
