"""The receiving end of a worker's links: asks for work by credit, and settles it.

One DEALER per sender and link. A batch is *finished* when user code is through with it (that gives the
credit back) and *settled* when all that was made from it has been settled downstream. All methods are
called with the worker's lock held, except that ``Inbound.emitted`` is counted by the main thread alone.
"""

from __future__ import annotations

import functools
import socket
import time
from collections import deque
from typing import Any, Callable, Container, Deque, Dict, Iterable, List, Optional, Tuple

import msgspec

from penstock.errors import PeerError
from penstock.link.sockets import Context
from penstock.message import envelope
from penstock.message.arena import Mapping
from penstock.message.source import Source
from penstock.message.views import View, Views
from penstock.observe import page

HOST = socket.gethostname()

PATIENCE = 10.0
"""Seconds for which a sender is waited for that is still to come, or to come back, before those that are
there count as all. (Whoever was started again cannot know whether others have finished meanwhile.)"""

TRACEBACKS = 4 * 1024 * 1024
"""Characters of tracebacks in one CREDIT. Where thousands of items fail at once, each says less."""


class Connection:
    """One sender this worker takes from."""

    def __init__(self, *, dealer: Any, link: int, peer: int, label: str, word: int) -> None:
        self.dealer = dealer
        self.link = link
        self.peer = peer
        self.label = label
        self.word = word
        self.source = Source(None, None)
        self.settles: List[int] = []
        self.releases: List[envelope.SlotRef] = []
        self.passed: List[envelope.SlotRef] = []
        """Releases of what was passed on."""
        self.open = True
        self.ended = False
        """Whether the sender has said that nothing more will come."""
        self.dry = False
        """Whether the sender has said that it has nothing more, and has sent nothing since."""
        self.landing: Any = None
        """Of a sender on another host: what becomes of its batches (see ``far.Landing``)."""

    def say(self, message: Any) -> None:
        """Send one envelope; to a sender that is gone it makes no difference."""
        self.dealer.send(envelope.pack(message))


class Inbound:
    """A batch that was received and is not yet settled."""

    __slots__ = (
        "attempt",
        "body",
        "connection",
        "count",
        "emitted",
        "ended",
        "expires",
        "finished",
        "frames",
        "ids",
        "number",
        "passed",
        "settled",
    )

    def __init__(self, connection: Connection, batch: envelope.Batch, body: Any, frames: List[Any]) -> None:
        self.connection = connection
        self.number = batch.batch
        self.attempt = batch.attempt
        self.ids = batch.ids
        self.count = batch.count
        self.expires = batch.expires
        """From when on its items are not to be begun, in ns; 0: never."""
        self.body = body
        self.frames = frames
        self.emitted = 0
        """Items made from it."""
        self.settled = 0
        """Of these, the settled ones."""
        self.finished = False
        self.ended = False
        """All its items are done or have failed. Where items are held back, that comes after ``finished``."""
        self.passed: Optional[List[envelope.IdRun]] = None
        """Of a batch without items: the ids that never arrive."""

    def id_at(self, index: int) -> Tuple[str, int]:
        """Origin and number of the item at ``index``."""
        for origin, first, count in self.ids:
            if index < count:
                return origin, first + index
            index -= count
        raise IndexError(index)


