"""Receipts: few words for many deliveries, and none that a broker would end the channel for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.rabbitmq.message import Receipt
from penstock.runtime.jobs import receipts as module
from penstock.runtime.jobs.receipts import Receipts

Act = tuple[Literal["settle", "requeue", "bury", "deliver", "turn", "moment"], int]


class Broker:
    """One channel of it, as RabbitMQ keeps count: a word on a delivery that it does not know is the end."""

    alive = True

    def __init__(self) -> None:
        self.outstanding: set[int] = set()
        self.done: set[int] = set()
        self.back: set[int] = set()
        self.buried: set[int] = set()
        self.words = 0

    async def settle(self, words: Sequence[Receipt]) -> None:
        """As slow as a queue of frames that is full."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.words += len(words)
        for word in words:
            assert word.tag in self.outstanding, f"unknown delivery tag {word.tag}"
            meant = {tag for tag in self.outstanding if tag <= word.tag} if word.multiple else {word.tag}
            self.outstanding -= meant
            place = self.done if word.requeue is None else self.back if word.requeue else self.buried
            place |= meant


class Drill:
    """What is decided about deliveries, beside what the broker hears of it."""

    def __init__(self, deliveries: int) -> None:
        self.broker = Broker()
        channel: Any = self.broker
        self.receipts = Receipts(channel)
        self.open: list[int] = []
        self.meant: dict[str, set[int]] = {"settle": set(), "requeue": set(), "bury": set()}
        self.deliver(deliveries)

    def deliver(self, count: int) -> None:
        """So many more."""
        for _ in range(count):
            tag = len(self.open) + sum(map(len, self.meant.values())) + 1
            self.broker.outstanding.add(tag)
            self.open.append(tag)
            self.receipts.came(tag)

    async def act(self, act: Act) -> None:
        """One thing happens."""
        kind, number = act
        if kind == "deliver":
            self.deliver(1 + number % 3)
        elif kind == "turn":
            await asyncio.sleep(0)
        elif kind == "moment":
            self.receipts._tell_late()  # by its timer
        elif self.open:
            tag = self.open.pop(number % len(self.open))
            self.meant[kind].add(tag)
            if kind == "settle":
                self.receipts.settle(tag)
            else:
                self.receipts.reject(tag, requeue=kind == "requeue")


KINDS = st.sampled_from(["settle", "settle", "settle", "requeue", "bury", "deliver", "turn", "moment"])


@given(st.lists(st.tuples(KINDS, st.integers(0, 1000)), max_size=80), st.integers(0, 8))
@settings(max_examples=100, deadline=None)
def test_the_broker_hears_of_each_delivery_once_and_what_was_meant(acts: list[Act], first: int) -> None:
    async def run() -> None:
        drill = Drill(first)
        for act in acts:
            await drill.act(act)
        await drill.receipts.close()
        broker = drill.broker
        assert broker.outstanding == set(drill.open)
        assert {"settle": broker.done, "requeue": broker.back, "bury": broker.buried} == drill.meant

    asyncio.run(run())


def test_what_is_settled_in_order_is_one_word() -> None:
    async def run() -> None:
        drill = Drill(100)
        for _ in range(100):
            await drill.act(("settle", 0))
        await drill.receipts.close()
        assert (len(drill.broker.done), drill.broker.words) == (100, 1)

    asyncio.run(run())


def test_what_lies_behind_a_long_job_is_told_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOMENT", 0.001)

    async def run() -> None:
        drill = Drill(3)
        drill.receipts.settle(2)
        drill.receipts.settle(3)
        async with asyncio.timeout(60):
            while drill.broker.done != {2, 3}:  # noqa: ASYNC110  what is looked at has no event
                await asyncio.sleep(0.001)
        assert drill.broker.outstanding == {1}

    asyncio.run(run())
