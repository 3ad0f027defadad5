"""In the worker of async code: asyncio in the main thread, with the worker's sockets in it.

asyncio waits in its selector and nowhere else. Ours waits in ``Exchange.turn``, for the links' sockets and
(by the number of one epoll) for all that asyncio itself waits for. So nothing is polled, no thread hands
anything over, and what arrives while coroutines wait begins at once. Between two waits user code runs, with
the worker's lock free for the steward, as in any worker. The time is that of the worker's clock, which a test
puts forward.

Imported where there is async code: asyncio takes some 30 ms.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Any, Awaitable, Callable, List, Mapping, Optional, Tuple

from penstock.runtime.worker.exchange import LOOK, Exchange

Events = List[Tuple[selectors.SelectorKey, int]]


class _Selector(selectors.BaseSelector):
    """Waits for the links and for what asyncio has registered."""

    def __init__(self, exchange: Exchange) -> None:
        self.look: Callable[[], bool] = nothing
        """Called with the lock held, before and after each wait; whether there is something to run now."""
        self.hurried = False
        """Whether ``look`` has something to do, though user code has more to run."""
        self._inner = selectors.EpollSelector()
        self._exchange = exchange
        self._looked = 0.0
        exchange.attend(self._inner.fileno(), self.expects)
        self.outside = 0
        """Calls in other threads that are waited for."""

    def expects(self) -> bool:
        """Whether anything is waited for beside the links: more than what wakes the loop itself."""
        return self.outside > 0 or len(self._inner.get_map()) > 1

    def select(self, timeout: Optional[float] = None) -> Events:
        """What asyncio has to call now."""
        clock = self._exchange.clock
        busy = timeout is not None and timeout <= 0
        if busy and not self.hurried and clock() < self._looked + LOOK:
            return self._inner.select(0)
        self._exchange.guard.enter()
        try:
            self._turn(None if timeout is None else clock() + max(0.0, timeout))
        finally:
            self._exchange.guard.leave()
        self._looked = clock()
        return self._inner.select(0)

    def _turn(self, until: Optional[float]) -> None:
        self.hurried = False
        if self.look():
            until = self._exchange.clock()
        self._exchange.turn(until)
        self.look()

    # What asyncio asks of it besides -----------------------------------------------------------------------

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """As any selector."""
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """As any selector."""
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """As any selector."""
        return self._inner.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """As any selector."""
        return self._inner.get_map()

    def close(self) -> None:
        """The loop is closed."""
        self._exchange.dismiss(self._inner.fileno())
        self._inner.close()


class Loop(asyncio.SelectorEventLoop):
    """asyncio's loop of one worker."""

    def __init__(self, exchange: Exchange) -> None:
        self._clock = exchange.clock
        self.exchange = exchange
        self._ours = _Selector(exchange)
        super().__init__(self._ours)

    def time(self) -> float:
        """On the worker's clock."""
        return self._clock()

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """As any loop; what is waited for is counted, so that a test with a clock of its own knows of it."""
        future = super().run_in_executor(executor, func, *args)
        self._ours.outside += 1
        future.add_done_callback(self._is_back)
        return future

    def _is_back(self, _: Any) -> None:
        self._ours.outside -= 1

    def serve(self, look: Callable[[], bool]) -> None:
        """Run until ``stop``; ``look`` as in ``_Selector``."""
        self._ours.look = look
        try:
            self.run_forever()
        finally:
            self._ours.look = nothing

    def hurry(self) -> None:
        """Have ``look`` called soon, though user code has more to run."""
        self._ours.hurried = True

    def complete(self, awaitable: Awaitable[Any]) -> Any:
        """What it answers; meanwhile the sockets are served."""
        return self.run_until_complete(_awaited(awaitable))

    def finish(self) -> None:
        """Cancel what user code has left running, and close."""
        left = asyncio.all_tasks(self)
        for task in left:
            task.cancel()
        if left:
            self.run_until_complete(asyncio.wait(left, timeout=1.0))
        self.run_until_complete(self.shutdown_asyncgens())
        self.close()


def nothing() -> bool:
    """Of a loop in which nothing is begun."""
    return False


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
