"""The two ends of calls, as callers and replicas of services know them: by what way they talk, the scheme of
the replica's endpoint says, and nothing above this module asks.

    unix://path         a connection of the kernel's, within a host: ``near``
    tcp://host:port     a session by ZeroMQ with CURVE, between hosts: ``afar``

A peer is one connection. Both sides send words (envelopes of ``callwire``) with the large arrays that belong
to them, in order. Its ``heard`` is called with each word that comes, in ``Ear.turn``; its ``gone`` once, when
the other side is gone or talked nonsense; neither after ``close``. ``send`` never waits: what the kernel has
no room for now goes when it has.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional, Protocol, Sequence, Tuple

from penstock.errors import PeerError
from penstock.link import near
from penstock.link.ear import Ear


class Ends(NamedTuple):
    """Who talks with whom, for a way on which others could listen."""

    caller: int = 0
    """A number that no other has."""
    replica: int = 0
    """Its number in the run."""
    curve: Optional[Tuple[str, str]] = None
    """The run's key, public and secret."""


NOBODY = Ends()
"""On a way on which the kernel knows who it is."""


class CallPeer(Protocol):
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


class Listener(Protocol):
    """Where peers come to."""

    address: str
    """By which others find it."""

    def lose(self, caller: int) -> None:
        """That caller has ended. (Where the kernel tells, nothing is to be done.)"""

    def close(self) -> None:
        """Let nobody in any more; those who are stay."""


def connect(endpoint: str, ear: Ear, ends: Ends = NOBODY) -> CallPeer:
    """To the replica there; who calls this sets ``heard`` and ``gone``.

    Raises:
        OSError: nobody is there.
        PeerError: nobody can be there.
    """
    scheme, _, place = endpoint.partition("://")
    if scheme == "unix":
        return near.connect(place, ear)
    from penstock.link import afar  # few runs have other hosts

    return afar.connect(endpoint, ear, caller=ends.caller, replica=ends.replica, curve=ends.curve)


def listen(endpoint: str, ear: Ear, greet: Callable[[Any], object], ends: Ends = NOBODY) -> Listener:
    """For callers; ``greet`` is called with each that comes, and sets its ``heard`` and ``gone``.

    Raises:
        OSError: nobody can listen there.
        EnvironmentFault: the same, of one for other hosts.
    """
    scheme, _, place = endpoint.partition("://")
    if scheme == "unix":
        return near.Listener(place, ear, greet)
    from penstock.link import afar

    return afar.Listener(endpoint, ear, greet, replica=ends.replica, curve=ends.curve)
