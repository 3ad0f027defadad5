"""In the worker of a group: the ``JobContext`` of the attempt in hand."""

from __future__ import annotations

import logging
import os
import threading
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from penstock.pipeline.context import part
from penstock.runtime.jobwire import JobNote, Work
from penstock.tasks.context import Checkpoint, JobContext


class LiveJobContext(JobContext):
    """Tells the supervisor what the code says."""

    def __init__(
        self,
        work: Work,
        *,
        config: Mapping[str, Any],
        log: logging.Logger,
        stopping: Callable[[], bool],
        say: Callable[[JobNote], None],
        nudge: Callable[[], None],
        voice: Optional[Callable[[], Any]] = None,
    ) -> None:
        """``say`` sends; ``nudge`` has whoever listens to the supervisor call ``tell`` within a second.
        ``voice``: makes, or has, what publishes; None: nobody hears it."""
        self.id = work.id
        self.attempt = work.attempt
        self.fence = work.fence
        self.resume = Checkpoint(work.resume_uri, work.resume_step) if work.resume_uri else None
        self.replica, self.replicas = 0, 1
        self.config = config
        self.log = log
        self.emitted, self.progressed, self.published = [], [], []
        self.wrote = False
        """Whether it has made its own directory."""
        self.has_looked = False
        """Whether its code asks if it is cancelled, and so ends by itself."""
        self._cancelled = False
        self._stopping = stopping
        self._say = say
        self._nudge = nudge
        self._voice = voice
        self._out = work.out
        self._news: Optional[Tuple[float, Dict[str, float]]] = None
        self._guard = threading.Lock()

    @property
    def cancelled(self) -> bool:  # type: ignore[override]
        """See ``JobContext``."""
        self.has_looked = True
        return self._cancelled

    def cancel(self) -> None:
        """It is to end."""
        self._cancelled = True

    @property
    def stopping(self) -> bool:  # type: ignore[override]
        """See ``JobContext``."""
        return self._stopping()

    def progress(self, done: float, total: Optional[float] = None, /, **numbers: float) -> None:
        """See ``JobContext.progress``."""
        is_first = self._news is None
        self._news = part(done, total), {name: float(numbers[name]) for name in numbers}
        if is_first:
            self._nudge()

    def publish(self, topic: str, value: Any, *, last: bool = False) -> None:
        """See ``Context.publish``."""
        if self._voice is None:
            super().publish(topic, value, last=last)
        else:
            self._voice().publish(topic, value, last=last)

    def tell(self) -> None:
        """Send what was said last, if anything was since."""
        with self._guard:
            news, self._news = self._news, None
            if news is not None:
                self._say(JobNote(self.id, self.fence, news[0], news[1]))

    def checkpoint(self, uri: str, step: int = 0) -> None:
        """See ``JobContext.checkpoint``."""
        super().checkpoint(uri, step)
        self._say(JobNote(self.id, self.fence, resume_uri=uri, resume_step=step))

    def _make_out_dir(self) -> str:
        self.wrote = True
        os.makedirs(self._out, mode=0o700, exist_ok=True)
        return self._out
