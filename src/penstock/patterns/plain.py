"""The nine kinds of socket for code that waits in place. ``aio`` has the same for asyncio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import get_ident as ident
from typing import Any, Generic, Self, TypeVar

from penstock.errors import TimedOut
from penstock.message.arrays import LARGE
from penstock.message.parcel import QUICK, pack
from penstock.patterns import roles
from penstock.patterns.addressing import DealerCore, Delivered, RouterCore
from penstock.patterns.asking import ReplierCore, RequesterCore
from penstock.patterns.core import REFUSED, Call, Core, Forget, Put, Renew, Steps, T, Take, V
from penstock.patterns.publishing import Published, PublisherCore, SubscriberCore
from penstock.patterns.tuning import USUAL

R = TypeVar("R")
"""What ``receive`` gives."""


class _Plain(Core[V]):
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _run(self, steps: Steps[T]) -> T:
        """Do the steps, one after the other."""
        wire, answer, error = self._wire, None, None
        try:
            while True:
                step = steps.send(answer) if error is None else steps.throw(error)
                answer = error = None
                try:
                    if type(step) is Take:
                        answer = wire.take(step.timeout)
                    elif type(step) is Put:
                        wire.put(step.parcel, step.timeout)
                    elif type(step) is Call:
                        answer = step.handler(step.value)
                    elif type(step) is Forget:
                        wire.forget()
                    elif type(step) is Renew:
                        wire.renew()
                except Exception as raised:  # noqa: BLE001  the steps know what to do about it
                    error = raised
        except StopIteration as end:
            done: T = end.value
            return done


class _Sends(_Plain[V]):
    def send(self, value: Any, timeout: float | None = USUAL) -> None:
        """Send a value to one peer.

        Raises:
            TimedOut: none had room for it.
            UnsupportedType: it does not travel.
        """
        wire, kind = self._wire, type(value)
        # All in one place, as each call from here would cost a tenth of the whole.
        is_quick = kind in QUICK or (kind is bytes and len(value) < LARGE)
        if is_quick and ident() == wire.owner and timeout == wire.sending:
            try:
                wire.push(pack(value), 0)
            except (OverflowError, UnicodeEncodeError):
                """The long way has an integer beyond 64 bits, and a sentence about a lone surrogate."""
            except Exception as error:  # noqa: BLE001  it is told by whoever knows ZeroMQ
                raise wire.failed(error, timeout) from None
            else:
                return
        wire.put(self._pack(value), timeout)


class _Receives(_Plain[V], Generic[R, V]):
    def receive(self, timeout: float | None = USUAL) -> R:
        """The next value. Arrays are read-only.

        Raises:
            TimedOut: none came.
        """
        value: R = self._opened(self._wire.take(timeout))
        return value if value is not REFUSED else self._run(self._receiving(timeout))

    def __iter__(self) -> Iterator[R]:
        """Value after value, until ``TimedOut``."""
        while True:
            yield self.receive()


class _ReceivesBodies(_Receives[R, R]):
    """Where nothing stands before a body, and nobody waits for what is said of it."""

    def receive(self, timeout: float | None = USUAL) -> R:
        """The next value. Arrays are read-only.

        Raises:
            TimedOut: none came.
        """
        wire = self._wire
        if ident() == wire.owner and timeout == wire.receiving:  # see ``send``
            try:
                first = wire.pull(0)
            except Exception as error:  # noqa: BLE001  it is told by whoever knows ZeroMQ
                raise wire.failed(error, timeout, receive=True) from None
            if first:
                try:
                    return self._quick(first)
                except Exception:  # noqa: BLE001  no body alone
                    """The long way says why."""
            value: R = self._opened(first)
        else:
            value = self._opened(wire.take(timeout))
        return value if value is not REFUSED else self._run(self._receiving(timeout))


class Requester(_Plain[V], RequesterCore[V]):
    """REQ: asks, and waits for the reply."""

    role = roles.REQUESTER

    def request(self, value: Any, timeout: float | None = USUAL) -> V:
        """The reply to ``value``; ``timeout`` is that of the first attempt.

        Raises:
            TimedOut: there was none.
            RequestFailed: the handler raised; the message is that of its exception.
            PeerError: the reply is not what it is to be.
            UnsupportedType: ``value`` does not travel.
        """
        # The first attempt without steps, which would take a third of a round trip within a process.
        wire = self._wire
        if wire.forgotten:
            wire.renew()
        try:
            wire.put(self._pack(value), timeout)
            reply = self._opened(wire.take(timeout))
        except TimedOut:
            wire.forget()
            return self._run(self._asking(value, timeout, failed=1))
        if reply is REFUSED:
            wire.forget()
        return self._told(reply)


class Replier(ReplierCore[V], _Sends[V], _Receives[V, V]):
    """REP: receives a request, sends its reply, and so on."""

    role = roles.REPLIER

    def serve(self, handler: Callable[[V], Any], *, requests: int | None = None) -> None:
        """Answer each request with what ``handler`` makes of it, for ever or so many ``requests``. What it
        raises is logged, and raised again where it was asked."""
        self._run(self._serving(handler, requests))


class Publisher(_Plain[Any], PublisherCore):
    """PUB: tells everybody who asked for a topic, and waits for nobody."""

    role = roles.PUBLISHER

    def send(self, topic: str, value: Any) -> None:
        """Publish a value. Who has no room for it goes without.

        Raises:
            UserError: it is no topic.
            UnsupportedType: the value does not travel.
        """
        self._publish(topic, value)


class Subscriber(SubscriberCore[V], _Receives[Published[V], V]):
    """SUB: hears what it asked for; ``receive`` gives topic and value, as a ``Published``."""

    role = roles.SUBSCRIBER


class Pusher(_Sends[Any]):
    """PUSH: hands each value to one puller, in turn."""

    role = roles.PUSHER


class Puller(_ReceivesBodies[V]):
    """PULL: takes from all pushers, in turn."""

    role = roles.PULLER


class Dealer(DealerCore[V], _Sends[V], _ReceivesBodies[V]):
    """DEALER: sends to its peers in turn, and receives from all, in any order."""

    role = roles.DEALER


class Router(RouterCore[V], _Receives[Delivered[V], V]):
    """ROUTER: knows by name who sent what; ``receive`` gives peer and value, as a ``Delivered``."""

    role = roles.ROUTER

    def send(self, peer: bytes, value: Any, timeout: float | None = USUAL) -> None:
        """Send a value to that peer.

        Raises:
            PeerGone: it is not connected.
            TimedOut: it had no room for it.
            UnsupportedType: the value does not travel.
        """
        self._wire.put(self._addressed(peer, value), timeout)


class Pair(_Sends[V], _ReceivesBodies[V]):
    """PAIR: two, and nobody else. One of them says ``bind=True``."""

    role = roles.PAIR
