"""What a sieve keeps from user code, and how it counts that."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from penstock.runtime.worker.live import LiveContext
from penstock.runtime.worker.sieve import Sieve


def test_an_item_is_begun_until_the_very_moment_it_is_too_old() -> None:
    now, seen = [0.0], list[int]()
    context: Any = SimpleNamespace(inbound=SimpleNamespace(expires=2_000_000_000))
    sieve = Sieve(cast("LiveContext", context), clock=lambda: now[0])
    call = sieve.before(seen.append)
    for number, at in enumerate([0.0, 1.999, 2.0, 3.0]):
        now[0] = at
        assert call(number) is None
    assert seen == [0, 1]
    assert (sieve.kept(), sieve.kept()) == ((2, 0), (0, 0)), "each is told once"


def test_what_may_have_any_age_always_gets_through_and_answers() -> None:
    context: Any = SimpleNamespace(inbound=SimpleNamespace(expires=0))
    sieve = Sieve(cast("LiveContext", context), clock=lambda: 1e9)
    assert sieve.before(lambda number: -number)(7) == -7
