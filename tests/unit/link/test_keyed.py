"""A link with a key: all that a link promises, and no key at two receivers, ever."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis.stateful import invariant

from penstock.link.credit import NEVER
from penstock.link.keyed import PATIENCE, KeyedLink
from penstock.message import envelope
from penstock.observe import page
from tests.unit.link.network import LINK, Network, Peer
from tests.unit.link.test_network import Link

KEYS = 5


class ByNumber(KeyedLink):
    """The last digit of an item's number, to the base of ``KEYS``, is its shard."""

    def shard(self, value: int) -> int:
        return value % KEYS


class KeyedNetwork(Network):
    """Holds every delivery against what the others have in hand, and against what came before."""

    kind: type[ByNumber] = ByNumber
    link: ByNumber

    def kind_of_link(self, on_full: str, depth: int, max_age: float | None) -> ByNumber:
        return self.kind(id=LINK, target="work", max_failures=self.max_failures, word=page.link_word(0, 0))

    def __init__(
        self, max_failures: int, on_full: str = "block", depth: int = 0, max_age: float | None = None
    ) -> None:
        super().__init__(max_failures, on_full, depth, max_age)
        self.done_with: set[int] = set()
        """Items that are with somebody or settled, and those that gave up their place."""
        self.fallen: set[int] = set()
        """These last."""

    def hand_over(self, peer: Peer, batch: envelope.Batch, arrays: Sequence[bytes]) -> None:
        super().hand_over(peer, batch, arrays)
        for number in numbers(peer.in_hand[batch.batch][0]):
            holders = [each for each in self.peers.values() if number % KEYS in self.keys_of(each)]
            assert holders == [peer], "one key is at one receiver"
            before = set(range(number % KEYS, number, KEYS))
            assert before <= self.done_with, "items of one key come in order"
            self.done_with.add(number)

    def keys_of(self, peer: Peer) -> set[int]:
        """The keys of which it holds something, for all that the sender knows."""
        return {number % KEYS for ids, _ in peer.in_hand.values() for number in numbers(ids)}

    def hear(self, peer: Peer, frame: bytes) -> None:
        message = envelope.from_receiver(frame)
        if isinstance(message, envelope.Credit) and message.batch in peer.in_hand:
            ids = peer.in_hand[message.batch][0]
            self.fallen.update(numbers(ids[f.index] for f in message.failures if f.index < len(ids)))
        super().hear(peer, frame)

    def tell(self, peer: Peer) -> None:
        """What it held, and what it had finished and not settled, is with nobody."""
        if peer.blame is not None and peer.blame[0] in peer.in_hand:
            self.fallen.add(numbers(peer.in_hand[peer.blame[0]][0])[peer.blame[1]])
        for entry in self.link.ledger._open.values():
            if entry.receiver == peer.number:
                held = {run.first + n for run in entry.cargo.runs for n in range(run.items)}
                self.done_with -= held - self.fallen
        super().tell(peer)

    def idles(self) -> bool:
        lanes, credit = self.link.lanes, self.link.credit
        lengths = {receiver: lanes.length(receiver) for receiver in lanes.pending()}
        return self.link.outbox.waiting > 0 or any(
            credit.offer_to(receiver, NEVER - 1 if length is None else length) is not None
            for receiver, length in lengths.items()
        )


def numbers(ids: Iterable[str]) -> list[int]:
    """Of items."""
    return [int(id.partition(":")[2]) for id in ids]


class WithKeys(Link):
    """Whatever may happen to a link happens to one with a key."""

    kind = KeyedNetwork

    @invariant()
    def what_waits_without_a_home_has_none(self) -> None:
        link = self.network.link
        assert isinstance(link, KeyedLink)
        open_ones = [number for number in link.credit.receivers() if link.credit._rooms[number].open]
        assert link.affinity.receivers() == len(open_ones)


class Expecting(ByNumber):
    """Three replicas are to come."""

    def __init__(self, **rules: Any) -> None:
        super().__init__(**rules, replicas=3)


class ExpectingNetwork(KeyedNetwork):
    """Which need not be those that come."""

    kind = Expecting


class WithKeysAtTheStart(WithKeys):
    """Nothing waits for ever for a replica that never comes."""

    kind = ExpectingNetwork


TestALinkWithAKey = WithKeys.TestCase
TestALinkThatExpectsOthers = WithKeysAtTheStart.TestCase


@pytest.fixture
def network() -> KeyedNetwork:
    return KeyedNetwork(3)


def joined(network: KeyedNetwork, window: int = 1, replica: int | None = None) -> Peer:
    peer = network.join(window, 1 << 40, replica)
    network.take(peer)
    return peer


