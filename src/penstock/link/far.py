"""Both ends of a connection to another host: as those within a host, with a session between."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

from penstock.errors import PeerError
from penstock.link.packer import HEAVY, Packer, Word
from penstock.link.session import Session
from penstock.link.sockets import Router
from penstock.link.tcp import Watch
from penstock.link.trip import Trip
from penstock.message import head, packing
from penstock.message.envelope import Batch
from penstock.message.freight import Frames, Freight
from penstock.message.head import HEARD, RESUME, WORD, Head


class FarRouter:
    """The door of a sender to receivers of other hosts."""

    def __init__(self, router: Router, clock: Callable[[], float] = time.monotonic) -> None:
        self.socket = router
        self._clock = clock
        self._sessions: Dict[bytes, Session] = {}
        self._lost: Set[bytes] = set()
        self._packers: Dict[bytes, Packer] = {}
        self.trips: Dict[bytes, Trip] = {}
        """How long the way is to each."""
        self.cut: Set[bytes] = set()
        """Those to whom nothing can be sent as things stand. What was said to them is kept."""

    def __contains__(self, name: bytes) -> bool:
        return name in self._sessions

    def receive(self) -> Optional[Tuple[bytes, List[Any]]]:
        """The next message: of whom, and its frames; none where somebody has come back.

        Raises:
            PeerError: it is none of the protocol.
        """
        received = self.socket.receive()
        if received is None or received[0] in self._lost:
            return None
        name, frames = received
        found = head.read(frames)
        session = self._sessions.get(name)
        if session is None:
            session = self._sessions[name] = Session()
            self.trips[name] = Trip()
        if found.kind == RESUME:
            session.heard_up_to(found.heard)
            self._say_again(name, session)
            return name, []
        news = found.kind == WORD and session.hear(found.number, found.heard)
        session.heard_up_to(found.heard)
        self.trips[name].heard(found.heard, self._clock())
        if name in self._packers:
            self._packers[name].heard(found.heard)
        return (name, frames[1:]) if news else None

    def pack(self, name: bytes, packer: Packer) -> None:
        """From now on, pack by that what is sent there."""
        self._packers[name] = packer

    def send(self, name: bytes, frame: bytes, arrays: Sequence[Any] = ()) -> bool:
        """Whether it is on its way; if not, it goes as soon as there is one."""
        session = self._sessions[name]
        frames, packer = [frame, *arrays], self._packers.get(name)
        word = Word(frames) if packer is None else packer.pack(frames)
        number = session.say(word)
        self.trips[name].said(number, self._clock())
        if packer is not None:
            packer.said(number, word)
        if not self._put(name, number, session, word):
            self.cut.add(name)
        return name not in self.cut

    def lose(self, name: bytes) -> None:
        """Whoever calls itself so is dead to us: it is not answered any more."""
        self._sessions.pop(name, None)
        self._packers.pop(name, None)
        self.trips.pop(name, None)
        self.cut.discard(name)
        self._lost.add(name)

    def _say_again(self, name: bytes, session: Session) -> None:
        self.cut.discard(name)
        self.trips[name].renew()
        if name in self._packers:
            self._packers[name].resume()
        sent = self.socket.send(name, head.pack(Head(RESUME, 0, session.heard)))
        for number, word in session.missing():
            sent = sent and self._put(name, number, session, word)
        if not sent:
            self.cut.add(name)

    def _put(self, name: bytes, number: int, session: Session, word: Word) -> bool:
        first = Head(WORD, number, session.heard, word.packing, list(word.sizes))
        return self.socket.send(name, head.pack(first), word.frames)


class FarDealer:
    """A receiver's end of one connection to a sender of another host."""

    def __init__(
        self,
        dealer: Any,
        watch: Watch,
        ways: Sequence[str] = (),
        *,
        prompt: bool = False,
        tell: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """``ways``: how what comes may be packed. ``prompt``: say at once that a long word has come. ``tell``
        is called when nobody has answered for too long (False), and when somebody does again (True)."""
        self._dealer = dealer
        self.raw = dealer.raw
        self.watch = watch
        self._session = Session()
        self._ways = ways
        self._prompt = prompt
        self._tell = tell
        self._answers = True
        """As far as was told."""

    def receive(self) -> Optional[List[Any]]:
        """The next message, if one is there that is news.

        Raises:
            PeerError: it is none of the protocol.
        """
        frames = self._dealer.receive()
        if frames is None:
            return None
        found, session = head.read(frames), self._session
        if found.kind == RESUME:
            session.heard_up_to(found.heard)
            for number, frames in session.missing():
                self._put(Head(WORD, number, session.heard), *frames)
            return None
        if found.kind != WORD or not session.hear(found.number, found.heard):
            return None
        if self._prompt and sum(map(len, frames)) >= HEAVY:
            self._dealer.send(head.pack(Head(HEARD, 0, session.heard)))
        return packing.unpack(found.packing, found.sizes, frames[1:], self._ways)

    def send(self, frame: bytes, arrays: Sequence[Any] = ()) -> bool:
        """There is always room: what cannot go now goes when the connection is back."""
        session, frames = self._session, (frame, arrays)
        self._put(Head(WORD, session.say(frames), session.heard), *frames)
        return True

    @property
    def waits(self) -> bool:
        """Whether a message has come that nobody has taken."""
        return bool(self._dealer.waits)

    def descriptor(self) -> int:
        """As of ``Socket``."""
        return int(self._dealer.descriptor())

    def look(self) -> None:
        """There may be a new connection: then what was lost with the old one is asked for.

        Raises:
            PeerError: the other end does not let us in.
        """
        if self.watch.look() and self.watch.connections > 1:
            self._dealer.send(head.pack(Head(RESUME, 0, self._session.heard)))
        if self._answers == self.watch.unanswered:
            self._answers = not self._answers
            self._tell(self._answers)

    def close(self) -> None:
        """The peer is gone."""
        self.watch.close()
        self._dealer.close()

    def _put(self, first: Head, frame: bytes, arrays: Sequence[Any]) -> None:
        self._dealer.say(head.pack(first), frame, arrays)


class Landing:
    """What becomes of a batch that has come from another host, before anybody takes it for one of our own."""

    def __init__(self, clock: Callable[[], float], ways: Sequence[str] = ()) -> None:
        """``ways``: how what comes may be packed, which the sender is told."""
        self._clock = clock
        self.ways = list(ways)
        self.source = Freight()

    def adopt(self, batch: Batch, frames: List[Any]) -> Tuple[int, Frames]:
        """When its items become too old, on our own clock, and its frames.

        Raises:
            PeerError: its frames are not those that it says.
        """
        if batch.expires < 0:
            raise PeerError(f"items that were too old {-batch.expires} ns before they came")
        expires = int(self._clock() * 1e9) + batch.expires if batch.expires else 0
        return expires, Frames(frames, batch.slots)
