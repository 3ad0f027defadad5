"""Requests and their replies, apart from waiting."""

from __future__ import annotations

import itertools
from typing import Any, Unpack

from penstock.errors import PeerError, RequestFailed, TimedOut, UserError
from penstock.message.parcel import Failure, failed
from penstock.patterns.core import (
    REFUSED,
    Asked,
    Call,
    Core,
    Forget,
    Handler,
    Options,
    Put,
    Renew,
    Steps,
    Take,
    V,
    log,
    until,
)
from penstock.patterns.retry import in_all, waits
from penstock.patterns.tuning import USUAL, check


class RequesterCore(Core[V]):
    """Asks, and asks again (the guide's Lazy Pirate: each attempt is a new connection)."""

    def __init__(
        self, *endpoints: str, retries: int = 0, of: Asked[V] = None, **options: Unpack[Options]
    ) -> None:
        """As every socket, but it always connects; and:

        Args:
            endpoints: Several are asked in turn.
            retries: How often an unanswered request is sent again, each time waited for twice as long. What
                is asked may be done more than once, then: say so only where that does no harm.
            of: As of every socket.
            options: ``timeout`` (here: of the first attempt), ``of``, ``curve``, ``tuning``.
        """
        if options.get("bind"):
            raise UserError("a requester connects, as it does so anew when a request was not answered")
        if check("retries", retries) != int(retries):
            raise UserError(f"retries={retries!r} is not a whole number")
        self._retries = int(retries)
        super().__init__(*endpoints, of=of, **options)

    def _asking(self, value: Any, timeout: float | None, *, failed: int = 0) -> Steps[V]:
        """The reply to a request of which so many attempts have ``failed`` already."""
        parcel = self._pack(value)
        patience = self._wire.timeout if timeout == USUAL else timeout
        for seconds in itertools.islice(waits(patience, self._retries), failed, None):
            if self._wire.forgotten:
                yield Renew()
            wait = until(seconds)
            try:
                yield Put(parcel, wait())
                reply = self._opened((yield Take(wait())))
            except TimedOut:
                yield Forget()
                continue
            if reply is REFUSED:
                yield Forget()
            return self._told(reply)
        assert patience is not None, "or there would have been no end"
        raise self._unanswered(patience)

    def _told(self, reply: Any) -> V:
        """A reply, or the error that was told in its place."""
        if reply is REFUSED:
            raise PeerError(f"{self}: the reply was refused: {self._refusal}")
        if type(reply) is Failure:
            raise RequestFailed(f"{reply.kind}: {reply.text}", kind=reply.kind)
        value: V = reply
        return value

    def _unanswered(self, patience: float) -> TimedOut:
        attempts = f" in {self._retries + 1} attempts" if self._retries else ""
        return TimedOut(f"{self}: no reply within {in_all(patience, self._retries):g} s{attempts}")


class ReplierCore(Core[V]):
    """Answers one request after the other."""

    def _opened(self, first: Any) -> Any:
        """As ever, but all of a request is taken, whoever sent more of it: else no reply may be sent."""
        rest = self._wire.rest()
        try:
            if first and not rest:
                return self._value(first)
            if first:
                raise PeerError(f"a message of {len(rest) + 1} frames, the first a value")
            return self._opener.opened(rest)
        except PeerError as error:
            return self._refuse(error)

    def _receiving(self, timeout: float | None) -> Steps[Any]:
        """As ever, but who sent what is refused is told so: they wait."""
        wait = until(self._wire.timeout if timeout == USUAL else timeout)
        while True:
            value = self._opened((yield Take(wait())))
            if value is not REFUSED:
                return value
            yield Put(failed(PeerError(f"the request was refused: {self._refusal}")), wait())

    def _serving(self, handler: Handler, requests: int | None) -> Steps[None]:
        done = 0
        while requests is None or done < requests:
            value = yield from self._receiving(None)
            try:
                parcel = self._pack((yield Call(handler, value)))
            except Exception as error:  # noqa: BLE001  whatever it is, it is told to who asked
                log.warning("%s: its handler raised", self, exc_info=error)
                parcel = failed(error)
            yield Put(parcel, USUAL)
            done += 1
