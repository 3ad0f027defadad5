"""In the process of ``penstock debug``: Ctrl-C is heard, also by who has just begun to wait for a key.

Python's handler of a signal runs between two steps of the main thread. A signal that comes after the last
step and before ``input()`` has begun to wait wakes nobody, and waits for the next key. So a thread that hears
of it as well says it again, until it has been heard.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any, Callable, Optional

SOON = 0.2
"""Seconds that the main thread has, each time."""

Handler = Callable[[int, Optional[FrameType]], Any]


def listen(handler: Handler) -> None:
    """Have ``handler`` called for each SIGINT, in the main thread, which calls this. For life."""
    heard = threading.Event()

    def hear(number: int, frame: Optional[FrameType]) -> None:
        heard.set()
        handler(number, frame)

    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGINT, hear)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    main = threading.get_ident()
    threading.Thread(target=_nudge, args=(reading, main, heard), daemon=True).start()


def _nudge(reading: int, main: int, heard: threading.Event) -> None:
    while numbers := os.read(reading, 64):
        if signal.SIGINT not in numbers:
            continue
        if heard.wait(SOON):
            heard.clear()
        else:
            signal.pthread_kill(main, signal.SIGINT)  # and word of that comes by the pipe again
