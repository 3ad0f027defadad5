"""In the worker of a service: where callers come to, and the calls that wait. With the worker's lock held."""

from __future__ import annotations

import os
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Sequence

from penstock.errors import PeerError
from penstock.link import callwire
from penstock.link.sockets import Router


class Customer:
    """One caller: a process that has introduced itself."""

    __slots__ = ("calls", "gone", "name", "pidfd")

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.pidfd = -1
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
        return f"{self.customer.name.hex()}:{self.call}"

    def is_late(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.cancelled or self.customer.gone or (self.due is not None and self.due <= self.clock())


class Counter:
    """All callers of one replica."""

    def __init__(
        self,
        router: Router,
        *,
        clock: Callable[[], float],
        watch: Callable[[int, Callable[[], None]], None],
        dismiss: Callable[[int], None],
    ) -> None:
        """``watch(file, call)``: have ``call`` done when ``file`` can be read; ``dismiss`` ends that."""
        self.router = router
        self.waiting: Deque[Asked] = deque()
        self.held = 0
        """Calls that are not answered."""
        self.leaving = False
        self._clock = clock
        self._watch = watch
        self._dismiss = dismiss
        self._customers: Dict[bytes, Customer] = {}

    def take(self) -> bool:
        """Take one message, if one is there.

        Raises:
            PeerError: it is none of the protocol.
        """
        message = self.router.letter()
        if message is None:
            return False
        name, envelope, frames = message
        told = callwire.from_caller(envelope)
        customer = self._customers.get(name)
        if isinstance(told, callwire.Call):
            if customer is None:
                raise PeerError("a call from who has not said hello")
            self._ask(customer, told, frames)
        elif isinstance(told, callwire.Hello):
            self._welcome(name, told)
        elif isinstance(told, callwire.Cancel):
            self._cancel(customer, told.calls)
        elif customer is not None:
            self._part(customer)
        return True

    def next(self) -> Optional[Asked]:
        """The call that has waited longest; those that nobody waits for are skipped."""
        while self.waiting:
            asked = self.waiting.popleft()
            if not asked.is_late():
                return asked
            self.skip(asked, late=True)
        return None

    def answer(self, asked: Asked, body: Any, frames: List[Any]) -> None:
        """It has returned."""
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
        for customer in self._customers.values():
            self.router.send(customer.name, callwire.pack(callwire.Leaving()))

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

    def _say(self, asked: Asked, word: callwire.FromReplica, frames: List[Any] = []) -> None:  # noqa: B006  nobody changes it
        if not asked.customer.gone:
            self.router.send(asked.customer.name, callwire.pack(word), frames)

    def _welcome(self, name: bytes, told: callwire.Hello) -> None:
        if told.version != callwire.VERSION:
            raise PeerError(
                f"a caller speaks version {told.version} of this protocol, and we {callwire.VERSION}"
            )
        customer = self._customers[name] = Customer(name)
        if told.pid > 0:
            self._watch_end(customer, told.pid)
        if self.leaving:
            self.router.send(name, callwire.pack(callwire.Leaving()))

    def _watch_end(self, customer: Customer, pid: int) -> None:
        """The kernel tells when its process ends. (Where it cannot, its calls are done for nobody.)"""
        try:
            customer.pidfd = os.pidfd_open(pid)
        except (OSError, AttributeError):
            return
        self._watch(customer.pidfd, lambda: self._part(customer))

    def _cancel(self, customer: Optional[Customer], calls: List[int]) -> None:
        for call in calls:
            if customer is not None and call in customer.calls:
                customer.calls[call].cancelled = True

    def _part(self, customer: Customer) -> None:
        customer.gone = True
        self._customers.pop(customer.name, None)
        if customer.pidfd >= 0:
            self._dismiss(customer.pidfd)
            os.close(customer.pidfd)
            customer.pidfd = -1
