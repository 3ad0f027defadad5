"""The same for asyncio: each verb of ``penstock.patterns`` with ``await`` before it, and ``async with``.

No threads, no queue and no future per message: a look at the socket, and where there is nothing, a wait for
ZeroMQ's file in the loop (``turnstile``).
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, Self, TypeVar

from penstock.message.parcel import Parcel
from penstock.patterns import roles
from penstock.patterns.addressing import DealerCore, Delivered, RouterCore
from penstock.patterns.aiopool import ReplierPool
from penstock.patterns.asking import ReplierCore, RequesterCore
from penstock.patterns.core import REFUSED, Call, Core, Forget, Put, Renew, Steps, T, Take, V
from penstock.patterns.device import Forwarder, Queue, Streamer
from penstock.patterns.publishing import Published, PublisherCore, SubscriberCore
from penstock.patterns.tuning import USUAL
from penstock.patterns.turnstile import Turnstile

__all__ = [
    "Dealer",
    "Forwarder",
    "Pair",
    "Publisher",
    "Puller",
    "Pusher",
    "Queue",
    "Replier",
    "ReplierPool",
    "Requester",
    "Router",
    "Streamer",
    "Subscriber",
]


R = TypeVar("R")
"""What ``receive`` gives."""


class _Async(Core[V]):
    def __init__(self, *endpoints: str, **options: Any) -> None:
        super().__init__(*endpoints, **options)
        self._turnstile = Turnstile(self._wire)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """As ever; who waits for it is told that it is closed."""
        self._turnstile.close()
        super().close()

    async def _take(self, timeout: float | None) -> Any:
        return await self._turnstile.take(timeout)

    async def _put(self, parcel: Parcel, timeout: float | None) -> None:
        await self._turnstile.put(parcel, timeout)

    async def _run(self, steps: Steps[T]) -> T:
        """Do the steps, one after the other."""
        answer, error = None, None
        try:
            while True:
                step = steps.send(answer) if error is None else steps.throw(error)
                answer = error = None
                try:
                    answer = await self._do(step)
                except Exception as raised:  # noqa: BLE001  the steps know what to do about it
                    error = raised
        except StopIteration as end:
            done: T = end.value
            return done

    async def _do(self, step: Take | Put | Call | Forget | Renew) -> Any:
        if isinstance(step, Take):
            return await self._take(step.timeout)
        if isinstance(step, Put):
            return await self._put(step.parcel, step.timeout)
        if isinstance(step, Forget):
            return self._turnstile.forget()
        if isinstance(step, Renew):
            return self._turnstile.renew()
        answer = step.handler(step.value)
        return await answer if inspect.isawaitable(answer) else answer


class _Sends(_Async[V]):
    async def send(self, value: Any, timeout: float | None = USUAL) -> None:
        """Send a value to one peer.

        Raises:
            TimedOut: none had room for it.
            UnsupportedType: it does not travel.
        """
        await self._put(self._pack(value), timeout)


class _Receives(_Async[V], Generic[R, V]):
    async def receive(self, timeout: float | None = USUAL) -> R:
        """The next value. Arrays are read-only.

        Raises:
            TimedOut: none came.
        """
        value = self._opened(await self._take(timeout))
        return value if value is not REFUSED else await self._run(self._receiving(timeout))

    async def __aiter__(self) -> AsyncIterator[R]:
        """Value after value, until ``TimedOut``."""
        while True:
            yield await self.receive()


class Requester(_Async[V], RequesterCore[V]):
    """REQ: asks, and waits for the reply."""

    role = roles.REQUESTER

    async def request(self, value: Any, timeout: float | None = USUAL) -> V:
        """The reply to ``value``; ``timeout`` is that of the first attempt.

        Raises:
            TimedOut: there was none.
            RequestFailed: the handler raised; the message is that of its exception.
            PeerError: the reply is not what it is to be.
            UnsupportedType: ``value`` does not travel.
        """
        return await self._run(self._asking(value, timeout))


class Replier(ReplierCore[V], _Sends[V], _Receives[V, V]):
    """REP: receives a request, sends its reply, and so on."""

    role = roles.REPLIER

    async def serve(self, handler: Callable[[V], Any], *, requests: int | None = None) -> None:
        """Answer each request with what ``handler`` makes of it, which may be a coroutine, for ever or so
        many ``requests``. What it raises is logged, and raised again where it was asked."""
        await self._run(self._serving(handler, requests))


class Publisher(_Async[Any], PublisherCore):
    """PUB: tells everybody who asked for a topic, and waits for nobody."""

    role = roles.PUBLISHER

    async def send(self, topic: str, value: Any) -> None:
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


class Puller(_Receives[V, V]):
    """PULL: takes from all pushers, in turn."""

    role = roles.PULLER


class Dealer(DealerCore[V], _Sends[V], _Receives[V, V]):
    """DEALER: sends to its peers in turn, and receives from all, in any order."""

    role = roles.DEALER


class Router(RouterCore[V], _Receives[Delivered[V], V]):
    """ROUTER: knows by name who sent what; ``receive`` gives peer and value, as a ``Delivered``."""

    role = roles.ROUTER

    async def send(self, peer: bytes, value: Any, timeout: float | None = USUAL) -> None:
        """Send a value to that peer.

        Raises:
            PeerGone: it is not connected.
            TimedOut: it had no room for it.
            UnsupportedType: the value does not travel.
        """
        await self._put(self._addressed(peer, value), timeout)


class Pair(_Sends[V], _Receives[V, V]):
    """PAIR: two, and nobody else. One of them says ``bind=True``."""

    role = roles.PAIR
