"""In the worker of a service: where callers come to, and the calls that wait. With the worker's lock held."""

from __future__ import annotations

import functools
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Sequence

from penstock.errors import PeerError
from penstock.link import callwire
from penstock.link.callpeer import CallPeer


class Customer:
    """One caller."""

    __slots__ = ("calls", "gone", "name", "peer")

    def __init__(self, peer: CallPeer) -> None:
        self.peer = peer
        self.name: Optional[int] = None
        """Its number; None: it has not introduced itself."""
        self.gone = False
        self.calls: Dict[int, Asked] = {}
        """Those that are not answered, by its numbers."""


class Asked:
    """One call that has come."""

    __slots__ = ("attempt", "body", "call", "cancelled", "clock", "customer", "due", "frames", "value")

    def __init__(
        self, customer: Customer, told: callwire.Call, frames: Sequence[Any], clock: Callable[[], float]
    ) -> None:
        self.customer = customer
        self.call = told.call
        self.attempt = told.attempt
        self.due = None if told.left is None else clock() + told.left
        self.body = told.body
        self.frames = frames
        self.clock = clock
        self.cancelled = False
        self.value: Any = None

    @property
    def id(self) -> str:
        """Names it in logs."""
        return f"{self.customer.name:016x}:{self.call}"

    def is_late(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.cancelled or self.customer.gone or (self.due is not None and self.due <= self.clock())


class Counter:
    """All callers of one replica."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.waiting: Deque[Asked] = deque()
        self.held = 0
        """Calls that are not answered."""
        self.leaving = False
        self._clock = clock
        self._customers: List[Customer] = []

    def greet(self, peer: CallPeer) -> None:
        """Somebody comes."""
        customer = Customer(peer)
        peer.heard = functools.partial(self._hear, customer)
        peer.gone = functools.partial(self._part, customer)
        self._customers.append(customer)
        if self.leaving:
            peer.send(callwire.pack(callwire.Leaving()))

    def _hear(self, customer: Customer, word: Any, frames: Sequence[Any]) -> None:
        told = callwire.from_caller(word)
        if isinstance(told, callwire.Hello):
            if told.version != callwire.VERSION:
                raise PeerError(
                    f"a caller speaks version {told.version} of this protocol, and we {callwire.VERSION}"
                )
            customer.name = told.caller
        elif customer.name is None:
            raise PeerError("a word from who has not said hello")
        elif isinstance(told, callwire.Call):
            self._ask(customer, told, frames)
        else:
            for call in told.calls:
                if call in customer.calls:
                    customer.calls[call].cancelled = True

    def next(self) -> Optional[Asked]:
        """The call that has waited longest; those that nobody waits for are skipped."""
        while self.waiting:
            asked = self.waiting.popleft()
            if not asked.is_late():
                return asked
            self.skip(asked, late=True)
        return None

    def answer(self, asked: Asked, body: Any, frames: List[Any]) -> None:
        """It has returned. (Too late, what it returns may be worth nothing: it is told that it is.)"""
        if asked.is_late():
            self.skip(asked, late=True)
            return
        self._settle(asked)
        self._say(asked, callwire.Answer(asked.call, self.held, body), frames)

    def fail(self, asked: Asked, kind: str, message: str, traceback: str) -> None:
        """It has raised."""
        self._settle(asked)
        most = callwire.LONGEST_TEXT
        self._say(
            asked, callwire.Failed(asked.call, self.held, kind[:most], message[:most], traceback[-most:])
        )

    def skip(self, asked: Asked, *, late: bool) -> None:
        """It was not begun."""
        self._settle(asked)
        self._say(asked, callwire.Skipped(asked.call, self.held, late))

    def leave(self) -> None:
        """Nothing more is taken; what has come is answered."""
        self.leaving = True
        for customer in list(self._customers):
            customer.peer.send(callwire.pack(callwire.Leaving()))

    def _ask(self, customer: Customer, told: callwire.Call, frames: Sequence[Any]) -> None:
        if told.call in customer.calls:
            raise PeerError(f"call {told.call} came twice")
        asked = customer.calls[told.call] = Asked(customer, told, frames, self._clock)
        self.held += 1
        if self.leaving:
            self.skip(asked, late=False)
        else:
            self.waiting.append(asked)

    def _settle(self, asked: Asked) -> None:
        self.held -= 1
        del asked.customer.calls[asked.call]

    def _say(self, asked: Asked, word: callwire.FromReplica, frames: Sequence[Any] = ()) -> None:
        peer = asked.customer.peer
        if asked.customer.gone:
            return
        try:
            peer.send(callwire.pack(word), frames, asked.call)
        except OSError as error:
            text = f"its answer cannot be sent: {error}"
            failed = callwire.Failed(asked.call, self.held, type(error).__name__, text, "")
            peer.send(callwire.pack(failed), (), asked.call)

    def _part(self, customer: Customer, error: Optional[PeerError]) -> None:
        """He has gone, or talks nonsense: what he has asked for is of use to nobody."""
        customer.gone = True
        self._customers.remove(customer)
        if error is not None:
            customer.peer.send(callwire.pack(callwire.Refused(str(error))))
            raise error
