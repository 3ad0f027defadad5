"""How far a source may be ahead: never further, and nobody who has nothing to do is kept waiting for less."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from penstock.link.credit import NEVER, Offer
from penstock.link.ledger import Cargo, Fault, Run
from penstock.link.link import Link
from penstock.link.rein import AHEAD, LEAST, MOST, NBYTES, Rein

WAITING = [1, 2, 3, 5, 100, 5000]


@dataclass
class Books:
    """What a rein asks of a link's ledger."""

    in_flight: int = 0
    sent: int = 0
    settled: int = 0


@dataclass
class Sends:
    """What it asks of a link."""

    ledger: Books = field(default_factory=Books)
    bytes: int = 0


class Source(RuleBasedStateMachine):
    """Sends whatever it may; receivers finish and settle in any order, and die."""

    @initialize(ahead=st.integers(1, 6), workers=st.integers(1, 9))
    def begin(self, ahead: int, workers: int) -> None:
        self.ahead = ahead
        self.link = Sends()
        self.rein = Rein(0, self.link, ahead=ahead, hands=workers)
        self.hands: dict[int, list[int]] = {}
        """The batches that each receiver has not finished."""
        self.closed: set[int] = set()
        self.finished = 0
        """Items that are done, and not settled."""
        self.again = 0
        """Items that wait to go out again."""
        self.next = 0

    @rule(window=st.sampled_from([0, 0, 1, 2, 4]), batch=st.sampled_from([0, 0, 3]))
    def somebody_joins(self, window: int, batch: int) -> None:
        self.rein.join(self.next, window, 1 << 40, batch)
        self.hands[self.next] = []
        self.next += 1

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def somebody_says_bye(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.hands)))
        self.rein.close(number)
        self.closed.add(number)

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def somebody_dies(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.hands)))
        self.rein.leave(number)
        self.again += sum(self.hands.pop(number))

    @rule(waiting=st.sampled_from(WAITING))
    def what_may_be_sent_is_sent(self, waiting: int) -> None:
        offer = self.rein.offer(waiting)
        if offer is not None:
            items = min(offer.items, waiting)
            self.link.ledger.in_flight += items
            self.link.ledger.sent += items
            self.send(offer, items)

    @precondition(lambda self: self.hands)
    @rule(data=st.data(), waiting=st.sampled_from(WAITING))
    def what_may_be_sent_to_one_is_sent(self, data: st.DataObject, waiting: int) -> None:
        offer = self.rein.offer_to(data.draw(st.sampled_from(sorted(self.hands))), waiting)
        if offer is not None:
            items = min(offer.items, waiting)
            self.link.ledger.in_flight += items
            self.link.ledger.sent += items
            self.send(offer, items)

    @precondition(lambda self: self.again)
    @rule()
    def one_goes_out_again(self) -> None:
        offer = self.rein.offer(NEVER - 1)
        idle = [number for number, batches in self.hands.items() if not batches and number not in self.closed]
        assert offer is not None or not idle, "it is ahead already: the rein is not for it"
        if offer is not None:
            self.again -= 1
            self.send(offer, 1)

    def send(self, offer: Offer, items: int) -> None:
        assert items >= 1
        assert offer.receiver not in self.closed
        self.rein.spend(offer.receiver, items, items)
        self.hands[offer.receiver].append(items)

    @precondition(lambda self: any(self.hands.values()))
    @rule(data=st.data(), busy=st.sampled_from([10_000, 1_000_000, 30_000_000]))
    def somebody_finishes(self, data: st.DataObject, busy: int) -> None:
        number = data.draw(st.sampled_from([each for each, batches in self.hands.items() if batches]))
        items = self.hands[number].pop(0)
        self.rein.regain(number, items, items, busy * items)
        self.finished += items

    @precondition(lambda self: self.finished)
    @rule(data=st.data())
    def some_are_settled(self, data: st.DataObject) -> None:
        items = data.draw(st.integers(1, self.finished))
        self.finished -= items
        self.link.ledger.in_flight -= items

    @invariant()
    def no_more_is_unsettled_than_may_be(self) -> None:
        assert self.link.ledger.in_flight <= self.ahead
        assert self.rein.left == self.ahead - self.link.ledger.in_flight

    @invariant()
    def who_has_nothing_to_do_is_given_something_while_there_is_room(self) -> None:
        idle = any(not batches and number not in self.closed for number, batches in self.hands.items())
        if idle and self.rein.left:
            assert all(self.rein.offer(waiting) is not None for waiting in WAITING)
        if not self.rein.left:
            assert all(self.rein.offer(waiting) is None for waiting in WAITING)

    @invariant()
    def the_trigger_is_where_offers_begin(self) -> None:
        trigger = self.rein.trigger()
        assert (self.rein.offer(NEVER - 1) is None) is (trigger == NEVER)
        assert trigger == NEVER or self.rein.offer(trigger) is not None


