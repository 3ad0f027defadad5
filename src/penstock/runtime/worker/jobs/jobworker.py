"""Runs in the worker of a group of tasks: one job at a time, in the main thread.

CUDA, signal handlers and asyncio want the main thread, so user code has it. A second thread listens to the
supervisor: jobs that come, jobs that are to end, the word to end ourselves. What must happen whatever user
code does (it may hold the GIL for an hour) is the supervisor's: it watches the time, and kills.

A signal says to the code in hand that it is to end (``Told``), unless it has looked at ``ctx.cancelled``:
then it ends by itself. Who does neither within the grace is killed.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Awaitable, Dict, Optional, Union

import msgspec

from penstock.errors import UserError
from penstock.observe import durations, page
from penstock.pipeline.context import read_only
from penstock.runtime import control
from penstock.runtime.jobwire import Cancel, JobNote, Recall, ToWorker, Work, Worked
from penstock.runtime.worker import handler, imports
from penstock.runtime.worker.channel import Channel, SupervisorLost, bound
from penstock.runtime.worker.jobs import attempt
from penstock.runtime.worker.jobs.attempt import Told
from penstock.runtime.worker.jobs.inbox import Inbox
from penstock.runtime.worker.jobs.jobcontext import LiveJobContext
from penstock.runtime.worker.jobs.printed import Printed
from penstock.runtime.worker.jobs.taskcode import TaskCode
from penstock.tasks.context import JobContext

if TYPE_CHECKING:
    from penstock.runtime.worker.topics.voice import Megaphone

APART = 1.0
"""Seconds between two words on how far a job is."""


class JobWorker:
    """Everything one worker process of a group has."""

    def __init__(self, channel: Channel, assignment: control.Assignment) -> None:
        self._channel = channel
        channel.learn(ToWorker)
        self._assignment = assignment
        self._page = page.Page(control.paths(assignment.run_dir, assignment.number)[2], create=True)
        self._words = self._page.words
        self._inbox = Inbox()
        self._printed = Printed()
        self._config = read_only(assignment.config)
        self._log = logging.getLogger(f"penstock.{assignment.stage}")
        self._codes: Dict[str, TaskCode] = {}
        self._context: Optional[LiveJobContext] = None
        """Of the attempt in hand."""
        self._stopping = False
        self._megaphone: Optional[Megaphone] = None
        """Once something is published."""
        self._raising = threading.Lock()
        self._loop: Any = None
        self._nudged, self._nudge = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def run(self) -> int:
        """From Bound to Finished; the exit status."""
        signal.signal(signal.SIGTERM, self._on_signal)
        self._channel.say(bound())
        try:
            self._load()
        except Exception as error:
            return self._fail(error, permanent=isinstance(error, (UserError, ImportError, SyntaxError)))
        self._words[page.STATE] = page.READY
        self._channel.say(control.Ready())
        threading.Thread(target=self._listen, name="penstock-supervisor", daemon=True).start()
        self._work()
        self._words[page.STATE] = page.DRAINING
        for code in self._codes.values():
            code.teardown(self._own_context())
        self._printed.close()
        if self._megaphone is not None:
            self._megaphone.close()
        self._words[page.STATE] = page.FINISHED
        self._channel.say(control.Finished())
        return 0

    # User code -------------------------------------------------------------------------------------------

    def _load(self) -> None:
        self._words[page.STATE] = page.LOADING
        for name, reference in self._assignment.tasks.items():
            self._codes[name] = TaskCode(reference, self._complete)
        self._words[page.STATE] = page.SETUP
        for code in self._codes.values():
            code.setup(self._own_context())

    def _work(self) -> None:
        """Job after job, until there are no more for us."""
        count = 0
        while (work := self._inbox.take()) is not None:
            self._attempt(work)
            count += 1
            if work.isolate or self._is_worn(count):
                self._inbox.close()
        self._give_back()

    def _attempt(self, work: Work) -> None:
        context = self._context = LiveJobContext(
            work,
            config=self._config,
            log=self._log,
            stopping=lambda: self._stopping,
            say=self._say,
            nudge=self._wake,
            voice=self._voice,
        )
        began = self._words[page.STARTED] = time.monotonic_ns()
        try:
            self._printed.begin(work.log)
        except OSError as error:
            self._log.warning(
                "no log can be made for job %s, so what it prints goes here: %s", work.id, error
            )
        try:
            worked = attempt.run(work, context, self._codes)
        finally:
            printed = self._printed.end()
            self._context = None
        self._end(began, failed=worked.how == "failed")
        context.tell()
        self._say(msgspec.structs.replace(worked, printed=True) if printed else worked)

    def _end(self, began: int, *, failed: bool) -> None:
        took = time.monotonic_ns() - began
        words = self._words
        words[page.STARTED] = 0
        words[page.BUSY] += took
        words[page.ITEMS] += 1
        words[page.FAILURES] += failed
        durations.count(words, page.DURATIONS, 1, took)

    def _is_worn(self, count: int) -> bool:
        """Whether a new process is to take our place."""
        most, rss = self._assignment.max_jobs, self._assignment.max_rss
        return bool(most and count >= most) or bool(rss and _resident() >= rss)

    def _own_context(self) -> JobContext:
        """For what belongs to no job."""
        context = JobContext(id=self._assignment.label)
        context.config, context.log = self._config, self._log
        return context

    def _voice(self) -> Any:
        """What publishes, made when something is."""
        with self._raising:  # user code may publish first in two threads at once
            if self._megaphone is None:
                from penstock.runtime.worker.topics.voice import Megaphone

                self._megaphone = Megaphone(self._assignment, self._channel.say)
            return self._megaphone.publisher

    def _complete(self, awaitable: Awaitable[Any]) -> Any:
        """What it answers, by the one loop of this process: connections outlive the job that made them."""
        if self._loop is None:
            from penstock.runtime.worker.jobs.jobloop import JobLoop

            self._loop = JobLoop()
        return self._loop.complete(awaitable)

    # What the supervisor says ----------------------------------------------------------------------------

    def _listen(self) -> None:
        """In a thread of its own, as long as the process lives."""
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        poll.register(self._nudged, select.POLLIN)
        due: Optional[float] = None
        told = float("-inf")
        try:
            while True:
                ready = {fd for fd, _ in poll.poll(None if due is None else _until(due))}
                if self._nudged in ready:
                    os.read(self._nudged, 4096)
                    due = told + APART
                if due is not None and time.monotonic() >= due:
                    due, told = None, time.monotonic()
                    self._tell()
                if self._channel.fileno() in ready:
                    for message in self._channel.receive():
                        self._heard(message)
        except SupervisorLost:
            os._exit(1)

    def _tell(self) -> None:
        """Pass on how far the job is."""
        context = self._context
        if context is not None:
            context.tell()

    def _heard(self, message: Any) -> None:
        if isinstance(message, Work):
            if not self._inbox.put(message):
                self._say(_unbegun(message))
        elif isinstance(message, Cancel):
            self._cancel(message.id)
        elif isinstance(message, Recall):
            self._give_back()
        elif isinstance(message, control.Drain):
            self._stopping = True
            self._inbox.close()
        elif isinstance(message, control.Stop):
            self._stopping = True
            self._inbox.close()
            os.kill(os.getpid(), signal.SIGTERM)
        elif isinstance(message, control.Deaf):
            self._voice().lose(message.name, message.peer, again=message.again)
        elif isinstance(message, control.Inquire):
            self._channel.say(control.Imported(imports.below(message.roots)))

    def _cancel(self, id: str) -> None:
        for work in self._inbox.remove(id):
            self._say(_unbegun(work))
        context = self._context
        if context is not None and context.id == id:
            context.cancel()

    def _wake(self) -> None:
        """Have the other thread look whether there is something to tell."""
        os.write(self._nudge, b"!")

    def _give_back(self) -> None:
        for work in self._inbox.clear():
            self._say(_unbegun(work))

    def _on_signal(self, number: int, frame: Any) -> None:
        context = self._context
        if context is None:
            self._inbox.close()
        elif not context.has_looked:
            raise Told(128 + number)

    # ---------------------------------------------------------------------------------------------------

    def _say(self, message: Union[JobNote, Worked]) -> None:
        self._channel.say(message)

    def _fail(self, error: BaseException, *, permanent: bool) -> int:
        text = handler.user_traceback(error)
        sys.stderr.write(text)
        self._channel.say(control.Failed(handler.one_line(error), text, permanent))
        return 1


def _unbegun(work: Work) -> Worked:
    return Worked(work.id, work.fence, "returned", begun=False)


def _until(due: float) -> float:
    """Milliseconds."""
    return max(0.0, due - time.monotonic()) * 1000.0


def _resident() -> int:
    """Bytes of memory that this process has now."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
