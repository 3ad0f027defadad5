"""How long a request is waited for, attempt by attempt. Decides, and knows no clock."""

from __future__ import annotations

from collections.abc import Iterator

LONGEST = 32.0
"""Seconds: an attempt is not waited for any longer because those before it failed."""


def waits(timeout: float | None, retries: int) -> Iterator[float | None]:
    """Seconds that each attempt is waited for: ``timeout``, then twice as long each time, so that a server
    that is slow under its load is not given ever more of it.

    ``None``: there is one attempt, and no end to it.
    """
    yield timeout
    if timeout is None:
        return
    for attempt in range(1, retries + 1):
        yield max(timeout, min(timeout * 2.0 ** min(attempt, 64), LONGEST))


def in_all(timeout: float | None, retries: int) -> float | None:
    """Seconds after which the last attempt has failed; None: never."""
    return None if timeout is None else sum(wait for wait in waits(timeout, retries) if wait is not None)
