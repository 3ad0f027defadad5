"""Runs in supervisor and agent: the socket between them, in asyncio's loop; it never waits and never raises.

ZeroMQ's file says once that something has changed, and any call on the socket may be the one that takes note
of it. So after each sending there is a look, too, when the loop turns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from penstock.errors import PenstockError
from penstock.patterns import frames
from penstock.patterns.tuning import Tuning
from penstock.patterns.wire import Wire
from penstock.runtime import hostwire
from penstock.security.curve import Curve

BURST = 64
"""Messages after which others in the loop have their turn."""


class Port:
    """One end; ``take`` is called with whose key has sent a message, as ``worker:name``, and its frames."""

    def __init__(
        self,
        kind: str,
        endpoint: str,
        *,
        curve: Curve,
        timeout: float,
        take: Callable[[str, list[Any]], None],
        loop: asyncio.AbstractEventLoop,
        all_interfaces: bool = False,
    ) -> None:
        """``kind``: a ROUTER binds, a DEALER connects. ``timeout``: seconds of silence that mean a loss; in a
        quarter of that ZeroMQ looks after its connections.

        Raises:
            UserError: that cannot be bound, or is open to all without that being said.
        """
        tuning = Tuning(
            hwm=0,
            linger=1.0,
            heartbeat=timeout / 4,
            reconnect=0.05,
            reconnect_most=min(1.0, timeout / 4),
            connect_timeout=min(1.5, timeout / 2),
            max_message=hostwire.LIMIT,
            all_interfaces=all_interfaces,
            watch=False,
        )
        self._wire = Wire(
            "hosts", kind, binds=kind == "ROUTER", timeout=None, curve=curve, tuning=tuning, prompt=True
        )
        try:
            self._wire.open([endpoint])
        except BaseException:
            self._wire.close()
            raise
        self.endpoint = self._wire.endpoints[0]
        self._take = take
        self._loop = loop
        self._looking: asyncio.Handle | None = None
        self._closed = False
        self._file = self._wire.fileno()
        loop.add_reader(self._file, self._look)
        self._look_soon()

    def send(self, message: list[bytes]) -> bool:
        """Whether it is on its way; a peer that is not connected gets nothing."""
        if self._closed:
            return False
        self._look_soon()
        try:
            return self._wire.offer(message)
        except PenstockError:
            return False

    def close(self) -> None:
        """What was sent lingers for a second. Twice is fine."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._file)
            if self._looking is not None:
                self._looking.cancel()
            self._wire.close()

    def _look_soon(self) -> None:
        if self._looking is None:
            self._looking = self._loop.call_soon(self._look_later)

    def _look_later(self) -> None:
        self._looking = None
        self._look()

    def _look(self) -> None:
        for _ in range(BURST):
            found = None if self._closed else frames.received(self._wire)
            if found is None:
                return
            self._take(*found)
        self._look_soon()
