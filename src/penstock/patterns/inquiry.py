"""A request as a pool takes it, and what it answers, apart from waiting."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from penstock.errors import PeerError
from penstock.message.parcel import Opener, Packer, Parcel, failed
from penstock.patterns import frames
from penstock.patterns.frames import Frames

log = logging.getLogger("penstock.patterns")

Envelope = list[bytes]
"""The frames before the body: whose request it is."""
LONGEST = 256
"""Bytes of a frame of an envelope; what is longer is none, and leads back to nobody."""


class Sender(NamedTuple):
    """Who asks, as its key is trusted."""

    role: str
    name: str


class Inquiry(NamedTuple):
    """One request."""

    envelope: Envelope
    body: Frames
    sender: Sender | None
    """Where there are keys."""


def read(request: Frames) -> Inquiry | None:
    """The request in a message to a router; None: it has no envelope."""
    parts = [frame.bytes if len(frame) < LONGEST else b"?" for frame in request]
    if b"" not in parts[1:]:
        return None
    body = parts.index(b"", 1) + 1
    role, _, name = frames.user(request).partition(":")
    return Inquiry(parts[:body], request[body:], Sender(role, name) if role else None)


class Clerk:
    """Makes values of requests, has a handler look at them, and makes parcels of what that says. For one at
    a time."""

    def __init__(self, handler: Callable[..., Any], of: Any) -> None:
        """Raises:
        WiringError: nothing could be built for ``of``.
        """
        self._handler, self._told = handler, wants_sender(handler)
        self._opener, self._packer = Opener(of), Packer()

    def call(self, inquiry: Inquiry) -> Any:
        """What the handler says, or a coroutine of it.

        Raises:
            PeerError: it is no value, or not what it is to be.
        """
        value = self._value(inquiry.body)
        return self._handler(value, sender=inquiry.sender) if self._told else self._handler(value)

    def answer(self, inquiry: Inquiry, said: Any) -> list[bytes]:
        """The message that tells it."""
        return addressed(inquiry, self._packer.packed(said))

    def _value(self, body: Frames) -> Any:
        if len(body) == 1 and len(body[0]):
            return self._opener.value(body[0].buffer)
        if body and not len(body[0]):
            return self._opener.opened([frame.buffer for frame in body[1:]])
        raise PeerError(f"a message of {len(body)} frames")


def apology(inquiry: Inquiry, error: BaseException) -> list[bytes]:
    """The message that tells of an error; the log has it as well."""
    log.warning("a request was not answered", exc_info=error)
    return addressed(inquiry, failed(error))


def addressed(inquiry: Inquiry, parcel: Parcel) -> list[bytes]:
    """To whom it is for."""
    return [*inquiry.envelope, *([parcel] if isinstance(parcel, bytes) else parcel)]


def wants_sender(handler: Callable[..., Any]) -> bool:
    """Whether it has a parameter for who asks."""
    try:
        return "sender" in inspect.signature(handler).parameters
    except ValueError:  # of C code, which does not tell
        return False
