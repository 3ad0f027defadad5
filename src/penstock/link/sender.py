"""The sending end of a worker's links: owns every item until it is settled.

One ROUTER for all of them. What to send to whom a ``Link`` decides; this file does it. All methods are
called with the worker's lock held.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from penstock.errors import PeerError
from penstock.link.ledger import Cargo
from penstock.link.link import Link, faults, sooner
from penstock.link.lossy import Lossy
from penstock.link.parting import give_up, let_go
from penstock.link.peers import Peer, Peers
from penstock.link.sockets import Call, Router, give_way
from penstock.message import envelope
from penstock.message.arena import Arena
from penstock.observe import page

HURRIED = 50
"""Items between two looks from which on they come faster (under 20 us each) than single messages could
be sent: they gather until the next look, though a receiver waits."""

PATIENCE = 8
"""While an item waits for credit, its maker looks so many times more often than it would otherwise."""


class _Lone(NamedTuple):
    """Where an item that comes alone may go at once."""

    link: Link
    receiver: int
    name: bytes


class Sender:
    """The out-links of one worker."""

    def __init__(
        self,
        *,
        router: Router,
        number: int,
        arena: Arena,
        links: Sequence[Link],
        words: Any,
        clock: Callable[[], float],
        on_settled: Callable[[Any, int], None],
        bury: Callable[[Link, Cargo], bool],
        notice: Callable[[str, str], None],
        eager: bool,
    ) -> None:
        """Wire them.

        ``on_settled(parent, n)``: n items made from parent are settled. ``bury(link, cargo)`` writes a dead
        letter and says whether it is on disk. ``notice(kind, text)`` tells people. ``eager``: an item is to
        be sent at once when a receiver wants it (a source, whose next item may be long in coming);
        otherwise at the end of the batch it was made from.
        """
        self.router = router
        self.links = list(links)
        self.address = ""
        """Where receivers of other hosts come; empty: nowhere."""
        self.stride = 1
        """After so many more items, whoever makes them looks at the sockets again."""
        self._eager = eager
        self._alarmed = False
        self._number = number
        self._arena = arena
        self._words = words
        self._clock = clock
        self.on_settled = on_settled
        """Who is told; others may step in between."""
        self._bury = bury
        self._notice = notice
        self._lossy = [link for link in self.links if isinstance(link, Lossy)]
        self._telling = [link for link in self.links if link.passage is not None]
        self._ageing = [link for link in self._lossy if link.marks is not None]
        self._only = self.links[0] if len(self.links) == 1 and not self._ageing else None
        self._peers = Peers(self.links)
        self._ended = False
        self._lone: Optional[_Lone] = None
        self._ebbed: Dict[bytes, int] = {}
        self._given_up = 0

    @property
    def idle(self) -> bool:
        """Whether everything that was ever put is settled or dead."""
        return all(link.empty for link in self.links)

    @property
    def full(self) -> bool:
        """Whether a link makes its maker wait."""
        return any(link.full for link in self.links)

    @property
    def made(self) -> int:
        """Items that were ever put."""
        return sum(link.outbox.made for link in self.links)

    def next_due(self) -> Optional[float]:
        """When time alone gives a link something to do, on the clock; None: it does not."""
        found = None
        for link in self.links:
            found = sooner(found, link.next_due())
        return found

    def calls(self) -> Dict[Any, Call]:
        """What to call for its socket, to take one message."""
        return {self.router: self.take} if self.links else {}

    def take(self) -> bool:
        """Handle the next message from a receiver; whether there was one.

        Raises:
            PeerError: it is none of the protocol; nothing has changed.
        """
        received = self.router.receive()
        return received is not None and self.hear(*received)

    def hear(self, name: bytes, frames: List[Any]) -> bool:
        """``handle``, and say of whom it was what is refused."""
        try:
            self.handle(name, frames)
        except PeerError as error:
            peer = self._peers.find(name)
            who = f"worker {peer.number}, which takes {peer.link.target}'s items" if peer else "a stranger"
            raise PeerError(f"{error} (from {who})") from None
        return True

    def handle(self, name: bytes, frames: List[Any]) -> None:
        """One message from the receiver that calls itself ``name``.

        Raises:
            PeerError: it is none of the protocol; nothing has changed.
        """
        if len(frames) != 1:
            raise PeerError(f"a message of {len(frames)} frames from a receiver")
        self._lone = None  # what was known may be true no longer
        message = envelope.from_receiver(frames[0])
        kind = type(message)
        if kind is envelope.Hello:
            self._hello(name, message)  # type: ignore[arg-type]
            return
        peer = self._peers.find(name)
        if peer is not None:
            self._hear(name, peer, message)
        elif not self._peers.is_former(name):
            raise PeerError(f"a {kind.__name__.upper()} from somebody who has not said HELLO")

    def _hear(self, name: bytes, peer: Peer, message: Any) -> None:
        """What a receiver that we know has said."""
        kind = type(message)
        if kind is envelope.Credit:
            self._credit(peer, message)
        elif kind is envelope.Settle:
            for batch in message.batches:
                self._settle(peer, batch)
        elif kind is envelope.Fault:
            self._fault(peer, message)
        elif kind is envelope.Release:
            for offset, generation in message.slots:
                self._arena.returned(peer.number, offset, generation)
            for offset, generation in message.passed:
                self._arena.returned(peer.number, offset, generation, passed=True)
        elif kind is envelope.Bye:
            self._news(peer.link.close(peer.number))
            self._say_end(name, peer.link)

    def flush(self) -> bool:
        """Send what may be sent now, and note on the page how things stand. Whether items have ended here,
        dropped or buried: nobody else will say so to whoever waits for that."""
        given_up = self._given_up
        for ageing in self._ageing:
            self._drop(ageing, ageing.stale(self._clock()), ageing.ledger.outlive, ageing.too_old)
        for telling in self._telling:
            self._tell_passed(telling)
        for link in self.links:
            self._flush(link)
            self._ring(link)
            link.note(self._words)
        for lossy in self._lossy:
            self._shed(lossy)
        self._words[page.POOL] = self._arena.used
        self._lone = self._next_lone()
        return self._given_up != given_up

    def dash(self) -> bool:
        """The shortest way out for an item that comes alone: send it, if it was known beforehand to whom,
        and only then write it down. Whether that was all there is to do: it went, and the next one may.

        A process that slept finds its caches empty, and pays some 0.5 us for every function on the way."""
        lone = self._lone
        if lone is None or self.stride > HURRIED:
            return False
        link, receiver, name = lone
        segment = link.outbox.lone()
        if segment is None:
            return False
        frame = envelope.pack_lone(link.ledger.next, segment.origin, segment.first, segment.payloads[0])
        if not self.router.send(name, frame):
            return False
        give_way()
        cargo = link.outbox.take(1, 1)
        link.ledger.send(receiver, cargo, self._clock())
        link.spend(receiver, cargo)
        link.outbox.ring(1, 1)
        self._lone = self._next_lone()
        return self._lone is not None

    def _next_lone(self) -> Optional[_Lone]:
        """To whom an item that comes alone may be sent, as things stand."""
        link = self._only
        if self._alarmed or link is None or not link.lone:
            return None
        if link.tap is not None or link.ledger.next_due() is not None:
            return None
        offer = link.credit.offer(1)
        return None if offer is None else _Lone(link, offer.receiver, self._peers.name(offer.receiver, link))

    def lose(self, peer: int, cause: str, blame: Optional[Tuple[int, int, int]]) -> None:
        """A receiver has ended. ``blame``: the link, batch and index of the item it was working on."""
        self._peers.lose(peer)
        self._lone = None
        for link in self.links:
            self._news(link.leave(peer))
            mine = (blame[1], blame[2]) if blame is not None and blame[0] == link.id else None
            self._bury_all(link, link.ledger.lose(peer, cause, mine, self._clock()))
            if link.passage is not None:
                link.passage.lose(peer)
        self._arena.forget(peer)

    def look_again(self) -> None:
        """Forget what was known beforehand: somebody wants to see from now on what goes out."""
        self._lone = None

    def alarm(self, *, on: bool = True) -> None:
        """Have whoever makes items look at the sockets after every one: there is news for it. Or no more."""
        self._alarmed = on
        self._lone = None

    def ebb(self) -> None:
        """Nothing more is made here: tell the receivers of each link, once all that went by it is finished.
        What goes out again takes that back, and then they are told again."""
        for name, peer in self._peers:
            link, number = peer.link, peer.link.ledger.next
            if self._ebbed.get(name) != number and not link.unfinished:
                self._ebbed[name] = number
                self.router.send(name, envelope.pack(envelope.Dry()))

    def end(self) -> None:
        """Tell the receivers that this was all. Twice is fine."""
        if self._ended:
            return
        self._ended = True
        for name, peer in self._peers:
            self._say_end(name, peer.link)

    def _say_end(self, name: bytes, link: Link) -> None:
        ledger = link.ledger
        self.router.send(name, envelope.pack(envelope.End(ledger.sent, ledger.settled, ledger.dead)))

    def _hello(self, name: bytes, hello: envelope.Hello) -> None:
        joined = self._peers.join(name, hello)
        if joined is None:
            return
        self._news(joined[1])
        welcome = envelope.Welcome(envelope.VERSION, self._number, self._shown(name))
        self.router.send(name, envelope.pack(welcome))

    def _shown(self, name: bytes) -> str:
        """The arena, as it is told a receiver."""
        return self._arena.path

    def _credit(self, peer: Peer, credit: envelope.Credit) -> None:
        link = peer.link
        for offset, generation in credit.releases:
            self._arena.returned(peer.number, offset, generation)
        stale = credit.stale if isinstance(link, Lossy) and link.marks is not None else 0
        failed, now = faults(credit.failures), self._clock()
        cargo, dying = link.ledger.finish(peer.number, credit.batch, failed, now, stale)
        if cargo is None:
            return
        if stale and isinstance(link, Lossy):
            self._tell(link, link.too_old)
        link.regain(peer.number, cargo, credit.busy)
        for failure in credit.failures:
            if failure.unread and cargo.slots is not None and 0 <= failure.index < len(cargo):
                for slot in cargo.slots[failure.index]:
                    slot.returned(peer.number)
            if failure.error:  # of what several items share, one says it
                self._notice("failure", f"{link.target}: {failure.error}")
        self._bury_all(link, dying)
        if credit.settled:
            self._settle(peer, credit.batch)

    def _fault(self, peer: Peer, fault: envelope.Fault) -> None:
        """Items of a finished batch have failed, when their turn had come."""
        link = peer.link
        dying = link.ledger.fail(peer.number, fault.batch, faults(fault.failures), self._clock())
        for failure in fault.failures:
            if failure.error:
                self._notice("failure", f"{link.target}: {failure.error}")
        self._bury_all(link, dying)

    def _settle(self, peer: Peer, batch: int) -> None:
        passage = peer.link.passage
        if batch < 0 and passage is not None:
            for word in passage.settle(peer.number, batch):
                if word.parent is not None:
                    self.on_settled(word.parent, word.weight)
            return
        done = peer.link.ledger.settle(peer.number, batch)
        if done is not None:
            let_go(done, self.on_settled)

    def _tell_passed(self, link: Link) -> None:
        """Say what ids never arrive: to anybody, and without credit."""
        passage = link.passage
        assert passage is not None
        while passage.gather():
            receiver = link.credit.listener()
            if receiver is None:
                return
            number, ids = passage.send(receiver)
            frame = envelope.pack(envelope.Passed(number, ids))
            if not self.router.send(self._peers.name(receiver, link), frame):
                self._news(link.close(receiver))
                passage.unsent(number)

    def _bury_all(self, link: Link, dying: List[Cargo]) -> None:
        for cargo in dying:
            if self._bury(link, cargo):
                link.ledger.buried(cargo)
                self._given_up += 1
                give_up(link, cargo, self.on_settled)
            else:
                link.ledger.not_buried(cargo, self._clock() + 1.0)

    def _flush(self, link: Link) -> None:
        if link.ledger.next_burial() is not None:
            self._bury_all(link, link.ledger.take_unburied(self._clock()))
        while True:
            dispatch = link.next_batch(self._clock)
            if dispatch is None:
                break
            self._send(link, *dispatch)
        link.limit, link.outbox.heavy_limit = link.credit.backlog(), link.credit.heavy()

    def _news(self, text: str) -> None:
        """Tell people, if there is something to tell."""
        if text:
            self._notice("moved", text)

    def _shed(self, link: Lossy) -> None:
        """Drop what is too much for a link that drops."""
        self._drop(link, link.surplus(), link.ledger.drop, link.too_slow)
        link.widen(self.stride)
        self._ring(link)
        link.note(self._words)

    def _drop(self, link: Lossy, cargos: Iterable[Cargo], book: Callable[[Cargo], None], why: str) -> None:
        for cargo in cargos:
            book(cargo)
            self._given_up += 1
            give_up(link, cargo, self.on_settled)
            self._tell(link, why)

    def _tell(self, link: Lossy, sentence: str) -> None:
        """That something was dropped, where that is news."""
        if link.begins(sentence, self._clock()):
            self._notice("dropped", sentence)

    def _ring(self, link: Link) -> None:
        """When whoever makes items is to look at the sockets again."""
        if self._alarmed:
            link.outbox.ring(0, 0)
        elif not self._eager or self.stride > HURRIED:
            link.outbox.ring(link.limit, self.stride)
        else:
            link.outbox.ring(min(link.limit, link.credit.trigger()), max(1, self.stride // PATIENCE))

    def _send(self, link: Link, receiver: int, cargo: Cargo) -> None:
        if link.tap is not None:
            link.tap(cargo)
        number = link.ledger.send(receiver, cargo, self._clock())
        frame = envelope.pack_batch(number, cargo.attempt, cargo.ids(), cargo.payloads, cargo.expires)
        name = self._peers.name(receiver, link)
        for slots in cargo.slots or ():
            for slot in slots:
                slot.lend(receiver)
                link.shared += slot.size
        if self.router.send(name, frame, cargo.frames):
            link.spend(receiver, cargo)
        else:
            # Its end of the socket is gone, and the supervisor will say so; until then nothing for it.
            self._news(link.close(receiver))
            link.ledger.unsent(receiver, number, self._clock())
