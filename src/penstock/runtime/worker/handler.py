"""In the worker: user code behind one way of calling it.

Whatever the user wrote (a function, a generator, a class) becomes ``call(item)``, which answers None, one
value, or an iterator of values.
"""

from __future__ import annotations

import traceback
from typing import Any, Callable, Iterator, Optional

from penstock.errors import EnvironmentFault, PenstockError, Reject, Retry, UserError, WiringError
from penstock.message.envelope import Failure
from penstock.message.shape import converter
from penstock.pipeline.context import Context
from penstock.pipeline.duration import seconds
from penstock.pipeline.signature import Signature, describe
from penstock.runtime.worker.hostwide import once

STEP = "__penstock_step__"
"""The attribute of an exception that says in which step of a process it was raised."""

TRACEBACK = 16_000
"""Characters of a traceback that travel; the end of it is what matters."""


ROOMS = ("runtime", "link", "message", "pipeline", "tasks", "testing")
"""Of ours: frames there tell users nothing."""

NEVER = (Reject, UserError, EnvironmentFault)
"""What another try would not change: the same value will not travel, a missing library not be there."""


class GoesBack(Exception):
    """Raised around user code: the item was not tried, and is for somebody else."""


class Handler:
    """One replica's user code."""

    def __init__(
        self,
        target: Any,
        context: Context,
        *,
        hostwide: str,
        loop: Callable[[], Any],
        batches: bool = False,
    ) -> None:
        """``hostwide``: the file that says whether this host is set up for it. ``loop``: makes, or has,
        the ``Loop`` for async code. ``batches``: it is called with many items, whose types are whoever calls
        it to see to."""
        self._loop = loop
        self._hostwide = hostwide
        self._target = target
        self._context = context
        self.signature: Signature = describe(target)
        self._object: Any = target
        self._convert = None if batches else converter(self.signature.item_type)
        self.yields = self.signature.is_generator
        """Whether a call answers a stream of values rather than one."""
        self.call: Callable[[Any], Any] = _unready
        """Set by ``setup``, as ``begin``."""
        self.prepare: Optional[Callable[[Any], Any]] = None
        """What each item of a batch goes through before the call."""
        self.begin: Callable[[Any, Context], Any] = _unready
        """``call`` with a Context of the item's own. Of async code it answers what is to be awaited or, of a
        generator, iterated over."""

    def setup(self) -> None:
        """Make the instance, if the target is a class, and let it set itself up."""
        if self.signature.is_class:
            self._object = self._target()
            if hasattr(self._object, "setup_host"):
                name = self.signature.setup_host_context
                once(self._hostwide, lambda: self._optional("setup_host", name))
            self._optional("setup", self.signature.setup_context)
        self.call, self.begin = self._bind(), self._bind_each()

    def teardown(self) -> None:
        """Let the instance clean up."""
        if self.signature.is_class and self._object is not self._target:
            self._optional("teardown", self.signature.teardown_context)

    def iterate(self, **start: Any) -> Iterator[Any]:
        """What a source makes. ``start``: from where, for one that takes that.

        Raises:
            WiringError: it makes nothing to iterate over.
        """
        name = self.signature.call_context
        made = self._object(**{name: self._context}, **start) if name else self._object(**start)
        if self.signature.is_async and hasattr(made, "__aiter__"):
            from penstock.runtime.worker.source.drawn import Drawn

            return Drawn(made, self._loop())
        if made is None or not hasattr(made, "__iter__"):
            raise WiringError(
                f"a source yields its items; {self._target.__qualname__} returned {type(made).__name__}"
            )
        return iter(made)

    def _bind(self) -> Callable[[Any], Any]:
        # The method, not the instance: CPython calls that without leaving its loop (47 of 185 ns an item).
        function = self._object.__call__ if self.signature.is_class else self._object
        name, context, convert = self.signature.call_context, self._context, self._convert
        if name is None and convert is None:
            return function  # type: ignore[no-any-return]
        if name is None:
            return lambda item: function(convert(item))  # type: ignore[misc]
        if convert is None:
            return lambda item: function(item, **{name: context})
        return lambda item: function(convert(item), **{name: context})

    def _bind_each(self) -> Callable[[Any, Context], Any]:
        function = self._object.__call__ if self.signature.is_class else self._object
        name, convert = self.signature.call_context, self._convert or _as_it_is
        if name is None:
            return lambda item, _: function(convert(item))
        return lambda item, context: function(convert(item), **{name: context})

    def _optional(self, method: str, name: Optional[str]) -> None:
        function = getattr(self._object, method, None)
        if function is not None:
            answer = function(**{name: self._context} if name else {})
            if hasattr(answer, "__await__"):
                self._loop().complete(answer)


def failure(index: int, error: BaseException, *, unread: bool = False, shared: bool = False) -> Failure:
    """What the sender is told of an exception."""
    if isinstance(error, GoesBack):
        return unbegun(index)
    after, text = None, one_line(error)
    wanted = getattr(error, "after", None) if isinstance(error, Retry) else None
    if wanted is not None:
        try:
            after = seconds(wanted)
        except ValueError as wrong:
            text = f"{text} (the usual back-off, because Retry(after=...): {wrong})"
    return Failure(
        index=index,
        error=text,
        traceback="" if isinstance(error, (Reject, Retry)) else user_traceback(error),
        reject=isinstance(error, NEVER),
        after=after,
        unread=unread,
        shared=shared,
    )


def unbegun(index: int, *, unread: bool = False) -> Failure:
    """What the sender is told of an item that goes back untried: it is nobody's failure."""
    return Failure(index, "", unread=unread, unbegun=True)


def one_line(error: BaseException) -> str:
    """``ValueError: not a number``, in one line of bearable length."""
    try:
        text = _sendable(" ".join(str(error).split())[:500])
    except Exception as another:
        text = f"(and its __str__ raised {type(another).__name__})"
    step = getattr(error, STEP, "")
    if not isinstance(error, (Reject, Retry)) or not text:
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"{step}: {text}" if step else text


def user_traceback(error: BaseException) -> str:
    """The traceback from the user's first frame on. Where all are ours, none if we meant to refuse (a value
    that cannot travel), and all if it is a fault."""
    frames = error.__traceback__
    while frames is not None and is_ours(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    if frames is None and not isinstance(error, PenstockError):
        frames = error.__traceback__
    try:
        lines = traceback.format_exception(type(error), error, frames)
    except Exception as another:
        lines = [f"(no traceback: {type(error).__name__} made its formatting raise {type(another).__name__})"]
    return _sendable("".join(lines)[-TRACEBACK:])


def _sendable(text: str) -> str:
    """``text`` with what is no valid Unicode spelled out: file names may hold such, and the wire does not."""
    return text.encode("utf-8", "backslashreplace").decode()


def is_ours(file: str) -> bool:
    """Whether a frame of that file is no user code."""
    return any(f"/penstock/{room}/" in file for room in ROOMS)


def _as_it_is(item: Any) -> Any:
    return item


def _unready(*_: Any) -> Any:
    raise RuntimeError("setup has not run")
