"""Runs in the supervisor: one stay of an agent, from its first word to its last."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from penstock.runtime import hostwire
from penstock.runtime.hosts.conduit import Conduit
from penstock.runtime.hosts.remote import Remote

if TYPE_CHECKING:
    from penstock.runtime.hosts.baggage import Baggage
    from penstock.runtime.hosts.callers import Callers

MOST_UNHEARD = 256 * 2**20
"""Bytes that an agent may not have confirmed before it is taken for lost."""

MOST_SAID = 4096


def plain(said: str) -> str:
    """What another host says, fit for a terminal: nothing in it moves the cursor, or is without end."""
    return "".join(each if each.isprintable() or each == "\n" else "?" for each in said[:MOST_SAID])


class Stay:
    """Of one agent on one host."""

    def __init__(
        self,
        join: hostwire.Join,
        name: str,
        token: str,
        send: Callable[[bytes, bytes], bool],
        *,
        user: str = "",
    ) -> None:
        """``name``: what the host is called in this run. ``send``: takes a route and a frame. ``user``: whose
        key its agent has, ``worker:second``."""
        self.join = join
        self.user = user
        self.name = name
        self.conduit = Conduit(token)
        self.route = b""
        """By which connection it was heard last."""
        self.heard = 0.0
        """When, on our clock."""
        self.manifest = hostwire.Manifest({}, {})
        """What it may fetch."""
        self.offer: hostwire.Offer | None = None
        """Set from when workers can be started there."""
        self.baggage: Baggage | None = None
        """Its files, from then on."""
        self.callers: Callers | None = None
        """Who calls services there, where there are any."""
        self.over = False
        """It was told to go."""
        self.workers: dict[int, Remote] = {}
        """Those that live."""
        self._send = send

    def end(self, cause: str, *, unfit: bool = False) -> None:
        """Tell the agent to go; who is still there has no right to be. ``unfit``: it is of no use here."""
        self.offer, self.over = None, True
        self.say(hostwire.Over(cause, unfit))

    def say(self, message: msgspec.Struct) -> None:
        """Tell the agent, as often as need be."""
        self.post(self.conduit.put(hostwire.packed(message)))

    def post(self, letter: hostwire.Letter) -> None:
        """Send one letter, once."""
        self._send(self.route, hostwire.sealed(letter))

    def beat(self) -> None:
        """A sign of life."""
        self.post(self.conduit.beat())

    def view(self, now: float, state: str) -> dict[str, object]:
        """As plain data."""
        return {
            "host": self.name,
            "cores": self.join.cores,
            "labels": sorted(self.join.labels),
            "brings": dict(self.join.brings),
            "address": self.join.address,
            "workers": len(self.workers),
            "state": state,
            "heard": round(now - self.heard, 3),
        }
