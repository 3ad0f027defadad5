"""Windows: stages of ours that put neighbouring items together in lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, ClassVar, Mapping, Optional, Union

import msgspec

from penstock.pipeline.duration import Duration
from penstock.pipeline.options import Options
from penstock.pipeline.place import Place, caller
from penstock.pipeline.plan import How, WindowPlan
from penstock.pipeline.shape import LIMIT, Argument, Arguments, Shape

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from penstock.pipeline.knobs import Common

Key = Union[str, Callable[[Any], Any], None]


class Window(Shape):
    """Puts items together in lists: ``camera >> tumbling(count=10) >> mean``."""

    how: ClassVar[How] = "window"


def tumbling(
    *,
    count: Optional[int] = None,
    time: Optional[Duration] = None,
    by: Key = None,
    limit: int = LIMIT,
    **knobs: Unpack[Common],
) -> Window:
    """Windows one after the other: each item is in one.

    ::

        readings >> tumbling(count=10) >> mean
        readings >> tumbling(count=1000, time="5s", by="user") >> store

    A window opens with an item when none is open. It closes when it has ``count`` items, or ``time`` after
    it has opened, whichever comes first. What comes out is a list of its items, in the order of their
    arrival. Windows that are open when nothing more can come go out as they are.

    Args:
        count: Items of one window.
        time: How long one is open, with its unit: ``"5s"``. Time is that of arrival.
        by: What has windows of its own: a key (or attribute) of the item, or a function of it at the top
            level of a module.
        limit: Items that are kept at most. One more, and the oldest window goes out before its time.
        knobs: As of a stage: ``name``, ``interpreter``, ``on_full`` ...

    Raises:
        WiringError: neither ``count`` nor ``time``; a value that cannot be.
    """
    said = {"count": count, "time": time, "limit": limit}
    return _window("tumbling", _tumbling, said, by, knobs, caller())


def _tumbling(said: Arguments, ask: Argument) -> WindowPlan:
    if said["count"] is None and said["time"] is None:
        raise ask.refuse('): when does a window close? Say count=10, time="5s", or both')
    return WindowPlan(count=ask.number("count", said["count"]), time=ask.time("time", said["time"]))


def sliding(
    *,
    count: Optional[int] = None,
    time: Optional[Duration] = None,
    step: Union[int, Duration],
    by: Key = None,
    limit: int = LIMIT,
    **knobs: Unpack[Common],
) -> Window:
    """Windows that overlap: a new one every ``step``.

    ::

        readings >> sliding(count=10, step=2) >> mean
        readings >> sliding(time="10s", step="1s") >> rate

    The first window opens with the first item. By ``count``, the next opens with the ``step``-th item after
    it; by ``time``, ``step`` later, if something comes while it would be open. Windows that are open when
    nothing more can come go out as they are: they have fewer items.

    Args:
        count: Items of one window; ``step`` is a number then.
        time: How long one is open; ``step`` is a time then. Time is that of arrival.
        step: From one window's beginning to the next's; not more than the window itself.
        by: As of ``tumbling``.
        limit: As of ``tumbling``.
        knobs: As of a stage.

    Raises:
        WiringError: not one of ``count`` and ``time``; a value that cannot be.
    """
    said = {"count": count, "time": time, "step": step, "limit": limit}
    return _window("sliding", _sliding, said, by, knobs, caller())


def _sliding(said: Arguments, ask: Argument) -> WindowPlan:
    count, time, step = said["count"], said["time"], said["step"]
    if (count is None) == (time is None):
        raise ask.refuse('): say either count=10, step=2 or time="10s", step="1s"')
    if count is not None:
        rule = WindowPlan(count=ask.number("count", count), step=ask.number("step", step))
    else:
        rule = WindowPlan(time=ask.time("time", time), every=ask.time("step", step))
    if rule.step > rule.count or rule.every > rule.time:
        raise ask.refuse(f"step={step!r}): is more than a window, so items between would be in none")
    return rule


def session(*, gap: Duration, by: Key = None, limit: int = LIMIT, **knobs: Unpack[Common]) -> Window:
    """Windows of what comes close together: one closes when nothing has come for ``gap``.

    ::

        clicks >> session(gap="30m", by="user") >> visit

    Args:
        gap: The pause that ends a window, with its unit. Time is that of arrival.
        by: As of ``tumbling``.
        limit: As of ``tumbling``.
        knobs: As of a stage.

    Raises:
        WiringError: a value that cannot be.
    """
    return _window("session", _session, {"gap": gap, "limit": limit}, by, knobs, caller())


def _session(said: Arguments, ask: Argument) -> WindowPlan:
    return WindowPlan(gap=ask.time("gap", said["gap"]))


def _window(
    verb: str,
    rule: Callable[[Arguments, Argument], WindowPlan],
    said: Arguments,
    by: Key,
    knobs: Mapping[str, Any],
    place: Place,
) -> Window:
    asked = None if by is None else Argument(verb, place).key("by", by)

    def whole(said: Arguments, ask: Argument) -> WindowPlan:
        limit = said["limit"]
        found = msgspec.structs.replace(rule(said, ask), by=asked, limit=ask.number("limit", limit))
        if found.limit < found.count:
            raise ask.refuse(f"limit={limit}): a window of {found.count} items could never be full")
        return found

    return Window(verb, whole, said, Options().with_knobs(Window.how, knobs, place), place)
