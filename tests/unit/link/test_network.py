"""The whole link: deaths, repetitions, late word, full disks. Nothing is lost, and nothing counted twice."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from penstock.errors import PeerError
from penstock.link.lossy import Lossy
from penstock.message import envelope
from penstock.observe import page
from tests.unit.link.network import LINK, Network, Peer

MOVES = ("take", "send", "read", "work", "settle", "release")
"""In the order in which an item makes its way."""

failures = st.lists(
    st.builds(
        envelope.Failure,
        index=st.integers(0, 3),
        error=st.just("ValueError: no"),
        traceback=st.just(""),
        reject=st.sampled_from([False, False, False, True]),
        after=st.none() | st.sampled_from([-1.0, 0.0, 2.0]),
        unread=st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda failure: failure.index,
)


class Link(RuleBasedStateMachine):
    """A network, and everything that may happen in it in whatever order."""

    kind: type[Network] = Network

    def __init__(self) -> None:
        super().__init__()
        self.made = 0
        self.shared = object()
        self.network = self.kind(0)

    @initialize(
        max_failures=st.integers(0, 3),
        windows=st.lists(st.sampled_from([0, 0, 1, 2, 5]), max_size=3),
        known=st.booleans(),
        full=st.booleans(),
        items=st.integers(0, 8),
        array=st.booleans(),
        on_full=st.sampled_from(["block", "block", "drop_oldest", "drop_newest"]),
        depth=st.sampled_from([0, 0, 1, 3]),
        max_age=st.sampled_from([None, None, 0.5, 3.0]),
    )
    def a_link_begins(
        self,
        max_failures: int,
        windows: list[int],
        known: bool,
        full: bool,
        items: int,
        array: bool,
        on_full: str,
        depth: int,
        max_age: float | None,
    ) -> None:
        self.network.close()
        self.network = self.kind(max_failures, on_full, depth, max_age)
        self.network.disk_full = full
        if known:
            self.network.link.credit.pace.report(1000, 1_000_000)
        for window in windows:
            self.network.take(self.network.join(window, 1 << 40))
        self.items_are_made(items, 10, array, "own", 3)

    def some(self, data: st.DataObject, peers: list[Peer]) -> Peer:
        return data.draw(st.sampled_from(peers))

    def living(self) -> list[Peer]:
        return [peer for peer in self.network.peers.values() if peer.alive]

    # Items are made.

    @rule(
        items=st.integers(1, 12),
        size=st.sampled_from([0, 0, 10, 1000]),
        array=st.booleans(),
        parent=st.sampled_from(["none", "shared", "own"]),
        moves=st.sampled_from([0, 3, 3, 3, 6]),
    )
    def items_are_made(self, items: int, size: int, array: bool, parent: str, moves: int) -> None:
        own = {"none": None, "shared": self.shared, "own": object()}[parent]
        for _ in range(items):
            self.network.make(own, "src/0", self.made, size, array=array)
            self.made += 1
        self.all_get_on_so_far(moves)

    # Messages travel, and work is done.

    @rule(moves=st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 5)), min_size=1, max_size=25))
    def the_link_gets_on(self, moves: list[tuple[str, int]]) -> None:
        for move, which in moves:
            if move == "send":
                self.the_sender_sends()
                continue
            able = [peer for peer in self.network.peers.values() if self.network.can(peer, move)]
            if able:
                self.network.move(able[which % len(able)], move)

    @rule(moves=st.sampled_from([2, 3, 3, 3, 4, 5, 6]))
    def all_get_on_so_far(self, moves: int) -> None:
        for move in MOVES[:moves]:
            if move == "send":
                self.the_sender_sends()
            for peer in list(self.network.peers.values()):
                while self.network.can(peer, move):
                    self.network.move(peer, move)

    @precondition(lambda self: any(peer.from_it for peer in self.network.peers.values()))
    @rule(data=st.data())
    def the_sender_reads_the_same_twice(self, data: st.DataObject) -> None:
        peer = self.some(data, [peer for peer in self.network.peers.values() if peer.from_it])
        frame = peer.from_it[0]
        message: Any = envelope.from_receiver(frame)
        self.network.take(peer)
        if isinstance(message, envelope.Hello) and not peer.gone:
            with pytest.raises(PeerError, match="HELLO twice"):
                self.network.hear(peer, frame)
        elif not isinstance(message, envelope.Release) and not getattr(message, "releases", ()):
            self.network.hear(peer, frame)

    def the_sender_sends(self) -> None:
        network = self.network
        network.sender.flush()
        assert not network.idles(), "nothing waits while there is credit"
        due = network.sender.next_due()
        assert due is None or due > network.now, "a timer that is due would make the worker spin"
        link = network.link
        assert link.ledger.sent + link.waiting == self.made, "a look counts all that was dropped"
        if isinstance(link, Lossy):
            waits = link._on_full == "block"
            assert waits or not link.full, "whoever makes items never waits"
            assert waits or link.door is not None or link.outbox.waiting <= link.depth

    # Receivers come, work and go.

    @rule(
        window=st.sampled_from([0, 0, 1, 2, 5, 100]),
        window_bytes=st.sampled_from([1, 2000, 250_000, 1 << 40]),
    )
    def a_receiver_joins(self, window: int, window_bytes: int) -> None:
        self.network.join(window, window_bytes)

    @precondition(lambda self: any(peer.queue for peer in self.living()))
    @rule(data=st.data(), failures=failures, settled=st.booleans(), keeps_views=st.booleans())
    def a_receiver_works(
        self, data: st.DataObject, failures: list[envelope.Failure], settled: bool, keeps_views: bool
    ) -> None:
        peer = self.some(data, [peer for peer in self.living() if peer.queue])
        self.network.work(peer, failures, settled=settled, keeps_views=keeps_views)

    @precondition(lambda self: self.living())
    @rule(data=st.data(), luck=st.integers(0, 2))
    def a_receiver_says_bye(self, data: st.DataObject, luck: int) -> None:
        if luck == 2:  # seldom, or soon there would be nobody left
            self.some(data, self.living()).say(envelope.Bye())

    @precondition(lambda self: self.living())
    @rule(
        data=st.data(),
        idle=st.sampled_from([True, False, False]),
        place=st.none() | st.integers(0, 9),
        told=st.booleans(),
        replaced=st.sampled_from([True, True, False]),
    )
    def a_receiver_dies(
        self, data: st.DataObject, idle: bool, place: int | None, told: bool, replaced: bool
    ) -> None:
        able = [peer for peer in self.living() if idle or peer.queue or peer.unsettled or peer.views]
        if able:
            peer = self.some(data, able)
            self.network.die(peer, place)
            if told:
                self.network.tell(peer)
            if replaced:
                self.network.take(self.network.join(peer.window, peer.window_bytes))

    @precondition(
        lambda self: any(not peer.alive and not peer.missed for peer in self.network.peers.values())
    )
    @rule(data=st.data())
    def the_socket_notices_a_death(self, data: st.DataObject) -> None:
        dead = [peer for peer in self.network.peers.values() if not peer.alive and not peer.missed]
        self.some(data, dead).missed = True

    @precondition(lambda self: any(not peer.alive and not peer.gone for peer in self.network.peers.values()))
    @rule(data=st.data())
    def the_sender_hears_of_a_death(self, data: st.DataObject) -> None:
        dead = [peer for peer in self.network.peers.values() if not peer.alive and not peer.gone]
        self.network.tell(self.some(data, dead))

    @rule(frame=st.binary(max_size=20), number=st.integers(0, 5))
    def a_stranger_talks(self, frame: bytes, number: int) -> None:
        hello = envelope.Hello(envelope.VERSION, number, LINK, "here", 1, 1)
        for words in (frame, envelope.pack(envelope.Settle([1, 2, 3])), envelope.pack(hello)):
            with pytest.raises(PeerError):
                self.network.sender.handle(b"nobody", [words])

    # The world.

    @rule(full=st.booleans())
    def the_disk_fills_or_empties(self, full: bool) -> None:
        self.network.disk_full = full

    @rule(seconds=st.sampled_from([0.01, 0.06, 1.0, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self.network.now += seconds

    # What must hold after each step.

    @invariant()
    def sent_is_settled_and_dead_and_dropped_and_in_flight(self) -> None:
        link = self.network.link
        ledger = link.ledger
        assert link.outbox.made == self.made
        assert ledger.sent + link.waiting <= self.made
        dropped = (ledger.dropped_full, ledger.dropped_too_old)
        assert ledger.sent == ledger.settled + ledger.dead + sum(dropped) + ledger.in_flight
        assert min(ledger.settled, ledger.dead, *dropped, ledger.in_flight) >= 0
        assert isinstance(link, Lossy) or ledger.sent + link.waiting == self.made
        assert ledger.dead == len(self.network.buried) == len(set(self.network.buried))

    @invariant()
    def arrays_are_right_as_long_as_somebody_looks(self) -> None:
        for peer in self.living():
            self.network.see(peer.views)

    @invariant()
    def nobody_fails_oftener_than_allowed(self) -> None:
        network = self.network
        assert all(failed <= network.max_failures + 1 for failed in network.failures.values())

    def teardown(self) -> None:
        network = self.network
        try:
            network.calm()
            ledger = network.link.ledger
            assert network.sender.idle
            dropped = ledger.dropped_full + ledger.dropped_too_old
            ends = ledger.settled + ledger.dead + dropped
            assert ends == ledger.sent == self.made, "every item has come to its end"
            assert not +network.owed, "and every parent has heard of it"
            ended = network.done.union(network.buried)
            assert len(set(network.parents) - ended) <= dropped, "what did not end otherwise was dropped"
            if not ledger.dropped_too_old:
                assert ended == set(network.attempts)
                assert len(network.parents) - len(ended) == ledger.dropped_full, "never in flight"
            assert isinstance(network.link, Lossy) or not dropped
            assert network.arena.used == 0, "no slot is left behind"
            words = network.words[network.link.word :]
            assert words[page.SENT] == self.made
            assert words[page.SETTLED] + words[page.DEAD] == self.made - dropped
            assert words[page.DROPPED_FULL] + words[page.DROPPED_TOO_OLD] == dropped
            assert words[page.WAITING] == 0
        finally:
            network.close()


TestALink = Link.TestCase


def test_a_hello_read_after_the_death_of_its_sender_gets_nothing() -> None:
    network = Network(3)
    peer = network.join(0, 1 << 20)
    network.make(None, "src/0", 0, 10, array=False)
    network.die(peer, None)
    network.tell(peer)
    network.take(peer)
    network.sender.flush()
    assert network.link.credit.receivers() == []
    assert network.link.outbox.waiting == 1
    network.close()


def test_nobody_polls_while_an_item_is_due_and_its_only_receiver_is_busy() -> None:
    network = Network(3)
    busy = network.join(1, 1 << 20)
    network.take(busy)
    dying = network.join(1, 1 << 20)
    network.take(dying)
    for number in range(2):
        network.make(None, "src/0", number, 10, array=False)
        network.sender.flush()
    while dying.to_it:
        dying.read()
    network.die(dying, 0)
    network.tell(dying)
    network.now += 60
    network.sender.flush()
    assert network.link.ledger.due(network.now)
    assert network.sender.next_due() is None
    network.close()


def test_a_failure_of_an_item_that_does_not_exist_is_not_looked_up() -> None:
    network = Network(3)
    peer = network.join(0, 1 << 20)
    network.take(peer)
    network.make(None, "src/0", 0, 0, array=True)
    network.sender.flush()
    for index in (-1, 1, 1 << 62):
        peer.say(envelope.Credit(1, 0, True, [envelope.Failure(index, "no", "", unread=True)], []))
        network.hear(peer, peer.from_it.popleft())
    assert network.link.ledger.settled == 1
    network.close()


@pytest.mark.parametrize(
    ("hello", "sentence"),
    [
        (
            envelope.Hello(99, 7, LINK, "here", 0, 1),
            "worker 7 speaks version 99 of the link protocol, this one 1",
        ),
        (envelope.Hello(1, 7, 44, "here", 0, 1), "worker 7 asks for link 44, which does not start here"),
        (envelope.Hello(1, 7, LINK, "here", -1, 1), "worker 7 asks for a window of -1 items"),
    ],
)
def test_a_hello_that_cannot_be_met_is_refused_by_name(hello: envelope.Hello, sentence: str) -> None:
    network = Network(3)
    with pytest.raises(PeerError, match=sentence):
        network.sender.handle(envelope.identity(7, hello.link), [envelope.pack(hello)])
    assert network.link.credit.receivers() == []
    network.close()


PIECES = st.one_of(st.binary(max_size=30), st.integers(0, 300).map(lambda n: n.to_bytes(2, "big")))
SAID = st.sampled_from([
    envelope.Credit(1, 5, True, [envelope.Failure(0, "no", "", unread=True)], [(64, 1)]),
    envelope.Credit(2, -1, False, [envelope.Failure(9, "no", "", reject=True)], []),
    envelope.Settle([1, 2, 3]),
    envelope.Release([(64, 1), (131_136, 2)]),
    envelope.Hello(1, 10, LINK, "here", 3, 9),
    envelope.Bye(),
])  # fmt: skip


@given(said=st.lists(st.tuples(SAID, st.integers(0, 60), PIECES), max_size=12))
def test_whatever_a_known_receiver_says_the_books_balance(said: list[tuple[Any, int, bytes]]) -> None:
    network = Network(1)
    try:
        peer = network.join(0, 1 << 30)
        network.take(peer)
        for number in range(4):
            network.make(None, "src/0", number, 10, array=number % 2 == 0)
        for message, at, piece in said:
            whole = msgspec.msgpack.encode(message)
            changed = whole[:at] + piece + whole[at + len(piece) :]
            with suppress(PeerError):
                network.sender.handle(peer.name, [len(changed).to_bytes(4, "little") + changed])
            peer.in_hand.clear()  # it may have said that it is through with all that
            network.sender.flush()
        ledger = network.link.ledger
        assert ledger.sent == ledger.settled + ledger.dead + ledger.in_flight
        assert min(ledger.settled, ledger.dead, ledger.in_flight) >= 0
        peer.alive, peer.in_hand = False, {}
        network.calm()
        assert network.sender.idle
    finally:
        network.close()
