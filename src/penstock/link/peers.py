"""Who takes from a sender: the receivers that have said HELLO, by name and by number.

All methods are called with the worker's lock held.
"""

from __future__ import annotations

from typing import Dict, Iterable, Iterator, NamedTuple, Optional, Set, Tuple

from penstock.errors import PeerError
from penstock.link.link import Link
from penstock.message import envelope


class Peer(NamedTuple):
    """Someone who said HELLO."""

    number: int
    link: Link


class Peers:
    """The receivers of all links of one worker."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._links = {link.id: link for link in links}
        self._known: Dict[bytes, Peer] = {}
        self._names: Dict[Tuple[int, int], bytes] = {}
        self._lost: Set[int] = set()
        self._former: Set[bytes] = set()

    def __iter__(self) -> Iterator[Tuple[bytes, Peer]]:
        return iter(self._known.items())

    def find(self, name: bytes) -> Optional[Peer]:
        """Who calls itself so; None: nobody that we know."""
        return self._known.get(name)

    def is_former(self, name: bytes) -> bool:
        """Whether that was one of us, and is dead to us now: it does not settle anything any more."""
        return name in self._former

    def name(self, receiver: int, link: Link) -> bytes:
        """What a receiver calls itself on a link."""
        return self._names[receiver, link.id]

    def join(self, name: bytes, hello: envelope.Hello) -> Optional[Tuple[Peer, str]]:
        """Somebody says HELLO: who that is, and what people should know of it, if anything. None for one that
        has died since: what it is sent would be lost.

        Raises:
            PeerError: it cannot be let in; nothing has changed.
        """
        if name != envelope.identity(hello.worker, hello.link):
            raise PeerError(f"a HELLO of worker {hello.worker} for link {hello.link} from another")
        if hello.worker in self._lost:
            self._former.add(name)
            return None
        if name in self._known:
            raise PeerError(f"worker {hello.worker} said HELLO twice")
        link = self._links.get(hello.link)
        if hello.version != envelope.VERSION:
            theirs, ours = hello.version, envelope.VERSION
            raise PeerError(
                f"worker {hello.worker} speaks version {theirs} of the link protocol, this one {ours}"
            )
        if link is None:
            raise PeerError(f"worker {hello.worker} asks for link {hello.link}, which does not start here")
        try:
            news = link.join(hello)
        except ValueError as error:
            raise PeerError(f"worker {hello.worker} asks for {error}") from None
        peer = self._known[name] = Peer(hello.worker, link)
        self._names[hello.worker, hello.link] = name
        return peer, news

    def lose(self, receiver: int) -> None:
        """It has died, on all links."""
        self._lost.add(receiver)
        for link in self._links:
            name = self._names.pop((receiver, link), None)
            if name is not None:
                del self._known[name]
                self._former.add(name)
