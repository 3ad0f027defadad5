"""A sender's real decisions and envelopes, receivers that misbehave, and wires in between that only queue."""

from __future__ import annotations

import os
import tempfile
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.link.credit import NEVER
from penstock.link.ledger import Cargo
from penstock.link.link import Link
from penstock.link.lossy import Lossy
from penstock.link.outbox import Extras
from penstock.link.sender import Sender
from penstock.message import envelope
from penstock.message.arena import Arena, Slot, slot_header
from penstock.message.codec import Decoder, Encoder
from penstock.observe import page

LINK = 3
FEW = 4
"""Batches that a receiver of no window is sent before it has finished any."""

MARK = 32
"""Bytes at the beginning of a slot that say whose it is."""


@dataclass
class Batch:
    """One delivery, as its receiver sees it."""

    number: int
    attempt: int
    items: list[str]
    expires: int


@dataclass
class Peer:
    """A receiver: a program of ours in a process that may die."""

    number: int
    window: int
    window_bytes: int
    to_it: deque[tuple[bytes, Sequence[bytes]]] = field(default_factory=deque)
    from_it: deque[bytes] = field(default_factory=deque)
    queue: deque[Batch] = field(default_factory=deque)
    unsettled: list[int] = field(default_factory=list)
    views: list[tuple[str, envelope.SlotRef]] = field(default_factory=list)
    in_hand: dict[int, tuple[list[str], int]] = field(default_factory=dict)
    """Batches that the sender has not been given credit for: their items, and their bytes."""
    alive: bool = True
    missed: bool = False
    """It is dead, and the sender's sockets have noticed."""
    gone: bool = False
    """It is dead, and the sender has been told."""
    blame: tuple[int, int] | None = None
    ended: bool = False
    """It was told that nothing more will come."""

    @property
    def name(self) -> bytes:
        return b"%d.%d" % (self.number, LINK)

    def say(self, message: Any) -> None:
        self.from_it.append(envelope.pack(message))

    def read(self) -> None:
        """Take the next message from the sender."""
        frame, _ = self.to_it.popleft()
        message, body = envelope.from_sender(frame)
        if isinstance(message, envelope.Batch):
            assert not self.ended or message.attempt > 1, "nothing new after END"
            values = Decoder().values(body, count=message.count)
            ids = [f"{origin}:{first + n}" for origin, first, count in message.ids for n in range(count)]
            assert [value["id"] for value in values] == ids
            self.queue.append(Batch(message.batch, message.attempt, ids, message.expires))
        elif isinstance(message, envelope.End):
            self.ended = True


