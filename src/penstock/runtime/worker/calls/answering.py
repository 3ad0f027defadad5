"""In the worker of a service: calls as user code sees them, and what it makes of them as answers."""

from __future__ import annotations

from typing import Any, Awaitable, Callable, List, Optional, Tuple

from penstock.errors import PenstockError, Reject, Retry
from penstock.message.codec import Decoder
from penstock.message.shape import converter
from penstock.runtime.calls.parcel import Parcels
from penstock.runtime.control import Assignment
from penstock.runtime.worker import handler, stack
from penstock.runtime.worker.batcher import one_for_each
from penstock.runtime.worker.calls.callcontext import CallContext
from penstock.runtime.worker.calls.counter import Asked, Counter
from penstock.runtime.worker.handler import Handler

Outcome = Tuple[List[Any], Optional[BaseException]]
"""What each call has returned; or what was raised by all of them together."""


class Answering:
    """Of one replica."""

    def __init__(
        self,
        assignment: Assignment,
        handler: Handler,
        context: CallContext,
        *,
        counter: Counter,
        complete: Callable[[Awaitable[Any]], Any],
    ) -> None:
        self._handler = handler
        self._context = context
        self._counter = counter
        self._complete = complete if handler.signature.is_async else None
        self._batches = bool(assignment.batch)
        self._pad = assignment.pad
        self._stacks = self._batches and handler.signature.takes_array
        self._convert = converter(handler.signature.element_type) if self._batches else None
        self._decoder = Decoder(allow_pickle=assignment.allow_pickle)
        self._parcels = Parcels(allow_pickle=assignment.allow_pickle)

    def readable(self, calls: List[Asked]) -> List[Asked]:
        """Those whose values can be read, with them; the others have failed."""
        fit: List[Asked] = []
        for asked in calls:
            try:
                value = self._parcels.unpack(self._decoder, asked.body, asked.frames)
                asked.value = self._fitted(value, fit) if self._batches else value
            except (PenstockError, ValueError) as error:  # noqa: PERF203  each may be wrong in its own way
                self._fail(asked, error)
            else:
                fit.append(asked)
        return fit

    def _fitted(self, value: Any, fit: List[Asked]) -> Any:
        if self._convert is not None:
            return self._convert(value)
        if self._stacks:
            unfit = stack.misfit(value, fit[0].value if fit else value, pad=self._pad is not None)
            if unfit:
                raise ValueError(unfit)
        return value

    def call(self, calls: List[Asked]) -> Outcome:
        """Call user code with their values. Without the lock."""
        try:
            if not self._batches:
                return [self._completed(self._handler.call(calls[0].value))], None
            values = [asked.value for asked in calls]
            argument = stack.stack(values, self._pad) if self._stacks else values
            return list(one_for_each(self._completed(self._handler.call(argument)), len(calls))), None
        except BaseException as error:  # also what ends a program: it ends this call and not the worker
            return [], error

    def _completed(self, result: Any) -> Any:
        return result if self._complete is None else self._complete(result)

    def settle(self, calls: List[Asked], outcome: Outcome) -> int:
        """Answer them; how many have failed."""
        results, error = outcome
        if error is not None:
            for asked in calls:
                self._fail(asked, error)
            return len(calls)
        failed = 0
        for asked, result in zip(calls, results):
            asked.value = None
            try:
                body, frames = self._parcels.pack(result, bare=True)
            except PenstockError as unfit:
                self._fail(asked, unfit)
                failed += 1
            else:
                self._counter.answer(asked, body, frames)
        return failed

    def _fail(self, asked: Asked, error: BaseException) -> None:
        asked.value = None
        kind = type(error).__name__
        text = str(error) if isinstance(error, (Reject, Retry)) else handler.one_line(error)
        self._counter.fail(asked, kind, text, handler.user_traceback(error))
