"""In the worker of a source that draws from a queue: sends what the supervisor has claimed for it.

An item goes out under its number in the store. So what comes again after a death, in this run or in the
next, has the id that it had, and whoever writes by ids writes the same again. Only where somebody takes the
items in order they are counted as those of other sources: an order has no gaps.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, Tuple

from penstock.errors import EnvironmentFault, PeerError, UnsupportedType
from penstock.link.outbox import Feed
from penstock.message.codec import Decoder
from penstock.runtime.queuewire import Piece, Unfit
from penstock.runtime.worker import handler
from penstock.runtime.worker.channel import SupervisorLost
from penstock.runtime.worker.exchange import Stopped
from penstock.runtime.worker.source.producer import Producer
from penstock.runtime.worker.source.tray import Ticket, Tray
from penstock.tasks import kind
from penstock.tasks.files import read

UNUSABLE = (PeerError, EnvironmentFault, UnsupportedType)
"""What another try here would not change."""


class Drawer(Producer):
    """Sends the items of one queue."""

    def __init__(self, tray: Tray, *, is_dense: bool, **parts: Any) -> None:
        """``is_dense``: somebody takes its items in order. ``parts``: as for ``Producer``."""
        super().__init__(**{**parts, "resumption": None})
        self._tray = tray
        self._is_dense = is_dense
        self._stage = parts["origin"].partition("/")[0]
        self._decoder = Decoder()

    def _iterate(self) -> Iterator[Piece]:
        return iter(self._tray.next, None)

    def _allow_interrupts(self, made: Any) -> None:
        """None: it waits where a drain is heard."""

    def _feeder(self) -> Tuple[Feed, Callable[[], int]]:
        count = 0

        def feed(pieces: Iterator[Piece]) -> bool:
            nonlocal count
            for piece in pieces:
                count += 1
                if self._put(piece, count - 1):
                    return True
            return False

        return feed, lambda: count

    def _put(self, piece: Piece, number: int) -> bool:
        """Send it; whether it is time to look at the sockets."""
        ticket = Ticket(piece.number)
        alarm = False
        try:
            value = self._value(piece)
            if value is not None:
                alarm = self._emitter.out(value, ticket, *self._id(piece, number))
        except (Stopped, SupervisorLost):
            raise
        except Exception as error:
            self._tray.failed(_unfit(piece, error))
            return True
        if not ticket.emitted:
            self._tray.passed_over(ticket)
        return alarm

    def _value(self, piece: Piece) -> Any:
        body = read(piece.path) if piece.path else piece.body
        (((value,), _),) = self._decoder.values(body, count=1)
        return value

    def _id(self, piece: Piece, number: int) -> Tuple[str, int]:
        if self._is_dense:
            return self._origin, number
        return (self._stage, piece.seq) if piece.seq else (f"{self._stage}/{piece.id}", 0)


def _unfit(piece: Piece, error: Exception) -> Unfit:
    text = handler.user_traceback(error)
    return Unfit(
        piece.number, isinstance(error, UNUSABLE), handler.one_line(error), kind.names(type(error)), text
    )
