"""A message on its way over the broker, and one that has come: plain values, as the rest of the package knows
them."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is published. It outlives the broker."""

    body: bytes = b""
    type: str = ""
    """What the body is, with the version of its form: ``penstock.job/1``."""
    id: str = ""
    """Of the job; empty: one is made."""
    content_type: str = "application/octet-stream"
    headers: Mapping[str, Any] = {}
    reply_to: str = ""
    """The key in ``ps.ctl`` under which its sender takes answers."""
    correlation: str = ""
    """What an answer names, so that its receiver knows the question; or a trace."""
    expires: int = 0
    """Milliseconds after which the broker may drop it, if nobody has taken it; 0: it does not."""
    user: str = ""
    """Who has published it: the broker has checked that. It is put in by ``Channel.publish``."""


class Posting(NamedTuple):
    """A message, and where it goes."""

    exchange: str
    key: str
    message: Message


class Receipt(NamedTuple):
    """What becomes of a delivery: a word to the broker."""

    tag: int
    multiple: bool = False
    """So it does of all that came before it."""
    requeue: bool | None = None
    """``None``: it is done. True: it goes back, which counts as one delivery more; False: to the dead letters
    of its queue."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A message that has come. Whoever has taken it settles it, by its tag, on the channel it has come by."""

    message: Message
    tag: int
    exchange: str
    key: str
    redelivered: bool
    """Whether it was delivered before, to somebody who has not settled it."""

    @property
    def deliveries(self) -> int:
        """How often it was delivered before, as the broker counts: the first has 0, or says nothing on
        4.x."""
        count = self.message.headers.get("x-delivery-count", 0)
        return count if isinstance(count, int) else 0
