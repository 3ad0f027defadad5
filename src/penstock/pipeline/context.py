"""What user code may know and do while it works on an item."""

from __future__ import annotations

import logging
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence, Tuple, Union

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Context:
    """Handed to user code that asks for it by annotation (``ctx: Context``), one per replica.

    A function, ``__call__``, ``setup_host``, ``setup`` or ``teardown`` may ask. In a test of your own, make
    one with the values you need: ``Context(attempt=2)``; what it emits is then kept in ``emitted``.

    Attributes:
        id: The item's id. The same item has the same id every time it is delivered, also after a crash
            of whoever made it: ``camera/0:17``, and ``camera/0:17:2`` for the third thing yielded from it.
            Of a source that began anew after a death, and may make other things: ``camera/0+1:17``.
            Of a batch: that of its first item.
        attempt: 1 at the first delivery of an item, more when it is delivered again.
        replica: Which replica this is, from 0.
        replicas: How many there were when this one was started.
        cancelled: In a service: True once nobody waits for the answer any more; what takes long may end then.
        stopping: True once the pipeline drains: a source that waits for something should return.
        config: The ``[config]`` of ``penstock.toml``: a read-only mapping; its tables are such, too, and its
            lists are tuples.
        log: A standard logger whose lines land in this replica's log.
        emitted: What ``emit`` was called with, where no pipeline runs.
        progressed: The same of ``progress``: how far, from 0 to 1, and the numbers.
        published: The same of ``publish``: topics and values.
        topic: Of a subscriber: that of the value in hand; else empty.
    """

    topic: str = ""
    cancelled: bool = False

    def __init__(
        self,
        *,
        id: str = "",
        attempt: int = 1,
        replica: int = 0,
        replicas: int = 1,
        config: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self.id = id
        self.attempt = attempt
        self.replica = replica
        self.replicas = replicas
        self.stopping = False
        self.config: Mapping[str, Any] = read_only(config or {})
        self.log: logging.Logger = logging.getLogger("penstock.stage")
        self.emitted: list[Tuple[str, Any]] = []
        self.progressed: list[Tuple[float, dict[str, float]]] = []
        self.published: list[Tuple[str, Any]] = []

    def emit(self, port: str, value: Any, *, of: Optional[int] = None) -> None:
        """Send ``value`` out of ``port`` (``""`` is the default port) as a child of the current item.

        Waits while the receivers of that port are full.

        Args:
            port: A name from ``ports=``, or ``""``.
            value: What is sent.
            of: Where a call has a batch of items: the position in it (from 0) of the one it is made from.

        Raises:
            WiringError: no such port, or no such position.
            UnsupportedType: ``value`` cannot travel.
        """
        self.emitted.append((port, value))

    def progress(self, done: float, total: Optional[float] = None, /, **numbers: float) -> None:
        """Say how far the work on this item is: ``ctx.progress(0.4, loss=0.1)``, ``ctx.progress(40, 100)``.

        Shown by ``penstock ps`` and ``top`` until the item is through, and among the events. Say it as often
        as you like: it is noted, and sent five times a second at most.

        Args:
            done: The part that is done, from 0 to 1; with ``total``, how much of that.
            total: How much there is.
            numbers: Whatever else is to be seen: losses, counts, rates.
        """
        self.progressed.append((part(done, total), {name: float(numbers[name]) for name in numbers}))

    def publish(self, topic: str, value: Any, *, last: bool = False) -> None:
        """Give ``value`` to whoever has subscribed to ``topic``: ``ctx.publish("metrics.loss", 0.1)``.

        Never waits. Who is slow misses what is too much, and that is counted; nobody else waits for it. From
        any thread.

        Args:
            topic: Any text without ``*``; dots make families, to be asked for as ``metrics.*``.
            value: What is published: anything that can be sent.
            last: Keep it, until the next of its topic, for subscribers that come later and ask for that.

        Raises:
            UserError: that is no topic.
            UnsupportedType: ``value`` cannot travel.
        """
        from penstock.message.topics import written  # in a run, whoever publishes has it

        written(topic)
        self.published.append((topic, value))

    def empty(self, shape: Union[int, Sequence[int]], dtype: npt.DTypeLike = float) -> np.ndarray[Any, Any]:
        """An uninitialised C-ordered array to fill in and send on without any copy.

        It lies in shared memory while there is room for it, else (and below 64 KiB) in ordinary memory;
        either way it is used alike. Once sent it becomes read-only: others are reading it.

        Args:
            shape: As NumPy's ``empty``.
            dtype: Any fixed-size dtype; float64 by default.
        """
        import numpy as np

        return np.empty(shape, dtype)


def read_only(value: Any) -> Any:
    """``value`` as nobody can change it: mappings as views, lists as tuples, all the way down."""
    if isinstance(value, Mapping):
        return MappingProxyType({key: read_only(each) for key, each in value.items()})
    if isinstance(value, (list, tuple)):
        return tuple(read_only(each) for each in value)
    return value


def part(done: float, total: Optional[float]) -> float:
    """How much ``done`` is of ``total``, or of 1, within 0 and 1: 101 of 100 ends nobody's work."""
    found = float(done) if total is None else (float(done) / float(total) if total else 1.0)
    return min(1.0, max(0.0, found))
