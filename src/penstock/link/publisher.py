"""Who publishes: a bound ROUTER, and a thread that hears what subscribers say.

Not XPUB, because that drops in silence at its high-water mark, filters by prefix alone and loses what is
said before a subscription has arrived. Here each subscriber has a ``Mailing``: publishing never waits, and
nothing is dropped uncounted.

``publish`` may be called from any thread. It is all under one lock, with the sockets; the thread sleeps
until a subscriber has said something.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import OrderedDict
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Tuple

from penstock.errors import PeerError, PenstockError, UserError
from penstock.link import noticeboard
from penstock.link.mailing import Mailing, Note
from penstock.link.noticeboard import Bye, Done, Head, Hear
from penstock.message import topics
from penstock.message.parcel import Packer, Parcel
from penstock.observe.tally import AT, BYTES, PUBLISHED, Tally

MOST_KEPT = 10_000
"""Topics whose last value is kept; the oldest goes."""
MOST_TOPICS = 100_000
"""Topics that one publisher may have."""


class _Topic(NamedTuple):
    """One topic that was published."""

    row: Any
    mailings: List[Tuple[Mailing, Any]]
    """Who wants it, with the row in which that is counted."""


class Publisher:
    """All that one process publishes in one run."""

    def __init__(
        self,
        router: Any,
        tally: Tally,
        *,
        expected: Iterable[Mailing] = (),
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        """``router``: bound, and nobody else's; a ``Router`` or a ``WideRouter``. ``expected``: subscribers
        that are sure to come: what they want waits for them. ``on_idle()`` is called, with our lock
        held, when what ``is_settled`` has denied has become so."""
        self.refused = 0
        """Words of subscribers that were none."""
        self._router = router
        self._tally = tally
        self._packer = Packer()
        self._mailings: Dict[str, Mailing] = {each.name: each for each in expected}
        self._peers: Dict[bytes, Mailing] = {}
        self._topics: Dict[str, _Topic] = {}
        self._kept: OrderedDict[str, Tuple[int, Parcel]] = OrderedDict()
        self._on_idle = on_idle
        self._awaited = self._outside = False
        """Somebody waits until all have got everything."""
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._closed = False
        self._woken, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._listen, name="penstock-topics", daemon=True)
        self._thread.start()

    def publish(self, topic: str, value: Any, *, last: bool = False) -> None:
        """Give ``value`` to whoever wants ``topic``. Does not wait.

        Args:
            topic: ``metrics.loss``.
            value: Anything that travels; it is encoded before this returns.
            last: Keep it, until the next of its topic, for those who come later and ask for it.

        Raises:
            UserError: it is no topic, or there are too many.
            UnsupportedType: ``value`` does not travel.
            PenstockError: this process was forked from the one that publishes.
        """
        if os.getpid() != self._pid:  # before the lock: whoever had it is not here to let go of it
            raise PenstockError(
                "nothing can be published here: this process was forked from the one that does"
            )
        with self._lock:
            known = self._topics.get(topic) or self._learn(topic, value)
            row = known.row
            parcel = self._packer.packed(value) if known.mailings or last else None
            row[PUBLISHED] += 1
            row[AT] = time.monotonic_ns()
            if parcel is None:
                return
            at = time.time_ns()
            said = note(Head(topic, at), parcel)
            row[BYTES] += said.size
            if last:
                self._keep(topic, at, parcel)
            for mailing, counted in tuple(known.mailings):
                mailing.offer(said, counted)
                self._send(mailing)
            self._hear()

    def _learn(self, topic: str, value: Any) -> _Topic:
        """Its first value is encoded in any case: code that publishes what cannot travel hears of it, though
        nobody hears the value. (For each, that would cost more than all the rest.)"""
        topics.written(topic)
        if self._closed:
            raise PenstockError("nothing can be published here any more: this process is ending")
        if len(self._topics) >= MOST_TOPICS:
            raise UserError(
                f"{topic!r:.80} would be one topic more than {MOST_TOPICS:,}: put what differs into the value"
            )
        self._packer.packed(value)
        found = _Topic(self._tally.row(topic), [])
        self._topics[topic] = found
        for mailing in self._mailings.values():
            self._enter(topic, found, mailing)
        return found

    def _enter(self, topic: str, known: _Topic, mailing: Mailing) -> None:
        if mailing.wants(topic):
            known.mailings.append((mailing, self._tally.row(topic, mailing.name)))

    def _keep(self, topic: str, at: int, parcel: Parcel) -> None:
        self._kept[topic] = at, parcel
        self._kept.move_to_end(topic)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    def _send(self, mailing: Mailing) -> None:
        for each in mailing.take():
            if not self._router.send(mailing.peer, each.frame, each.arrays):
                self._lose(mailing)
                return

    def _lose(self, mailing: Mailing) -> None:
        """Its socket is gone. One of the run comes again."""
        self._peers.pop(mailing.peer, None)
        if mailing.inside:
            mailing.leave()
        else:
            self._forget(mailing)

    def _forget(self, mailing: Mailing) -> None:
        mailing.end()
        if self._mailings.pop(mailing.name, None) is not None:
            for known in self._topics.values():
                known.mailings[:] = [each for each in known.mailings if each[0] is not mailing]

    # What subscribers say --------------------------------------------------------------------------------

    def _hear(self) -> None:
        """All that has come; until there is nothing, or nobody would be told of it."""
        while self._hear_one():
            pass
        if self._awaited:
            self._tell_idle()

    def _hear_one(self) -> bool:
        try:
            found = self._router.receive()
            if found is not None:
                self._obey(found[0], noticeboard.word(found[1]))
        except PeerError:
            self.refused += 1
            return True
        return found is not None

    def _obey(self, peer: bytes, word: noticeboard.Word) -> None:
        if isinstance(word, Hear):
            self._welcome(peer, word)
            return
        mailing = self._peers.get(peer)
        if mailing is None:
            return  # its HEAR was refused, or it is taken for dead
        if isinstance(word, Bye):
            self._peers.pop(peer)
            self._forget(mailing)
        elif isinstance(word, Done):
            if not mailing.done(word.total):
                raise PeerError("more is done than was sent")
            self._send(mailing)

    def _welcome(self, peer: bytes, asked: Hear) -> None:
        if asked.version != noticeboard.VERSION or asked.depth < 1:
            raise PeerError(f"a subscriber of version {asked.version}")
        mailing = self._mailings.get(asked.name)
        if mailing is None:
            mailing = self._new(asked)
        self._peers.pop(mailing.peer, None)
        mailing.arrive(peer)
        self._peers[peer] = mailing
        if asked.last:
            self._offer_kept(mailing)
        self._send(mailing)

    def _offer_kept(self, mailing: Mailing) -> None:
        """The last values of topics of which nothing newer waits for it."""
        waiting = mailing.waiting_topics
        for topic, (at, parcel) in self._kept.items():
            if topic not in waiting and mailing.wants(topic):
                kept = note(Head(topic, at, kept=True), parcel)
                mailing.offer(kept, self._tally.row(topic, mailing.name))

    def _new(self, asked: Hear) -> Mailing:
        try:
            wanted = topics.asked(asked.topics)
        except PenstockError as error:
            raise PeerError(str(error)) from None
        found = Mailing(asked.name, wanted, conflate=asked.conflate, depth=asked.depth, inside=asked.inside)
        self._mailings[asked.name] = found
        for topic, known in self._topics.items():
            self._enter(topic, known, found)
        return found

    def lose(self, name: str, peer: str, *, again: bool) -> None:
        """The subscriber of that name, whose sockets were called ``peer``, has ended. ``again``: another one
        comes in its place, or is there already."""
        with self._lock:
            self._router.lose(peer.encode())
            mailing = self._mailings.get(name)
            if mailing is not None and mailing.peer in {b"", peer.encode()}:
                self._peers.pop(mailing.peer, None)
                if again:
                    mailing.leave()
                else:
                    self._forget(mailing)
            if self._awaited:
                self._tell_idle()

    def is_settled(self, *, outside: bool = False) -> bool:
        """Whether those of the run have got everything, or ``outside``: all; if not, ``on_idle`` tells."""
        with self._lock:
            self._hear()
            self._awaited, self._outside = not self._is_idle(outside=outside), outside
            return not self._awaited

    @property
    def awaited(self) -> str:
        """For whom those of the run that have not got everything are waited for, in words."""
        with self._lock:
            late = [each for each in self._mailings.values() if each.inside and not each.idle]
            return ", ".join(f"{each.name} to take {each.waits + each.on_way:,} values" for each in late)

    def _is_idle(self, *, outside: bool) -> bool:
        return all(each.idle for each in self._mailings.values() if each.inside or outside)

    def _tell_idle(self) -> None:
        if self._is_idle(outside=self._outside):
            self._on_idle()

    def _listen(self) -> None:
        """In its own thread."""
        poll = select.poll()
        for each in (*self._router.descriptors(), self._woken):
            poll.register(each, select.POLLIN)
        while True:
            with self._lock:
                if self._closed:
                    return
                self._hear()
            poll.poll()

    def close(self) -> None:
        """Publish no more; what is on its way stays counted so."""
        with self._lock:
            self._closed = True
            self._topics.clear()
        os.write(self._wake, b"!")
        self._thread.join(2.0)
        if not self._thread.is_alive():
            os.close(self._woken)
            os.close(self._wake)
        self._router.close()


def note(head: Head, parcel: Parcel) -> Note:
    """A packed value as it travels."""
    if isinstance(parcel, bytes):
        frame = noticeboard.headed(head, parcel)
        return Note(head.topic, frame, (), len(frame))
    _, body, *arrays = parcel
    frame = noticeboard.headed(head, body)
    return Note(head.topic, frame, arrays, len(frame) + sum(map(len, arrays)))
