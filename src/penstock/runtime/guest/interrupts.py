"""In a script that takes part in a pipeline: Ctrl-C, kept back while our sockets are in hand.

Python raises ``KeyboardInterrupt`` between any two steps of the main thread: also between taking a message
and writing that down. The script's own code is interrupted as ever.
"""

from __future__ import annotations

import signal
import threading
from typing import Any, Callable


class Interrupts:
    """Holds SIGINT back, and hands it over afterwards to whoever had it before."""

    def __init__(self, knock: Callable[[], None]) -> None:
        """``knock`` ends our waiting, so that an interrupt is not held back for long."""
        self.came = False
        """Whether there was one meanwhile."""
        self._knock = knock
        self._before: Any = None

    def hold(self) -> None:
        """From here on. Signals belong to the main thread; in another one there are none to hold."""
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if callable(before):
                self._before = before
                signal.signal(signal.SIGINT, self._note)

    def release(self) -> None:
        """No longer; what came is raised now, if that is what the handler does."""
        before, self._before = self._before, None
        if before is None:
            return
        signal.signal(signal.SIGINT, before)
        if self.came:
            self.came = False
            before(signal.SIGINT, None)

    def _note(self, *_: Any) -> None:
        self.came = True
        self._knock()