class Network:
    """One link from one sender; also the sender's router, its clock, its disk and its arena."""

    def __init__(
        self, max_failures: int, on_full: str = "block", depth: int = 0, max_age: float | None = None
    ) -> None:
        self.now = 1000.0
        self.max_failures = max_failures
        self.disk_full = False
        self.peers: dict[int, Peer] = {}
        self.parents: dict[str, object] = {}
        self.owed: Counter[object] = Counter()
        """Items of each parent that are not settled."""
        self.slots: dict[str, Slot] = {}
        self.sizes: dict[str, int] = {}
        self.buried: list[str] = []
        self.done: set[str] = set()
        self.attempts: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        folder = tempfile.mkdtemp(prefix="pt-")
        self.arena = Arena(os.path.join(folder, "arena"), 1 << 20)
        self.link = self.kind_of_link(on_full, depth, max_age)
        self.told: list[tuple[str, str]] = []
        self.words = [0] * page.WORDS
        self.sender = Sender(
            router=self,  # type: ignore[arg-type]
            number=1,
            arena=self.arena,
            links=[self.link],
            words=self.words,
            clock=lambda: self.now,
            on_settled=self.on_settled,
            bury=self.bury,
            notice=lambda kind, text: self.told.append((kind, text)),
            eager=True,
        )

    def kind_of_link(self, on_full: str, depth: int, max_age: float | None) -> Link:
        fields: dict[str, Any] = {"id": LINK, "target": "work", "max_failures": self.max_failures}
        fields["word"] = page.link_word(0, 0)
        if on_full == "block" and max_age is None:
            return Link(**fields)
        return Lossy(**fields, on_full=on_full, window=depth, max_age=max_age)

    def close(self) -> None:
        self.arena.map.close()
        self.arena.close()
        os.rmdir(os.path.dirname(self.arena.path))

    # What the sender has of the world.

    def send(self, name: bytes, frame: bytes, arrays: Sequence[bytes] = ()) -> bool:
        peer = next(peer for peer in self.peers.values() if peer.name == name)
        assert not peer.gone, "nothing is sent to one that is known to be dead"
        if peer.missed:
            return False
        peer.to_it.append((frame, arrays))
        message, _ = envelope.from_sender(frame)
        if isinstance(message, envelope.Batch):
            self.hand_over(peer, message, arrays)
        return True

    def hand_over(self, peer: Peer, batch: envelope.Batch, arrays: Sequence[bytes]) -> None:
        """Hold a batch against what may be sent."""
        ids = [f"{origin}:{first + n}" for origin, first, count in batch.ids for n in range(count)]
        for id in ids:
            self.attempts[id] += 1
            assert batch.attempt == self.attempts[id], "how often it was delivered, this time included"
        assert not batch.expires or batch.attempt > 1 or batch.expires > self.now * 1e9, "none is too old"
        assert batch.attempt == 1 or len(ids) == 1, "what is delivered again travels alone"
        assert not arrays or len(ids) == 1, "what has frames travels alone"
        peer.in_hand[batch.batch] = (ids, sum(self.sizes[id] for id in ids))
        held = sum(len(items) for items, _ in peer.in_hand.values())
        if peer.window:
            assert held <= peer.window
        else:
            assert len(peer.in_hand) <= FEW
        nbytes = sum(nbytes for _, nbytes in peer.in_hand.values())
        assert nbytes <= peer.window_bytes or len(ids) == 1

    def on_settled(self, parent: object, items: int) -> None:
        assert items > 0
        self.owed[parent] -= items
        assert self.owed[parent] >= 0, "nothing is settled twice"

    def bury(self, link: Link, cargo: Cargo) -> bool:
        assert link is self.link
        run = cargo.run_at(0)
        if self.disk_full:
            return False
        self.buried.append(f"{run.origin}:{run.first}")
        return True

    # What the maker of items does.

    def make(self, parent: object, origin: str, number: int, size: int, *, array: bool) -> None:
        id = f"{origin}:{number}"
        payload = Encoder(None).encode({"id": id, "rest": b"." * size})
        extras = self.extras(id) if array else None
        self.sizes[id] = len(payload) + (extras.nbytes if extras else 0)
        self.parents[id] = parent
        if parent is not None:
            self.owed[parent] += 1
        self.link.toward(number)(parent, origin, number, payload, extras)

    def extras(self, id: str) -> Extras:
        slot = self.arena.take(100_000)
        if slot is None:
            return Extras((), (b"a frame",), 7)
        self.slots[id] = slot
        self.arena.map[slot.offset : slot.offset + MARK] = self.mark(id)
        return Extras((slot,), (), slot.size)

    @staticmethod
    def mark(id: str) -> bytes:
        return id.encode().ljust(MARK)

    # What receivers do.

    def join(self, window: int, window_bytes: int, replica: int | None = None) -> Peer:
        peer = Peer(len(self.peers) + 10, window, window_bytes)
        self.peers[peer.number] = peer
        replica = peer.number % 7 if replica is None else replica
        peer.say(
            envelope.Hello(envelope.VERSION, peer.number, LINK, "here", window, window_bytes, 0, replica)
        )
        return peer

    def work(
        self, peer: Peer, failures: Sequence[envelope.Failure], *, settled: bool, keeps_views: bool
    ) -> None:
        """Finish the oldest batch: see its arrays, say CREDIT."""
        batch = peer.queue.popleft()
        failures = [failure for failure in failures if failure.index < len(batch.items)]
        unread = {failure.index for failure in failures if failure.unread}
        seen = [
            (id, (self.slots[id].offset, self.slots[id].generation))
            for place, id in enumerate(batch.items)
            if id in self.slots and place not in unread
        ]
        self.see(seen)
        releases = [] if keeps_views else [ref for _, ref in seen]
        if keeps_views:
            peer.views += seen
        failed = {failure.index for failure in failures}
        finished = [id for place, id in enumerate(batch.items) if place not in failed]
        stale = len(finished) if batch.expires and batch.expires <= self.now * 1e9 else 0
        self.done.update(finished[stale:])
        busy = 1000 * len(batch.items)
        peer.say(envelope.Credit(batch.number, busy, settled, list(failures), releases, stale))
        if not settled:
            peer.unsettled.append(batch.number)

    def see(self, views: Sequence[tuple[str, envelope.SlotRef]]) -> None:
        """What lies in shared memory is what was put there, as long as anybody looks."""
        for id, (offset, generation) in views:
            assert slot_header(self.arena.map, offset)[0] == generation
            assert self.arena.map[offset : offset + MARK] == self.mark(id)

    def release(self, peer: Peer, views: int) -> None:
        released, peer.views = peer.views[:views], peer.views[views:]
        peer.say(envelope.Release([ref for _, ref in released]))

    def settle(self, peer: Peer, batches: int) -> None:
        said, peer.unsettled = peer.unsettled[:batches], peer.unsettled[batches:]
        peer.say(envelope.Settle(said))

    def die(self, peer: Peer, place: int | None) -> None:
        """``place``: of the item it was working on."""
        peer.alive = False
        if peer.queue and place is not None:
            peer.blame = (peer.queue[0].number, place % len(peer.queue[0].items))

    def can(self, peer: Peer, move: str) -> bool:
        """Whether there is something of that kind to do."""
        if move == "take":
            return bool(peer.from_it)
        has = {"read": peer.to_it, "work": peer.queue, "settle": peer.unsettled, "release": peer.views}
        return peer.alive and bool(has.get(move))

    def move(self, peer: Peer, move: str) -> None:
        """Do a bit of it."""
        if move == "take":
            self.take(peer)
        elif move == "read":
            peer.read()
        elif move == "work":
            self.work(peer, [], settled=bool(peer.queue[0].number % 2), keeps_views=True)
        elif move == "settle":
            self.settle(peer, 2)
        elif move == "release":
            self.release(peer, 2)

    # What the sender does.

    def take(self, peer: Peer) -> None:
        """Read the next message of a receiver, dead or alive."""
        self.hear(peer, peer.from_it.popleft())

    def hear(self, peer: Peer, frame: bytes) -> None:
        message = envelope.from_receiver(frame)
        if isinstance(message, envelope.Credit) and not peer.gone:
            ids, _ = peer.in_hand.pop(message.batch, ([], 0))
            failed = {f.index for f in message.failures if not f.unread or len(ids) == 1}
            self.failures.update(id for place, id in enumerate(ids) if place in failed)
        self.sender.handle(peer.name, [frame])

    def tell(self, peer: Peer) -> None:
        """The supervisor says that it is dead."""
        if peer.blame is not None and peer.blame[0] in peer.in_hand:
            self.failures[peer.in_hand[peer.blame[0]][0][peer.blame[1]]] += 1
        peer.gone = peer.missed = True
        self.sender.lose(peer.number, "work/0 killed (SIGKILL)", (LINK, *peer.blame) if peer.blame else None)
        peer.in_hand.clear()
        peer.views.clear()

    def idles(self) -> bool:
        """Whether something waits though there is credit for it."""
        waits = NEVER - 1 if self.link.ledger.due(self.now) else self.link.waiting
        return bool(waits) and self.link.credit.offer(waits) is not None

    # The world calms.

    def calm(self) -> None:
        """No more deaths, a disk with room, and one receiver that does what it is given."""
        self.disk_full = False
        for peer in self.peers.values():
            if not peer.alive and not peer.gone:
                self.tell(peer)
        self.join(0, 1 << 40)
        for _ in range(100_000):
            if not self.round() and self.sender.next_due() is None:
                return
        raise AssertionError("it never comes to rest")

    def round(self) -> bool:
        """Everybody does what there is to do; whether there was anything."""
        self.now = max(self.now, self.sender.next_due() or 0.0)
        self.sender.flush()
        busy = False
        for peer in list(self.peers.values()):
            while peer.from_it:
                self.take(peer)
                busy = True
            while peer.alive and peer.to_it:
                peer.read()
                busy = True
            while peer.alive and peer.queue:
                self.work(peer, [], settled=False, keeps_views=True)
            if peer.alive and (peer.unsettled or peer.views):
                self.settle(peer, len(peer.unsettled))
                self.release(peer, len(peer.views))
                busy = True
        return busy
