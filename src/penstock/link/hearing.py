"""Who subscribes: a DEALER to each publisher of the run, and what has come and waits for its turn."""

from __future__ import annotations

import functools
from collections import deque
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional

from penstock.errors import PeerError
from penstock.link import noticeboard
from penstock.link.mailing import WINDOW
from penstock.link.noticeboard import VERSION, Bye, Done, Head, Hear, pack

LOT = WINDOW // 8
"""Values after which their publisher is told that they are done, while others wait."""


class Connection:
    """That to one publisher."""

    def __init__(self, label: str, dealer: Any) -> None:
        self.label = label
        """Whose it is: ``train/0``."""
        self.dealer = dealer
        self.done = 0
        self.told = 0
        self.ended = False
        """Its publisher is gone."""

    def tell(self) -> None:
        """Say what is done."""
        if self.told != self.done and not self.ended:
            self.told = self.done
            self.dealer.send(pack(Done(self.done)))


class Heard(NamedTuple):
    """One value that has come."""

    head: Head
    frames: List[Any]
    connection: Connection


class Hearing:
    """All that one subscriber gets."""

    def __init__(
        self, sockets: Any, asked: Hear, identity: str, *, far: Optional[Callable[[str, bytes], Any]] = None
    ) -> None:
        """``identity``: of its sockets; another one for each process. ``far``: reaches publishers of other
        hosts, at ``tcp://...`` (see ``wideboard``); None: there are none."""
        self.connections: Dict[int, Connection] = {}
        """By the number of the publisher."""
        self.changes = 0
        """Goes up when there are others."""
        self.refused = 0
        self._sockets = sockets
        self._asked = asked
        self._identity = identity.encode()
        self._far = far
        self._inbox: Deque[Heard] = deque()

    @property
    def waits(self) -> int:
        """Values that have come and are not done."""
        return len(self._inbox)

    def connect(self, number: int, label: str, endpoint: str) -> None:
        """There is a publisher. Twice is fine.

        Raises:
            PeerError: it is on another host, where it cannot be reached.
        """
        if number in self.connections:
            return
        dial = self._sockets.dealer if self._far is None or endpoint.startswith("ipc:") else self._far
        dealer = dial(endpoint, self._identity)
        dealer.send(pack(self._asked))
        self.connections[number] = Connection(label, dealer)
        self.changes += 1

    def gone(self, number: int) -> None:
        """It has ended. What has come from it is taken still."""
        connection = self.connections.pop(number, None)
        if connection is not None:
            while self.take(connection):
                pass
            connection.ended = True
            connection.dealer.close()
            self.changes += 1

    def calls(self) -> Dict[Any, Callable[[], object]]:
        """What to call when a socket can be read: not once for each message, a turn costs as much as ten."""
        calls: Dict[Any, Callable[[], object]] = {}
        for each in self.connections.values():
            calls[each.dealer] = functools.partial(self.take, each)
            watch = getattr(each.dealer, "watch", None)  # of another host's
            if watch is not None:
                calls[watch] = each.dealer.look
        return calls

    def take(self, connection: Connection) -> bool:
        """Some of what has come; whether there may be more.

        Raises:
            PeerError: one is no published value.
        """
        for _ in range(LOT):
            frames = connection.dealer.receive()
            if frames is None:
                return False
            try:
                head, rest = noticeboard.read(frames)
            except PeerError:
                self.refused += 1
                raise
            self._inbox.append(Heard(head, rest, connection))
        return True

    def next(self) -> Optional[Heard]:
        """What comes next; say ``done`` when it is."""
        return self._inbox.popleft() if self._inbox else None

    def done(self, heard: Heard) -> None:
        """It is; its publisher hears of it with others."""
        connection = heard.connection
        connection.done += 1
        if not self._inbox or connection.done - connection.told >= LOT:
            self.flush()

    def flush(self) -> None:
        """Tell all publishers what is done."""
        for connection in self.connections.values():
            connection.tell()

    def leave(self) -> None:
        """Want no more."""
        self.flush()
        for connection in self.connections.values():
            connection.dealer.send(pack(Bye()))


def asking(name: str, topics: List[str], **wishes: Any) -> Hear:
    """What a subscriber says first."""
    return Hear(VERSION, name, topics, **wishes)
