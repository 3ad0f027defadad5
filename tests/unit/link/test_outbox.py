"""A queue that keeps neighbours together: what goes in comes out, once, in order, in batches that fit."""

from __future__ import annotations

import sys
import threading
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from penstock.link.outbox import HEAVY, Extras, Outbox
from penstock.message.flat import Flat


class Item(NamedTuple):
    """What was put."""

    parent: Any
    origin: str
    number: int
    payload: bytes
    extras: Extras | None

    @property
    def nbytes(self) -> int:
        return len(self.payload) + (self.extras.nbytes if self.extras else 0)

    @property
    def heavy(self) -> bool:
        return self.extras is not None or len(self.payload) > HEAVY


class Queue(RuleBasedStateMachine):
    """An outbox beside a plain list of what is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox()
        self.inside: list[Item] = []
        self.made = 0
        self.number = 0
        self.ringing: tuple[int, int] | None = None

    @rule(
        items=st.integers(1, 6),
        parent=st.sampled_from([None, "a", "b"]),
        origin=st.sampled_from(["src/0", "src/1"]),
        jump=st.sampled_from([0, 0, 0, 1, -3]),
        size=st.sampled_from([0, 1, 100, HEAVY, HEAVY + 1]),
        extras=st.sampled_from(
            [None, None, None, Extras(["slot"], [], 5000), Extras(["slot"], [b"frame"], 9000)]
        ),
    )
    def items_are_put(
        self, items: int, parent: Any, origin: str, jump: int, size: int, extras: Extras | None
    ) -> None:
        self.number += jump
        for _ in range(items):
            payload = b"%d:" % self.made + b"." * size
            alarm = self.outbox.put(parent, origin, self.number, payload, extras)
            self.inside.append(Item(parent, origin, self.number, payload, extras))
            self.number += 1
            self.made += 1
            if self.ringing is not None:
                more, until = self.ringing
                if len(self.inside) >= more or self.made >= until:
                    assert alarm, "whoever makes items is told in time"

    @rule(more=st.integers(1, 20), at_most=st.integers(0, 20))
    def somebody_wants_to_be_told(self, more: int, at_most: int) -> None:
        self.outbox.ring(more, at_most)
        self.ringing = (more, self.made + at_most)

    @precondition(lambda self: self.inside)
    @rule(items=st.sampled_from([1, 2, 3, 100]), nbytes=st.sampled_from([1, 120, 6000, 1 << 30]))
    def a_batch_is_taken(self, items: int, nbytes: int) -> None:
        self.ringing = None  # counted from what was in it then
        cargo = self.outbox.take(items, nbytes)
        batch, self.inside = self.inside[: len(cargo)], self.inside[len(cargo) :]
        assert cargo.payloads == [item.payload for item in batch]
        runs = [cargo.run_at(place) for place in range(len(cargo))]
        assert [run[:3] for run in runs] == [item[:3] for item in batch]
        assert sum(run.items for run in cargo.runs) == len(cargo)
        assert cargo.nbytes == sum(item.nbytes for item in batch)
        assert 1 <= len(cargo) <= items
        assert cargo.nbytes <= nbytes or len(cargo) == 1
        with_arrays = [item.extras for item in batch if item.extras is not None]
        assert len(with_arrays) in {0, len(batch)}, "items with arrays travel among their like"
        assert cargo.slots == ([extras.slots for extras in with_arrays] or None)
        assert list(cargo.frames) == (with_arrays[0].frames if with_arrays else [])
        assert not cargo.frames or len(cargo) == 1, "frames belong to the one item they came with"

    @precondition(lambda self: not self.inside)
    @rule()
    def nothing_can_be_taken(self) -> None:
        with pytest.raises(IndexError):
            self.outbox.take(1, 1)

    @invariant()
    def it_knows_how_much_is_in_it(self) -> None:
        assert self.outbox.waiting == len(self.inside)
        assert self.outbox.made == self.made
        assert self.outbox.heavy == sum(item.nbytes for item in self.inside if item.heavy)


TestAQueue = Queue.TestCase


def test_neighbours_of_one_parent_are_one_run() -> None:
    outbox = Outbox()
    for number in range(100):
        outbox.put("p", "src/0", number, b"x")
    assert outbox.take(1000, 1 << 20).runs == [("p", "src/0", 0, 100)]


def test_whoever_makes_large_items_is_told_when_there_are_too_many_bytes() -> None:
    outbox = Outbox()
    outbox.ring(1000, 1000)
    outbox.heavy_limit = 3 * HEAVY
    told = [outbox.put(None, "src/0", number, b"." * (HEAVY + 1)) for number in range(3)]
    assert told == [False, False, True]


def test_a_feeder_and_put_are_one_queue() -> None:
    outbox = Outbox()
    refused = []

    def slow(value: Any, parent: Any, origin: str, number: int) -> bool:
        refused.append(value)
        return outbox.put(parent, origin, number, b"slow")

    outbox.ring(1000, 1000)
    feed = outbox.feeder("src/0", flat=Flat(), slow=slow)
    values = [{"a": 1}, {"a": 2}, None, (1, 2), {"a": 3}, "." * (HEAVY + 1), 7, {"a": 2**70}, {"b": 1}]
    assert not feed(iter(values))
    assert refused == [(1, 2), {"a": 2**70}]
    cargo = outbox.take(100, 1 << 30)
    numbers = [cargo.run_at(place).first for place in range(len(cargo))]
    assert numbers == list(range(8))
    assert cargo.payloads[2] == b"slow"


def test_what_is_emitted_between_fed_items_keeps_its_own_name() -> None:
    outbox = Outbox()
    outbox.ring(1000, 1000)
    feed = outbox.feeder("src/0", flat=Flat(), slow=lambda *_: False)
    for number in range(4):
        feed(iter([{"fed": number}, {"fed": number}]))
        outbox.put(None, "src/0:side", number, b"emitted")
    cargo = outbox.take(100, 1 << 30)
    ids = [cargo.run_at(place)[1:3] for place in range(len(cargo))]
    assert len(set(ids)) == 12
    assert [origin for origin, _ in ids] == ["src/0", "src/0", "src/0:side"] * 4


def test_one_thread_may_put_while_another_takes() -> None:
    outbox, total = Outbox(), 20_000
    taken: list[bytes] = []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def put() -> None:
        for number in range(total):
            parent = number // 7 % 3
            outbox.put(parent, "src/0", number, b"%d" % number)

    try:
        putter = threading.Thread(target=put)
        putter.start()
        while len(taken) < total:
            if outbox.waiting:
                cargo = outbox.take(50, 1 << 20)
                for place, payload in enumerate(cargo.payloads):
                    run = cargo.run_at(place)
                    assert (run.parent, b"%d" % run.first) == (run.first // 7 % 3, payload)
                taken += cargo.payloads
        putter.join()
    finally:
        sys.setswitchinterval(interval)
    assert taken == [b"%d" % number for number in range(total)]
