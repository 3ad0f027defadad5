"""In the worker: several pieces of user code behind one way of calling them, as if each had its process.

    item ──> shrink ──> is_sharp ──> detect ──> what is sent
             map        filter       stage

A ``Chain`` is to its worker what a ``Handler`` is, and made only where there is more to do than to call one
function: so code that is alone in its process pays nothing. Every step but the last has one output at most
(``pipeline/fusion.py`` sees to it); so an item keeps its id all the way, as it would from hop to hop, and
what is raised anywhere is a failure of just that item.
"""

from __future__ import annotations

import logging
from typing import Any, Callable, Iterator, List, Optional, Sequence, Tuple

from penstock.errors import WiringError
from penstock.message.arrival import Arrival
from penstock.message.flat import PLAIN
from penstock.pipeline.plan import ONE_LINERS, Step
from penstock.runtime.control import Assignment
from penstock.runtime.worker.handler import STEP, Handler

Call = Callable[[Any], Any]


class Chain:
    """The user code of one replica, step by step."""

    def __init__(self, assignment: Assignment, handlers: Sequence[Handler], *, arrival: Arrival) -> None:
        """``handlers``: one for each of the assignment's steps."""
        self._stage = assignment.stage
        self._steps = list(zip(assignment.steps, handlers))
        self._batches = bool(assignment.batch)
        self._arrived = arrival.of
        last, handler = self._steps[-1]
        self.signature = handler.signature if self._batches else handlers[0].signature
        """Of what is called with what comes in."""
        self.yields = last.how == "split" or handler.yields
        """Whether a call answers a stream of values rather than one."""
        self.prepare: Optional[Call] = None
        self.call: Call = handler.call

    def setup(self) -> None:
        """Set up all steps, the first one first.

        Raises:
            WiringError: a step has another number of outputs than it may have.
        """
        for step, handler in self._steps:
            self._check(step, handler)
            self._said(step, handler.setup)
        calls = [(step.name, _call(step, handler)) for step, handler in self._steps]
        if self._batches:
            self.prepare, self.call = self._ahead(calls[:-1]), calls[-1][1]
        elif self.yields:
            self.call = self._many(self._composed(calls), calls[-1][0])
        else:
            self.call = self._composed(calls)

    def teardown(self) -> None:
        """Let all steps clean up; what the first of them raises, when all have."""
        errors: List[BaseException] = []
        for step, handler in self._steps:
            try:
                self._said(step, handler.teardown)
            except Exception as error:  # noqa: PERF203  the others are to clean up, too
                errors.append(error)
        if errors:
            raise errors[0]

    def iterate(self, **_: Any) -> Iterator[Any]:
        """Never: a source has its process for itself."""
        raise AssertionError(f"{self._stage} is no source")

    def _check(self, step: Step, handler: Handler) -> None:
        """What nobody could know before the code was loaded: it was named by a text."""
        if handler.signature.is_async:
            cure = "make it a @stage" if step.how in ONE_LINERS else f"say concurrency=1 of {step.name!r}"
            raise WiringError(f"{step.name!r} is async, and shares its process with plain code; {cure}")
        if handler.yields and step.how in {"map", "filter"}:
            raise WiringError(f"{step.name!r} yields, and a {step.how} answers once; say penstock.split")
        if handler.yields and step is not self._steps[-1][0]:
            raise WiringError(
                f"{step.name!r} yields, and what runs behind it in its process would fail for all it has"
                f" yielded; say fuse=False of what comes behind {step.name!r}"
            )

    def _composed(self, calls: Sequence[Tuple[str, Call]]) -> Call:
        """One call of them all. (A loop and not nested calls: it knows which one raised, at no cost.)"""
        (head, first), rest = calls[0], calls[1:]
        arrived, note = self._arrived, self._note

        def call(item: Any) -> Any:
            name = head
            try:
                value = first(item)
                for after, step in rest:
                    if value is None:
                        return None
                    if type(value) not in PLAIN:
                        value = arrived(value)
                    name = after
                    value = step(value)
            except BaseException as error:
                note(error, name)
                raise
            return value

        return call

    def _many(self, call: Call, name: str) -> Call:
        """``call``, whose answers are streams: what raises in one was raised by the step ``name``."""

        def parts(made: Any) -> Iterator[Any]:
            try:
                yield from made
            except Exception as error:
                self._note(error, name)
                raise

        def many(item: Any) -> Any:
            made = call(item)
            return None if made is None else parts(made)

        return many

    def _ahead(self, calls: Sequence[Tuple[str, Call]]) -> Optional[Call]:
        """What each item goes through before it is in a batch: to the call it is to be as it would arrive."""
        if not calls:
            return None
        return self._composed([*calls, (self._stage, self._arrived)])

    def _said(self, step: Step, hook: Callable[[], None]) -> None:
        try:
            hook()
        except Exception as error:
            self._note(error, step.name)
            raise

    def _note(self, error: BaseException, name: str) -> None:
        """Have ``error`` say where it was raised, where its stage's name does not. (It may be one that was
        raised before, elsewhere.)"""
        try:
            setattr(error, STEP, "" if name == self._stage else name)
        except Exception:  # noqa: S110  one with slots: then its traceback has to do
            pass


def _call(step: Step, handler: Handler) -> Call:
    """What a step makes of an item."""
    function = handler.call
    if step.how == "filter":
        return lambda item: item if function(item) else None
    if step.how == "split" and not handler.yields:
        return lambda item: _parts(function(item), step.name)
    return function


def _parts(made: Any, name: str) -> Any:
    """What a split returned.

    Raises:
        TypeError: it is no collection of parts.
    """
    if made is not None and (isinstance(made, (str, bytes, dict)) or not hasattr(made, "__iter__")):
        kind = type(made).__name__
        raise TypeError(f"a split returns the parts, in a list for example, and {name} returned a {kind}")
    return made


def contexts(assignment: Assignment, live: Any) -> List[Any]:
    """The ``Context`` of each step. The stage's own has all, if it comes last."""
    steps = assignment.steps
    return [
        live
        if step.name == assignment.stage and step is steps[-1] and step.how not in ONE_LINERS
        else StepContext(live, step, is_last=step is steps[-1], has_ports=step.name == assignment.stage)
        for step in steps
    ]


class StepContext:
    """The worker's context as one of several steps may use it; whatever is not said here is the worker's."""

    def __init__(self, live: Any, step: Step, *, is_last: bool, has_ports: bool) -> None:
        self.log = logging.getLogger(f"penstock.{step.name}")
        self._live = live
        self._step = step
        self._is_last = is_last
        self._has_ports = has_ports

    def __getattr__(self, name: str) -> Any:
        return getattr(self._live, name)

    def emit(self, port: str, value: Any, *, of: Optional[int] = None) -> None:
        """See ``Context.emit``.

        Raises:
            WiringError: this step has no such way out but to return.
        """
        if self._step.how in ONE_LINERS:
            raise WiringError(
                f"{self._step.name!r} is a {self._step.how} and sends what it returns; to emit, be a @stage"
            )
        if not port and not self._is_last:
            raise WiringError(
                f"{self._step.name!r} shares its process with what follows, and only what it returns goes on"
                " there; say fuse=False of what follows, or return it"
            )
        if port and not self._has_ports:
            raise WiringError(
                f"no port {port!r} here; {self._step.name!r} runs in the process of another stage"
            )
        self._live.emit(port, value, of=of)
