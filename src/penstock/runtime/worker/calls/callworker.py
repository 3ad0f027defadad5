"""Runs in the worker of a service: one process, one replica.

The main thread answers one call, or one batch of calls, after the other. The steward takes what comes
meanwhile: so a call can be cancelled, and a caller's end be seen, while user code takes its time.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Awaitable, Callable, List, Optional, Tuple

from penstock.errors import PeerError, UserError
from penstock.link.callpeer import Ends, listen
from penstock.link.ear import Ear
from penstock.observe import durations, page
from penstock.runtime import control
from penstock.runtime.worker import handler, outset, steward
from penstock.runtime.worker.calls.answering import Answering
from penstock.runtime.worker.calls.callcontext import CallContext
from penstock.runtime.worker.calls.counter import Asked, Counter
from penstock.runtime.worker.channel import Channel, SupervisorLost, bound
from penstock.runtime.worker.handler import Handler
from penstock.runtime.worker.steward import Guard


class CallWorker:
    """Everything one worker of a service has."""

    def __init__(self, channel: Channel, assignment: control.Assignment) -> None:
        _, _, page_path = control.paths(assignment.run_dir, assignment.number)
        self._assignment = assignment
        self._channel = channel
        self._page = page.Page(page_path, create=True)
        self._words = self._page.words
        self._guard = Guard(self._steward_turn, steward.tick(assignment.workers))
        self._counter = Counter(time.monotonic)
        self._ear = Ear({channel.fileno(): self._obey, self._guard.wake_fd: self._guard.hear})
        ends = Ends(replica=assignment.number, curve=assignment.curve)
        places = [f"unix://{control.paths(assignment.run_dir, assignment.number)[0]}", assignment.listen]
        self._listeners = [listen(at, self._ear, self._counter.greet, ends) for at in places if at]
        self._paused = assignment.paused
        self._draining = False
        self._stopping = False
        self._loop: Any = None
        self._context = CallContext(assignment, lambda: self._draining)

    def run(self) -> int:
        """From Bound to Finished; the exit status."""
        self._channel.say(bound(self._listeners[-1].address if self._assignment.listen else ""))
        try:
            self._load()
        except Exception as error:
            return self._fail(error, permanent=isinstance(error, (UserError, ImportError, SyntaxError)))
        self._words[page.STATE] = page.READY
        self._channel.say(control.Ready())
        self._work()
        self._words[page.STATE] = page.DRAINING
        broken: Optional[Exception] = None
        try:
            self._as_user(self._handler.teardown)
        except Exception as error:
            broken = error
        self._words[page.STATE] = page.FINISHED
        if broken is not None:
            return self._fail(broken, permanent=True)
        for listener in self._listeners:
            listener.close()
        self._channel.say(control.Finished())
        return 0

    def _load(self) -> None:
        self._words[page.STATE] = page.LOADING
        assignment = self._assignment
        target = self._as_user(lambda: outset.target(assignment.code))
        self._handler = Handler(
            target,
            self._context,
            hostwide=f"{assignment.run_dir}/{assignment.stage}.host",
            loop=self._asyncio,
            batches=bool(assignment.batch),
        )
        self._words[page.STATE] = page.SETUP
        self._as_user(self._handler.setup)
        self._answering = Answering(
            assignment, self._handler, self._context, counter=self._counter, complete=self._complete
        )

    # Calls -----------------------------------------------------------------------------------------------

    def _work(self) -> None:
        """Until we are to end, and all that had come by then is answered."""
        counter = self._counter
        while not self._stopping:
            asked = None if self._paused and not self._draining else counter.next()
            if asked is not None:
                self._do(self._gathered(asked))
            elif self._draining and not counter.waiting:
                return
            else:
                self._turn()

    def _gathered(self, first: Asked) -> List[Asked]:
        """The calls of one call of user code: all there are, up to a batch, after a wait for more."""
        assignment, counter = self._assignment, self._counter
        found = [first]
        if not assignment.batch or first.attempt > 1:  # alone: it may have killed who had it
            return found
        end = time.monotonic() + assignment.batch_wait
        while len(found) < assignment.batch:
            asked = counter.next()
            if asked is not None:
                found.append(asked)
            elif self._draining or not self._turn(end):
                break
        return found

    def _do(self, calls: List[Asked]) -> None:
        words, answering = self._words, self._answering
        words[page.SENDER], words[page.BATCH] = _blame(calls)
        try:
            calls = answering.readable(calls)
            if calls:
                self._answer(calls)
        finally:
            words[page.SENDER] = 0

    def _answer(self, calls: List[Asked]) -> None:
        words, answering = self._words, self._answering
        self._context.hand = calls
        began = words[page.STARTED] = time.monotonic_ns()
        self._guard.leave()
        try:
            outcome = answering.call(calls)
        finally:
            self._guard.enter()
            words[page.STARTED] = 0
            self._context.hand = ()
        took = time.monotonic_ns() - began
        words[page.BUSY] += took
        if outcome[1] is not None and len(calls) > 1:
            for asked in calls:  # which of them was bad shows when each is alone
                self._do([asked])
            return
        failed = answering.settle(calls, outcome)
        words[page.ITEMS] += len(calls) - failed
        words[page.FAILURES] += failed
        words[page.KEPT] = self._counter.held
        durations.count(words, page.DURATIONS, len(calls), took)

    def _complete(self, awaitable: Awaitable[Any]) -> Any:
        return self._asyncio().complete(awaitable)

    def _asyncio(self) -> Any:
        """The loop for async code, made when it is first needed."""
        if self._loop is None:
            from penstock.runtime.worker.jobs.jobloop import JobLoop

            self._loop = JobLoop()
        return self._loop

    # What comes ------------------------------------------------------------------------------------------

    def _turn(self, until: Optional[float] = None) -> bool:
        """Wait until something has come, and take it; no longer than ``until``. Whether something had."""
        left = None if until is None else until - time.monotonic()
        if left is not None and left <= 0:
            return False
        self._words[page.KEPT] = self._counter.held
        self._guard.waiting = True
        try:
            return self._ear.turn(left)
        except PeerError as error:
            self._refuse(error)
            return True
        finally:
            self._guard.waiting = False

    def _steward_turn(self) -> None:
        try:
            self._turn()
        except SupervisorLost:
            os._exit(1)

    def _refuse(self, error: PeerError) -> None:
        self._words[page.REFUSED] += 1
        text = f"{self._assignment.label} refused a message: {error}"
        self._channel.say(control.Notice("refused", text))

    def _obey(self) -> None:
        for message in self._channel.receive():
            if isinstance(message, (control.Drain, control.Stop)):
                self._stopping |= isinstance(message, control.Stop)
                self._draining = True
                self._counter.leave()
            elif isinstance(message, control.Gone):
                for listener in self._listeners:
                    listener.lose(message.peer)
            elif isinstance(message, control.Pause):
                self._paused = message.paused
            elif isinstance(message, control.Inquire):
                from penstock.runtime.worker import imports

                self._channel.say(control.Imported(imports.below(message.roots)))

    # -----------------------------------------------------------------------------------------------------

    def _as_user(self, call: Callable[[], Any]) -> Any:
        """Run user code that answers no call."""
        self._guard.leave()
        try:
            return call()
        finally:
            self._guard.enter()

    def _fail(self, error: BaseException, *, permanent: bool) -> int:
        text = handler.user_traceback(error)
        sys.stderr.write(text)
        self._channel.say(control.Failed(handler.one_line(error), text, permanent))
        return 1


def _blame(calls: List[Asked]) -> Tuple[int, int]:
    """The caller and the call that are to blame if we die now. Of several it may be any: nobody is, and each
    comes again by itself."""
    if len(calls) > 1:
        return 0, 0
    return calls[0].customer.name or 0, calls[0].call
