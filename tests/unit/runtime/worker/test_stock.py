"""Batches of the link, taken apart: each item is finished once, and the old ones are not begun."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from penstock.link.receiver import Inbound
from penstock.message.codec import Decoder, Encoder, join
from penstock.message.source import Source
from penstock.observe import page
from penstock.runtime.worker.several.stock import Item, Stock


class Arrivals:
    """A receiver that has got two batches of three items: what it hands out, and what it hears."""

    def __init__(self, expires: int) -> None:
        connection = SimpleNamespace(source=Source(None, None))
        self.queue = [self.inbound(connection, number, expires) for number in (1, 2)]
        self.finished: list[tuple[int, int, int]] = []

    @staticmethod
    def inbound(connection: Any, number: int, expires: int) -> Any:
        body = join([Encoder(None).encode(10 * number + place) for place in range(3)])
        said = SimpleNamespace(batch=number, attempt=1, ids=[("src/0", 0, 3)], count=3, expires=expires)
        return Inbound(connection, said, body, [])  # type: ignore[arg-type]

    def next(self) -> Any:
        return self.queue.pop(0) if self.queue else None

    def finish(self, inbound: Inbound, busy: int, failures: list[Any], stale: int) -> None:
        self.finished.append((inbound.number, len(failures), stale))


def test_what_becomes_too_old_between_two_calls_is_not_begun_and_counted_with_its_batch() -> None:
    now, arrivals, words = [1.0], Arrivals(expires=2_000_000_000), [0] * page.WORDS
    stock = Stock(receiver=arrivals, decoder=Decoder(), words=words, clock=lambda: now[0])  # type: ignore[arg-type]
    items, values = list[Item](), list[Any]()
    assert stock.fill(items, values, 2)
    assert values == [10, 11]
    now[0] = 2.0
    later, rest = list[Item](), list[Any]()
    assert not stock.fill(later, rest, 2)
    assert rest == []
    assert arrivals.finished == [(2, 0, 3)], "one batch was not begun at all; of the other two are in hand"
    stock.finish(items, 100)
    assert arrivals.finished == [(2, 0, 3), (1, 0, 1)]
    assert words[page.ITEMS] == 2


def test_what_may_have_any_age_is_all_begun() -> None:
    arrivals, words = Arrivals(expires=0), [0] * page.WORDS
    stock = Stock(receiver=arrivals, decoder=Decoder(), words=words, clock=lambda: 1e9)  # type: ignore[arg-type]
    items, values = list[Item](), list[Any]()
    assert not stock.fill(items, values, 100)
    assert values == [10, 11, 12, 20, 21, 22]
    stock.finish(items, 100)
    assert arrivals.finished == [(1, 0, 0), (2, 0, 0)]
