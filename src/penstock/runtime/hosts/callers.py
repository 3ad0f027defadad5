"""Runs in the supervisor: processes of a host that has joined which call services."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from penstock.runtime import hostwire
from penstock.runtime.supervisor import answer

if TYPE_CHECKING:
    from penstock.runtime.supervisor.services import Services


class Callers:
    """Of one host: its agent is told which replicas there are, and says who calls."""

    def __init__(self, services: Services, host: str, say: Callable[[msgspec.Struct], None]) -> None:
        """``say`` tells the agent: from now on, whenever something changes."""
        self._services = services
        self._host = host
        self._say = say
        self._callers: set[int] = set()
        services.listeners.append(self._tell)
        self._tell()

    def _tell(self) -> None:
        listing = answer.granted(self._services.listing(self._host))
        self._say(hostwire.Listing(answer.line(listing)))

    def heard(self, said: hostwire.Calling) -> None:
        """Somebody there calls, or does so no more."""
        if said.calls:
            self._callers.add(said.caller)
        elif said.caller in self._callers:
            self._callers.remove(said.caller)
            self._services.hung_up(said.caller)

    def close(self) -> None:
        """The host is gone, and they with it."""
        self._services.listeners.remove(self._tell)
        for caller in self._callers:
            self._services.hung_up(caller)