class Receiver:
    """The in-links of one worker."""

    def __init__(
        self,
        *,
        context: Context,
        number: int,
        replica: int,
        window: int,
        window_bytes: int,
        batch: int = 0,
        links: Dict[int, int],
        words: Any,
        views: Views,
        wake: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``links``: the first word on the page of each in-link. ``batch``: items that are gathered for one
        call. ``views``: of this process. ``wake`` is called, from whatever thread, when a view was dropped
        while nobody looks."""
        self._clock = clock
        self._awaited = dict.fromkeys(links, clock() + PATIENCE)
        """The links to which a sender is still to come, and until when it is waited for."""
        self._context = context
        self._number = number
        self._replica = replica
        self._window = window
        self._window_bytes = window_bytes
        self._batch = batch
        self._links = links
        self._words = words
        self._views = views
        self._wake = wake
        self._queue: Deque[Inbound] = deque()
        self._released: Deque[Tuple[Tuple[int, int], View]] = deque()
        self._leaving = False
        self.paused = False
        """Nothing that came is to be begun. Meanwhile no credit goes back, so little more comes."""
        self.connections: Dict[Tuple[int, int], Connection] = {}
        self.changes = 0
        """Counts what was added to and taken from ``connections``."""
        self.unsettled = 0
        """Batches received and not settled."""
        self.ebbs = False
        """Whether a sender has ever said that it is dry: before that nobody need ask whether all are."""

    def connect(self, link: int, peer: int, label: str, endpoint: str, *, far: Any = None) -> None:
        """Take work from a sender. ``far``: of one on another host, what makes its socket and its landing.

        Raises:
            PeerError: no such in-link.
        """
        if link not in self._links:
            raise PeerError(f"no in-link {link} here")
        dealer, landing = (far or self._near)(endpoint, envelope.identity(self._number, link))
        connection = Connection(dealer=dealer, link=link, peer=peer, label=label, word=self._links[link])
        if landing is not None:
            connection.landing, connection.source = landing, landing.source
        self.connections[peer, link] = connection
        self._awaited.pop(link, None)
        self.changes += 1
        if not self._leaving:
            connection.say(self._hello(link, landing.ways if landing is not None else []))

    def _near(self, endpoint: str, identity: bytes) -> Tuple[Any, None]:
        return self._context.dealer(endpoint, identity), None

    def calls(self) -> Dict[Any, Callable[[], Any]]:
        """What to call for each of its sockets, to take one message."""
        calls: Dict[Any, Callable[[], Any]] = {}
        for each in self.connections.values():
            calls[each.dealer] = functools.partial(self.take, each)
            if each.landing is not None:
                calls[each.dealer.watch] = each.dealer.look
        return calls

    def _hello(self, link: int, ways: List[str]) -> envelope.Hello:
        room = (self._window, self._window_bytes, self._batch, self._replica)
        return envelope.Hello(envelope.VERSION, self._number, link, HOST, *room, ways)

    def gone(self, peer: int, *, finished: bool = False) -> None:
        """A sender has ended. What it sent and we have not begun, others get from those who own it.
        ``finished``: it was through, and is not started again."""
        for key in [key for key in self.connections if key[0] == peer]:
            connection = self.connections.pop(key)
            connection.open = False
            connection.dealer.close()
            self.changes += 1
            kept = [inbound for inbound in self._queue if inbound.connection is not connection]
            self.unsettled -= len(self._queue) - len(kept)
            for inbound in self._queue:
                if inbound.connection is connection:
                    self._words[connection.word + page.HELD] -= inbound.count
            self._queue.clear()
            self._queue.extend(kept)
            if not finished:
                self._awaited[key[1]] = self._clock() + PATIENCE

    def take(self, connection: Connection) -> bool:
        """Handle the next message from a sender; whether there was one.

        Raises:
            PeerError: it is none of the protocol; nothing has changed.
        """
        try:
            frames = connection.dealer.receive() if connection.open else None
            if frames is None:
                return False
            self.handle(connection, frames)
        except PeerError as error:
            raise PeerError(f"{error} (from {connection.label})") from None
        return True

    def handle(self, connection: Connection, frames: List[Any]) -> None:
        """One message from a sender.

        Raises:
            PeerError: it is none of the protocol; nothing has changed.
        """
        message, body = envelope.from_sender(frames[0])
        kind = type(message)
        if kind is envelope.Batch:
            inbound = Inbound(connection, message, body, frames[1:])  # type: ignore[arg-type]
            if connection.landing is not None:
                inbound.expires, inbound.frames = connection.landing.adopt(message, inbound.frames)
            self._queue.append(inbound)
            connection.dry = False
            self.unsettled += 1
            words, word = self._words, connection.word
            words[word + page.RECEIVED] += inbound.count
            words[word + page.RECEIVED_BYTES] += len(inbound.body)
            words[word + page.HELD] += inbound.count
        elif kind is envelope.Passed:
            self._pass(connection, message)  # type: ignore[arg-type]
        elif kind is envelope.Welcome:
            self._welcome(connection, message)  # type: ignore[arg-type]
        elif kind is envelope.Dry:
            self.ebbs = connection.dry = True
        else:
            connection.ended = True

    def _pass(self, connection: Connection, message: envelope.Passed) -> None:
        inbound = Inbound(connection, envelope.Batch(message.batch, 1, [], 0), b"", [])
        inbound.passed = message.ids
        self._queue.append(inbound)
        self.unsettled += 1

    def next(self) -> Optional[Inbound]:
        """The next batch to work on, oldest first. Who leaves finishes what he holds, paused or not."""
        if self.paused and not self._leaving:
            return None
        return self._queue.popleft() if self._queue else None

    def next_of(self, links: Container[int]) -> Optional[Inbound]:
        """The next batch of these links; otherwise as ``next``."""
        if self.paused and not self._leaving:
            return None
        for place, inbound in enumerate(self._queue):
            if inbound.connection.link in links:
                del self._queue[place]
                return inbound
        return None

    def silent(self, links: Iterable[int]) -> bool:
        """Whether nothing more is to be waited for from these links; as ``dry_from``, for some."""
        now, connections = self._clock(), self.connections.values()
        return all(
            self._awaited.get(link, 0.0) <= now
            and not self._words[self._links[link] + page.HELD]
            and all(each.dry for each in connections if each.link == link)
            for link in links
        )

    def finish(self, inbound: Inbound, busy: int, failures: List[envelope.Failure], stale: int = 0) -> None:
        """User code is through with a batch, in ``busy`` ns; ``stale`` of its items were too old for it."""
        inbound.finished = True
        settled = inbound.emitted == inbound.settled
        connection = inbound.connection
        words, word = self._words, connection.word
        words[word + page.DONE] += inbound.count - len(failures) - stale
        words[word + page.HELD] -= inbound.count
        if settled:
            self.unsettled -= 1
        if connection.open:
            self._sort_releases()
            releases, connection.releases = connection.releases, []
            bearable = _bearable(failures)
            connection.say(envelope.Credit(inbound.number, busy, settled, bearable, releases, stale))

    def settled(self, inbound: Inbound, count: int) -> None:
        """``count`` items made from a batch have been settled."""
        inbound.settled += count
        if inbound.finished and inbound.settled == inbound.emitted:
            self.unsettled -= 1
            inbound.connection.settles.append(inbound.number)

    def flush(self) -> None:
        """Send the settlements and releases that have gathered."""
        self._views.end_leases()
        self._sort_releases()
        for connection in self.connections.values():
            if connection.settles:
                connection.say(envelope.Settle(connection.settles))
                connection.settles = []
            if connection.releases or connection.passed:
                connection.say(envelope.Release(connection.releases, connection.passed))
                connection.releases, connection.passed = [], []

    @property
    def queued(self) -> bool:
        """Whether a batch waits to be worked on."""
        return bool(self._queue)

    @property
    def dry_from(self) -> Optional[float]:
        """From when on, on the clock, nothing more is to be waited for: every sender is dry, and all that
        came is finished. None: something is to come, or to be done."""
        connections = self.connections.values()
        unfinished = any(self._words[word + page.HELD] for word in self._links.values())
        if unfinished or not connections or not all(each.dry for each in connections):
            return None
        return max(self._awaited.values(), default=0.0)

    @property
    def left(self) -> bool:
        """Whether, after ``leave``, nothing more can come and all that came is settled."""
        return self._leaving and self.parted and not self.unsettled

    @property
    def parted(self) -> bool:
        """Whether every sender has answered the last BYE."""
        return all(connection.ended for connection in self.connections.values())

    def leave(self) -> None:
        """Ask for nothing more. Twice is fine."""
        if not self._leaving:
            self._leaving = True
            for connection in self.connections.values():
                connection.say(envelope.Bye())

    def part(self) -> None:
        """Say BYE once more, behind the last settlement: who answers has read that, too."""
        for connection in self.connections.values():
            connection.ended = False
            connection.say(envelope.Bye())

    def _welcome(self, connection: Connection, welcome: envelope.Welcome) -> None:
        if welcome.version != envelope.VERSION:
            raise PeerError(
                f"version {welcome.version} of the link protocol, this one speaks {envelope.VERSION}"
            )
        if connection.landing is not None:
            if welcome.arena:
                raise PeerError("shared memory, from another host")
            return
        mapping = None
        if welcome.arena:
            try:
                mapping = Mapping(welcome.arena)
            except FileNotFoundError:
                return  # it has ended meanwhile; what it sent comes from others
            except (OSError, ValueError) as error:
                raise PeerError(f"an arena that cannot be mapped: {error}") from None

        key = (connection.peer, connection.link)  # not itself: a ring of references would keep the arena open

        def released(view: View) -> None:
            self._released.append((key, view))
            self._wake()

        connection.source = Source(mapping, released, self._views)

    def _sort_releases(self) -> None:
        while self._released:
            key, view = self._released.popleft()
            connection = self.connections.get(key)
            if connection is not None:
                (connection.passed if view.passed else connection.releases).append(view.ref)


def _bearable(failures: List[envelope.Failure]) -> List[envelope.Failure]:
    """As many failures, in an envelope that the sender will read: refused, it would be credit lost."""
    if sum(len(failure.traceback) for failure in failures) <= TRACEBACKS:
        return failures
    most = TRACEBACKS // len(failures)
    return [msgspec.structs.replace(each, traceback=each.traceback[-most:]) for each in failures]