TestSource = Source.TestCase


def usual(cost: float = 0.0, rooms: int = 1, hands: int = 4, size: int = 1) -> int:
    """How many items, if nobody has said it."""
    rein = Rein(0, Sends(Books(sent=1000), 1000 * size), ahead=0, hands=hands)
    for number in range(rooms):
        rein.join(number, 0, 1 << 40)
    rein.pace.cost = cost
    return rein.left


@pytest.mark.parametrize(
    ("known", "items"),
    [
        ({}, LEAST),
        ({"hands": 100}, 400),
        ({"cost": 1e6}, AHEAD / 1e6),
        ({"cost": 1e6, "rooms": 4}, 4 * AHEAD / 1e6),
        ({"cost": 1e9}, LEAST),
        ({"cost": 100.0}, MOST),
        ({"cost": 100.0, "size": 1 << 20}, NBYTES >> 20),
        ({"cost": 100.0, "size": 1 << 30}, 8),  # each worker has something to do, and something to come
    ],
    ids=str,
)
def test_by_itself_it_is_a_quarter_of_a_second_within_bounds(known: dict[str, Any], items: float) -> None:
    assert usual(**known) == items


def reined(ahead: int) -> Link:
    """A link that has sent all it may, to receiver 7."""
    link = Link(id=1, target="work", max_failures=3, word=0)
    link.credit = Rein(0, link, ahead=ahead, hands=2)
    link.credit.join(7, 0, 1 << 40)
    cargo = Cargo([b"."] * ahead, [Run(None, "src/0", 0, ahead)], nbytes=ahead)
    link.spend(7, cargo)
    assert link.ledger.send(7, cargo) == 1
    return link


def test_what_failed_goes_out_again_however_tight_the_rein_is() -> None:
    link = reined(2)
    cargo, dying = link.ledger.finish(7, 1, [Fault(0, "no", after=0.0)], 0.0)
    assert cargo is not None and not dying
    link.regain(7, cargo, 1000)
    link.put(None, "src/0", 2, b".")
    dispatch = link.next_batch(lambda: 1.0)
    assert dispatch is not None and dispatch.cargo.attempt == 2
    link.spend(7, dispatch.cargo)
    link.ledger.send(7, dispatch.cargo)
    assert link.next_batch(lambda: 1.0) is None, "the one behind it has to wait"
    assert link.ledger.settle(7, 1)
    dispatch = link.next_batch(lambda: 1.0)
    assert dispatch is not None and dispatch.cargo.attempt == 1


def test_a_sender_whose_receivers_are_all_dead_sleeps() -> None:
    link = reined(2)
    link.ledger.lose(7, "killed", None, 1.0)
    link.leave(7)
    assert link.next_due() is None, "it will go when somebody comes; a time gone by would wake it for ever"


def test_it_gives_way_when_nothing_is_settled_for_long_and_each_time_later() -> None:
    link = Sends(Books(in_flight=3))
    rein = Rein(0, link, ahead=3, hands=1)
    assert rein.ease(10.0) == 11.0
    assert rein.ease(10.9) == 11.0
    assert rein.left == 0
    assert rein.ease(11.0) == 11.0
    assert rein.left == 3
    link.ledger.in_flight = 6
    assert rein.ease(11.5) == 13.0, "twice as long"
    link.ledger.in_flight, link.ledger.settled = 5, 1
    assert rein.ease(12.0) == 13.0, "from when something was settled, with the bound of before"
    assert rein.left == -2
    link.ledger.in_flight = 0
    assert rein.ease(12.5) is None
