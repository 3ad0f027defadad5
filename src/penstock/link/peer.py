"""The two ends of calls, as callers and replicas of services know them: by what way they talk, the scheme of
the replica's endpoint says, and nothing above this module asks.

    unix://path     a connection of the kernel's, within a host: ``near``

A peer is one connection. Both sides send words (envelopes of ``callwire``) with the large arrays that belong
to them, in order. Its ``heard`` is called with each word that comes, in ``Ear.turn``; its ``gone`` once, when
the other side is gone or talked nonsense; neither after ``close``. ``send`` never waits: what the kernel has
no room for now goes when it has.
"""

from __future__ import annotations

from typing import Any, Callable, Optional, Protocol, Sequence

from penstock.errors import PeerError
from penstock.link import near
from penstock.link.ear import Ear


class Peer(Protocol):
    """The other side."""

    heard: Callable[[bytes, Sequence[Any]], None]
    """A word has come, with its arrays. May raise PeerError: then this side hangs up."""
    gone: Callable[[Optional[PeerError]], None]
    """It ends; with an error when the other side is to blame, who can still be told."""

    def send(self, word: bytes, frames: Sequence[Any] = (), call: int = 0) -> bool:
        """Whether the other side is there, as far as we know. ``call``: whose number the word carries, of a
        call or its answer.

        Raises:
            OSError: there is no memory for it, or no descriptor; the peer is as good as before.
        """

    def take(self) -> bool:
        """Take one word, if one is there."""

    def close(self) -> None:
        """Hang up. What was said before arrives. Twice is fine. In a child of a fork, let go of our copy."""


class Door(Protocol):
    """Where peers come to."""

    def close(self) -> None:
        """Let nobody in any more; those who are stay."""


_CONNECT = {"unix": near.connect}
_OPEN = {"unix": near.Door}


def connect(endpoint: str, ear: Ear) -> Peer:
    """To the replica there; who calls this sets ``heard`` and ``gone``.

    Raises:
        OSError: nobody is there.
    """
    scheme, _, place = endpoint.partition("://")
    return _CONNECT[scheme](place, ear)


def open_door(endpoint: str, ear: Ear, greet: Callable[[Peer], object]) -> Door:
    """For callers; ``greet`` is called with each that comes, and sets its ``heard`` and ``gone``.

    Raises:
        OSError: nobody can listen there.
    """
    scheme, _, place = endpoint.partition("://")
    return _OPEN[scheme](place, ear, greet)
