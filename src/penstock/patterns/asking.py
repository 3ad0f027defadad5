"""Requests and their replies, apart from waiting."""

from __future__ import annotations

import itertools
from typing import Any

from penstock.errors import PeerError, RequestFailed, TimedOut, UserError
from penstock.message.parcel import Failure, failed
from penstock.patterns.core import REFUSED, Call, Core, Forget, Handler, Put, Renew, Steps, Take, log, until
from penstock.patterns.retry import in_all, waits
from penstock.patterns.tuning import USUAL, check


class RequesterCore(Core):
    """Asks, and asks again (the guide's Lazy Pirate: each attempt is a new connection)."""

    def __init__(self, *endpoints: str, retries: int = 0, **options: Any) -> None:
        """As every socket, but it always connects; and:

        Args:
            endpoints: Several are asked in turn.
            retries: How often an unanswered request is sent again, each time waited for twice as long. What
                is asked may be done more than once, then: say so only where that does no harm.
            options: ``timeout`` (here: of the first attempt), ``of``, ``curve``, ``tuning``.
        """
        if options.get("bind"):
            raise UserError("a requester connects, as it does so anew when a request was not answered")
        if check("retries", retries) != int(retries):
            raise UserError(f"retries={retries!r} is not a whole number")
        self._retries = int(retries)
        super().__init__(*endpoints, **options)

    def _asking(self, value: Any, timeout: float | None, *, failed: int = 0) -> Steps[Any]:
        """The reply to a request of which so many attempts have ``failed`` already."""
        parcel = self._pack(value)
        patience = self._wire.timeout if timeout == USUAL else timeout
        for seconds in itertools.islice(waits(patience, self._retries), failed, None):
            if self._wire.forgotten:
                yield Renew()
            wait = until(seconds)
            try:
                yield Put(parcel, wait())
                while True:
                    reply = self._opened((yield Take(wait())))
                    if reply is not REFUSED:
                        return told(reply)
            except TimedOut:
                yield Forget()
        raise self._unanswered(patience)

    def _unanswered(self, patience: float | None) -> TimedOut:
        if patience is None:
            return TimedOut(f"{self}: no reply that could be read")
        attempts = f" in {self._retries + 1} attempts" if self._retries else ""
        return TimedOut(f"{self}: no reply within {in_all(patience, self._retries):g} s{attempts}")


class ReplierCore(Core):
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
            yield Put(failed(PeerError("the request was refused: it is no value that is taken here")), wait())

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


def told(value: Any) -> Any:
    """A reply, or the error that was told in its place."""
    if type(value) is Failure:
        raise RequestFailed(f"{value.kind}: {value.text}", kind=value.kind)
    return value
