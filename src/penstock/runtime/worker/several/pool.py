"""In the worker of a stage with ``threads=``: threads that do what they are given."""

from __future__ import annotations

import queue
import threading
from typing import Any, Callable, Tuple


class Pool:
    """So many threads. They end with the process: user code that hangs keeps no worker alive."""

    def __init__(self, count: int) -> None:
        self._tasks: queue.SimpleQueue[Tuple[Callable[..., None], Tuple[Any, ...]]] = queue.SimpleQueue()
        for number in range(count):
            threading.Thread(target=self._live, name=f"penstock-{number}", daemon=True).start()

    def do(self, call: Callable[..., None], *arguments: Any) -> None:
        """Have one of them call that. It raises nothing."""
        self._tasks.put((call, arguments))

    def _live(self) -> None:
        while True:
            call, arguments = self._tasks.get()
            call(*arguments)
            del call, arguments  # a view of shared memory dies with the call, not with the next one
