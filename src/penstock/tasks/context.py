"""What the code of a job may know and do."""

from __future__ import annotations

import logging
import tempfile
from typing import Any, Mapping, NamedTuple, Optional, Tuple

from penstock.pipeline.context import Context, part
from penstock.tasks.job import MOST

LONGEST = 1024
"""Letters of a checkpoint's address: as many as the header of a message has."""


class Checkpoint(NamedTuple):
    """What an earlier attempt has saved."""

    uri: str
    step: int


class JobContext(Context):
    """The ``Context`` of a job: what a task's code gets that asks for it by annotation (``ctx: JobContext``).

    In a test of your own, make one with the values you need: ``JobContext(attempt=2)``.

    Attributes:
        id: The job's id.
        attempt: 1, and one more each time it is tried again: it failed, or its worker was stopped.
        fence: A number that is higher in every later attempt, for systems that refuse a late writer.
        resume: What the last attempt saved by ``checkpoint``, a ``uri`` and a ``step``; ``None``: nothing.
        cancelled: True once it is to end: somebody has cancelled it, or its time is up. Code that has looked
            may end in its own way within the grace; other code gets a ``SystemExit`` where it is.
        stopping: True once its worker is to end. Save what you have, and ``raise Retry()``: while a worker
            ends that counts as no failure.
        config: The ``[config]`` of ``penstock.toml``, read-only.
        log: A standard logger; its lines land in the log of this attempt.
        progressed: What ``progress`` was called with, where nobody runs jobs.
    """

    def __init__(
        self,
        *,
        id: str = "",
        attempt: int = 1,
        fence: int = 1,
        resume: Optional[Tuple[str, int]] = None,
        config: Optional[Mapping[str, Any]] = None,
    ) -> None:
        super().__init__(id=id, attempt=attempt, config=config)
        self.fence = fence
        self.resume = Checkpoint(*resume) if resume else None
        self.cancelled = False
        self.log = logging.getLogger("penstock.task")

    @property
    def out_dir(self) -> str:
        """A directory of this attempt alone, made when it is first asked for. When the job is done it is
        published under the job's id, in one step; a failed attempt's is removed."""
        if not hasattr(self, "_out_dir"):
            self._out_dir = self._make_out_dir()
        return self._out_dir

    def _make_out_dir(self) -> str:
        return tempfile.mkdtemp(prefix="penstock-job-")

    def checkpoint(self, uri: str, step: int = 0) -> None:
        """Say that what is needed to go on from here is saved at ``uri``: the next attempt, if there has to
        be one, finds it in ``resume``.

        Args:
            uri: A path, a URL, whatever your code can read.
            step: How far that was: a whole number from 0.

        Raises:
            ValueError: ``step`` is none, or larger than 2**53; or ``uri`` has more than 1024 letters.
        """
        if not _is_count(step):
            raise ValueError(f"the step of a checkpoint is a whole number from 0 to 2**53, not {step!r:.80}")
        if not _is_short(uri):
            raise ValueError(f"the uri of a checkpoint is a text of up to {LONGEST} letters, not {uri!r:.80}")
        self.resume = Checkpoint(uri, step)

    def progress(self, done: float, total: Optional[float] = None, /, **numbers: float) -> None:
        """Say how far it is: ``ctx.progress(0.4, loss=0.1)``, ``ctx.progress(40, 100)``.

        Say it as often as you like; it is written down once a second at most.

        Args:
            done: The part that is done, from 0 to 1; with ``total``, how much of that.
            total: How much there is.
            numbers: Whatever else is to be seen: losses, counts, rates.
        """
        self.progressed.append((part(done, total), {name: float(numbers[name]) for name in numbers}))

    def emit(self, port: str, value: Any, *, of: Optional[int] = None) -> None:
        """A job has one result: return it.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("a job has no ports; return its result, or submit other jobs")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST


def _is_short(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST
