"""In the worker: what it has of the world. In a process of its own these are real; ``penstock.testing`` lets
the same worker run in memory, with a clock that is put forward by hand."""

from __future__ import annotations

import time
from typing import Any, Callable, NamedTuple

from penstock.link.sockets import Context, Waiter
from penstock.runtime.worker.steward import Guard


def _pool(count: int) -> Any:
    from penstock.runtime.worker.several.pool import Pool  # few have threads

    return Pool(count)


class World(NamedTuple):
    """Sockets, the lock with its steward, something to wait with, and a clock."""

    sockets: Any
    """As ``link.sockets.Context``."""
    guard: Callable[..., Any]
    """Makes what ``steward.Guard`` is."""
    waiter: Callable[..., Any]
    """Makes what ``link.sockets.Waiter`` is."""
    clock: Callable[[], float] = time.monotonic
    """Seconds that never go back."""
    pool: Callable[[int], Any] = _pool
    """Makes what ``pool.Pool`` is: threads for user code."""


def real() -> World:
    """That of a worker in a process of its own; made after the process has started."""
    return World(sockets=Context(), guard=Guard, waiter=Waiter)
