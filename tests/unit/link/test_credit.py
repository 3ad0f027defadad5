"""Who may be sent how much, with receivers that come, go and finish in any order."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from penstock.link.credit import NEVER, Credit, Offer
from penstock.link.trip import Trip


@dataclass
class Hands:
    """What one receiver was told it gets, and holds."""

    window: int
    window_bytes: int
    batch: int
    open: bool = True
    batches: list[tuple[int, int]] = field(default_factory=list)

    @property
    def items(self) -> int:
        return sum(items for items, _ in self.batches)

    @property
    def nbytes(self) -> int:
        return sum(nbytes for _, nbytes in self.batches)


class Receivers(RuleBasedStateMachine):
    """Keeps its own books of what each receiver has in hand, and holds every offer against them."""

    def __init__(self) -> None:
        super().__init__()
        self.credit = Credit()
        self.hands: dict[int, Hands] = {}
        self.next = 0
        self.waiting = 0

    @rule(
        window=st.sampled_from([0, 0, 1, 2, 3, 7, 100]),
        window_bytes=st.sampled_from([1, 50, 1000, 1 << 40]),
        batch=st.sampled_from([0, 0, 1, 3, 32]),
    )
    def somebody_joins(self, window: int, window_bytes: int, batch: int) -> None:
        self.credit.join(self.next, window, window_bytes, batch)
        self.hands[self.next] = Hands(window, window_bytes, batch)
        self.next += 1

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def somebody_says_hello_twice(self, data: st.DataObject) -> None:
        number = self.somebody(data)
        hands = self.hands[number]
        self.credit.join(number, hands.window, hands.window_bytes, hands.batch)
        hands.open = True

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def somebody_says_bye(self, data: st.DataObject) -> None:
        number = self.somebody(data)
        self.credit.close(number)
        self.hands[number].open = False

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def somebody_dies(self, data: st.DataObject) -> None:
        number = self.somebody(data)
        self.credit.leave(number)
        del self.hands[number]

    @rule(number=st.integers(1000, 1002))
    def there_is_word_from_the_unknown(self, number: int) -> None:
        self.credit.close(number)
        self.credit.leave(number)
        self.credit.regain(number, 1, 1, 1)

    @rule(items=st.sampled_from([1, 2, 10, 100, 5000]))
    def items_are_made(self, items: int) -> None:
        self.waiting += items

    @precondition(lambda self: any(hands.batches for hands in self.hands.values()))
    @rule(data=st.data(), busy=st.sampled_from([0, 10_000, 1_000_000, 30_000_000]))
    def somebody_finishes(self, data: st.DataObject, busy: int) -> None:
        number = data.draw(st.sampled_from([n for n, hands in self.hands.items() if hands.batches]))
        batch = data.draw(st.sampled_from(self.hands[number].batches))
        self.hands[number].batches.remove(batch)
        self.credit.regain(number, *batch, busy)

    @rule(size=st.sampled_from([0, 1, 20, 400, 100_000]), all_of_it=st.booleans())
    def what_may_be_sent_is_sent(self, size: int, all_of_it: bool) -> None:
        offers = 0
        while (offer := self.credit.offer(self.waiting)) is not None and offers < 10:
            offers += 1
            most = min(offer.items, self.waiting, offer.nbytes // size if size else offer.items)
            items = max(1, most if all_of_it else 1)
            self.send(offer, items, items * size)

    @precondition(lambda self: self.credit.offer(1) is not None)
    @rule(size=st.sampled_from([1, 400]))
    def one_item_goes_out_again(self, size: int) -> None:
        offer = self.credit.offer(1)
        assert offer is not None
        self.waiting += 1
        self.send(offer, 1, size)

    def send(self, offer: Offer, items: int, nbytes: int) -> None:
        hands = self.hands[offer.receiver]
        assert hands.open, "nothing for one who said BYE"
        assert offer.items >= 1
        self.credit.spend(offer.receiver, items, nbytes)
        hands.batches.append((items, nbytes))
        self.waiting -= items
        if hands.window:
            assert hands.items <= hands.window
        else:
            before = hands.items - items
            assert len(hands.batches) <= 4 or before < 2 * hands.batch, "one in hand and a few to come"
        assert hands.nbytes <= hands.window_bytes or items == 1, "only one item may be too large"

    def somebody(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(sorted(self.hands)))

    @invariant()
    def who_has_nothing_to_do_is_offered_a_single_item(self) -> None:
        idle = [number for number, hands in self.hands.items() if hands.open and not hands.batches]
        offer = self.credit.offer(1)
        if idle:
            assert offer is not None and offer.receiver in idle

    @invariant()
    def who_gathers_is_offered_the_rest_of_its_batch(self) -> None:
        for hands in self.hands.values():
            room = hands.nbytes * 2 < hands.window_bytes and hands.open and not hands.window
            if room and hands.items < 2 * hands.batch:
                assert self.credit.offer(hands.batch - hands.items % hands.batch) is not None

    @invariant()
    def nothing_is_offered_where_nothing_waits(self) -> None:
        assert self.credit.offer(0) is None

    @invariant()
    def the_trigger_is_where_offers_begin(self) -> None:
        trigger = self.credit.trigger()
        assert self.credit.offer(NEVER - 1) is None if trigger == NEVER else trigger >= 1
        if trigger != NEVER:
            assert self.credit.offer(trigger) is not None
            assert self.credit.offer(trigger - 1) is None

    @invariant()
    def the_makers_of_items_may_always_have_one_waiting(self) -> None:
        assert self.credit.backlog() >= 1

    @invariant()
    def what_each_has_in_hand_is_known(self) -> None:
        for number, hands in self.hands.items():
            room = self.credit._rooms[number]
            assert (room.items, room.nbytes) == (hands.items, hands.nbytes)

    @invariant()
    def everybody_is_known(self) -> None:
        assert self.credit.receivers() == list(self.hands)
        assert all(number in self.credit for number in self.hands)


TestReceiversThatComeAndGo = Receivers.TestCase


@pytest.mark.parametrize(("window", "window_bytes", "batch"), [(-1, 1, 0), (0, 0, 0), (1, -5, 0), (0, 1, -1)])
def test_a_window_of_nothing_is_refused(window: int, window_bytes: int, batch: int) -> None:
    credit = Credit()
    with pytest.raises(ValueError, match="a window of"):
        credit.join(1, window, window_bytes, batch)
    assert credit.receivers() == []


def test_a_second_batch_waits_until_it_is_as_large_as_the_first() -> None:
    credit = Credit()
    credit.join(1, 0, 1 << 30)
    credit.spend(1, 1, 1)
    credit.regain(1, 1, 1, busy=1000)
    credit.spend(1, 10, 10)
    assert credit.offer(9) is None
    assert credit.offer(10) is not None


def test_the_receiver_with_the_least_in_hand_comes_first() -> None:
    credit = Credit()
    for number in (1, 2, 3):
        credit.join(number, 8, 1 << 30)
    credit.spend(1, 2, 2)
    credit.spend(3, 1, 1)
    offer = credit.offer(5)
    assert offer is not None and offer.receiver == 2


def test_a_slow_link_keeps_its_items_for_whoever_is_free_first() -> None:
    credit = Credit()
    credit.join(1, 0, 1 << 30)
    credit.spend(1, 1, 1)
    credit.regain(1, 1, 1, busy=1_000_000_000)
    credit.spend(1, 1, 1)
    assert credit.offer(1000) is None
    credit.join(2, 0, 1 << 30)
    offer = credit.offer(1000)
    assert offer is not None and offer.receiver == 2


def test_to_another_host_the_next_item_is_on_its_way_while_one_is_worked_on() -> None:
    credit = Credit()
    credit.join(1, 0, 1 << 30)
    credit.afar(1, Trip())
    credit.spend(1, 1, 1)
    credit.regain(1, 1, 1, busy=500_000_000)
    credit.spend(1, 1, 1)
    assert credit.offer(1000) is not None
    credit.spend(1, 1, 1)
    assert credit.offer(1000) is None


def test_to_another_host_several_are_on_their_way_where_they_cost_little_there() -> None:
    credit = Credit()
    credit.join(1, 0, 1 << 30)
    trip = Trip()
    credit.afar(1, trip)
    trip.said(1, now=0.0)
    trip.heard(1, now=0.001)
    for _ in range(2):
        credit.spend(1, 1, 1)
    assert credit.offer(1000) is None, "nobody knows so far what an item costs there"
    for _ in range(2):
        credit.regain(1, 1, 1, busy=10_000_000)
    for _ in range(4):
        assert credit.offer(1000) is not None
        credit.spend(1, 1, 1)
    assert credit.offer(1000) is None
    trip.renew()
    trip.said(7, now=1.0)
    trip.heard(7, now=1.2)
    for _ in range(16):
        assert credit.offer(1000) is not None, "it would idle for the rest of the 200 ms"
        credit.spend(1, 1, 1)
    assert credit.offer(1000) is None