def make(network: KeyedNetwork, *numbers: int) -> None:
    for number in numbers:
        network.make(None, "src/0", number, 0, array=False)
    network.sender.flush()


def delivered(network: KeyedNetwork, peer: Peer) -> list[int]:
    """What has come to it, in this order."""
    while peer.to_it:
        peer.read()
    return [int(id.partition(":")[2]) for batch in peer.queue for id in batch.items]


def finish(network: KeyedNetwork, peer: Peer) -> None:
    network.work(peer, [], settled=True, keeps_views=False)
    network.take(peer)
    network.sender.flush()


def test_a_hot_key_makes_the_link_full_and_the_others_are_still_served(network: KeyedNetwork) -> None:
    peers = [joined(network) for _ in range(4)]
    make(network, 0, 5)
    assert network.link.full, "the lane of one receiver holds its next batch"
    make(network, 1, 2, 3, 4)
    waiting = [delivered(network, peer) for peer in peers]
    assert [0] in waiting
    assert sum(map(len, waiting)) > 1
    network.close()


def test_a_key_moves_when_its_former_receiver_has_finished_and_in_order(network: KeyedNetwork) -> None:
    old = joined(network)
    make(network, 0, 5, 10)
    old.say(envelope.Bye())
    network.take(old)
    new = joined(network)
    network.sender.flush()
    assert delivered(network, old) == [0]
    assert delivered(network, new) == []
    finish(network, old)
    assert delivered(network, new) == [5]
    finish(network, new)
    assert delivered(network, new) == [10]
    network.close()


def test_what_a_dead_receiver_held_comes_before_what_waits_of_its_key(network: KeyedNetwork) -> None:
    dying = joined(network, window=4)
    network.link.credit.pace.report(1000, 1_000_000)
    make(network, 0, 5)
    make(network, 10, 15, 20, 25)
    assert network.link.ledger.sent < 6
    network.die(dying, None)
    network.tell(dying)
    new = joined(network)
    found: list[int] = []
    while len(found) < 6:
        network.sender.flush()
        found += delivered(network, new)
        finish(network, new)
    assert found == [0, 5, 10, 15, 20, 25]
    network.close()


def test_a_failed_item_gives_up_its_place(network: KeyedNetwork) -> None:
    peer = joined(network)
    make(network, 0, 5)
    assert delivered(network, peer) == [0]
    network.work(peer, [envelope.Failure(0, "no", "")], settled=True, keeps_views=False)
    network.take(peer)
    network.sender.flush()
    assert delivered(network, peer) == [5]
    finish(network, peer)
    network.now += 60
    network.sender.flush()
    assert delivered(network, peer) == [0]
    network.close()


def test_at_the_start_what_belongs_to_others_waits_for_them() -> None:
    network = ExpectingNetwork(3)
    said: list[str] = []
    network.sender._notice = lambda kind, text: said.append(text)
    make(network, 0, 1, 2, 3, 4)
    network.link.credit.pace.report(1000, 1_000_000)
    peers = [joined(network, 10, 1)]
    network.sender.flush()
    at_first = delivered(network, peers[0])
    assert at_first not in ([], [0, 1, 2, 3, 4])
    peers += [joined(network, 10, 0), joined(network, 10, 2)]
    network.sender.flush()
    found = [delivered(network, peer) for peer in peers]
    assert found[0] == at_first
    assert sorted(number for some in found for number in some) == [0, 1, 2, 3, 4]
    assert network.sender.next_due() is None
    assert said == []
    network.close()


def test_but_not_for_ever() -> None:
    network = ExpectingNetwork(3)
    only = joined(network, 10, 1)
    make(network, 0, 1, 2, 3, 4)
    assert network.sender.next_due() == network.now + PATIENCE
    assert len(delivered(network, only)) < 5
    network.now += PATIENCE
    network.sender.flush()
    assert network.sender.next_due() is None
    while len(delivered(network, only)) < 5:
        finish(network, only)
        assert only.to_it or only.queue
    network.close()


def test_it_is_said_once_how_much_moves(network: KeyedNetwork) -> None:
    said: list[str] = []
    network.sender._notice = lambda kind, text: said.append(f"{kind}: {text}")
    first = joined(network)
    make(network, 0, 1, 2, 3, 4)
    assert said == [], "nothing was anybody's before"
    second = joined(network)
    network.die(second, None)
    network.tell(second)
    network.die(first, None)
    network.tell(first)
    assert said == [
        "moved: work/4 has joined: 40% of the keys go to it from now on",
        "moved: work/4 has left: its keys (40% of all) go to the one that is left",
        "moved: work/3 has left: its keys (100% of all) wait for another",
    ]
    network.close()
