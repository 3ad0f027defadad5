"""In the worker: the Context that user code gets."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from penstock.errors import WiringError
from penstock.link.receiver import Inbound
from penstock.message.codec import Encoder
from penstock.pipeline.context import Context, part, read_only
from penstock.runtime.control import Assignment
from penstock.runtime.worker.emitter import Emitter
from penstock.runtime.worker.exchange import Exchange
from penstock.runtime.worker.several.stock import Item
from penstock.runtime.worker.source.resumption import Resumption


class Voice:
    """What publishes, made when something is: whoever publishes nothing has none of it."""

    def __init__(self, assignment: Assignment, exchange: Exchange, sockets: Any) -> None:
        self.publisher: Any = None
        self.assignment = assignment
        self.exchange = exchange
        self.sockets = sockets
        self._raising = threading.Lock()

    def raised(self) -> Any:
        """The publisher. User code may be first in two threads at once."""
        with self._raising:
            if self.publisher is None:
                self.publisher = self._make()
        return self.publisher

    def _make(self) -> Any:
        from penstock.runtime.worker.topics import voice

        return voice.raised(self)

    def finish(self) -> None:
        """Wait until the run's subscribers have got everything.

        Raises:
            Stopped: the worker was told to end.
        """
        if self.publisher is not None:
            from penstock.runtime.worker.topics import voice

            voice.until_heard(self.publisher, self.exchange, self.assignment.label)

    def close(self) -> None:
        """Publish no more."""
        if self.publisher is not None:
            self.publisher.close()


class LiveContext(Context):
    """Looks at the item in hand only when asked, so an item whose code does not ask costs nothing."""

    def __init__(self, assignment: Assignment, *, exchange: Exchange, encoder: Encoder, voice: Voice) -> None:
        self.replica = assignment.replica
        self.replicas = assignment.replicas
        self.config = read_only(assignment.config)
        self.log = logging.getLogger(f"penstock.{assignment.stage}")
        self.emitter: Optional[Emitter] = None
        self.inbound: Optional[Inbound] = None
        self.index = 0
        self.resumption: Optional[Resumption] = None
        """In a source that takes ``start``."""
        self._items: Sequence[Item] = ()
        self._families: Dict[int, Dict[str, int]] = {}
        self._label = assignment.label
        self._origin = assignment.origin
        self._exchange = exchange
        self._thread = threading.get_ident()
        self._encoder = encoder
        self._voice = voice

    @property
    def id(self) -> str:  # type: ignore[override]
        """The id of the item in hand; the replica's name where there is none."""
        if self.inbound is None:
            return self._label
        origin, number = self.inbound.id_at(self.index)
        return f"{origin}:{number}"

    @property
    def attempt(self) -> int:  # type: ignore[override]
        """How often the item in hand has been delivered."""
        return self.inbound.attempt if self.inbound is not None else 1

    @property
    def stopping(self) -> bool:  # type: ignore[override]
        """Whether the pipeline drains."""
        return self._exchange.draining

    @contextlib.contextmanager
    def crowded(self) -> Iterator[None]:
        """Several items are in hand, each with a Context of its own: of this one nobody knows which it
        means."""
        mine, self._thread = self._thread, 0
        try:
            yield
        finally:
            self._thread = mine

    def hold(self, items: Sequence[Item]) -> None:
        """These are in hand together; none: nothing is."""
        self._items, self._families = items, {}
        self.inbound = items[0].parcel.inbound if items else None
        self.index = items[0].place if items else 0

    def family(self, of: int) -> Dict[str, int]:
        """How many children each port has got from that one of the items in hand together."""
        return self._families.get(of, {})

    def in_hand(self) -> List[Tuple[str, int]]:
        """The ids of the items in hand, and how often each has been delivered."""
        if not self._items:
            return [(self.id, self.attempt)]
        found = [(item.parcel.inbound, item.place) for item in self._items]
        return [("{}:{}".format(*inbound.id_at(place)), inbound.attempt) for inbound, place in found]

    def emit(self, port: str, value: Any, *, of: Optional[int] = None) -> None:
        """See ``Context.emit``."""
        if threading.get_ident() != self._thread:
            raise RuntimeError(
                "ctx.emit belongs to the call that works on the item: use the Context that this call has got,"
                " in its own thread"
            )
        assert self.emitter is not None
        if self._items or of is not None:
            alarm = self._emit_of(port, value, of)
        else:
            origin = self.id if self.inbound is not None else self._beside(port)
            parent = self.inbound if self.resumption is None else self.resumption.stretch
            alarm = self.emitter.emit(port, value, parent, origin, self.emitter.children)
        if alarm:
            self._exchange.pump()

    def _beside(self, port: str) -> str:
        """The origin of what a source emits beside what it yields."""
        return f"{self._origin if self.resumption is None else self.resumption.origin}:{port}"

    def _emit_of(self, port: str, value: Any, of: Optional[int]) -> bool:
        """``emit`` where there are several items from which it could have been made."""
        assert self.emitter is not None
        if of is None and len(self._items) == 1:
            of = 0
        if of is None or not 0 <= of < len(self._items):
            raise WiringError(
                f"ctx.emit(..., of={of}): this call has {len(self._items)} items; say from which of them"
                " it is made: of=0 is the first"
            )
        inbound = self._items[of].parcel.inbound
        origin, number = inbound.id_at(self._items[of].place)
        children = self._families.setdefault(of, {})
        return self.emitter.emit(port, value, inbound, f"{origin}:{number}", children)

    def progress(self, done: float, total: Optional[float] = None, /, **numbers: float) -> None:
        """See ``Context.progress``."""
        self._exchange.bulletin.say(self, part(done, total), {name: float(numbers[name]) for name in numbers})

    def publish(self, topic: str, value: Any, *, last: bool = False) -> None:
        """See ``Context.publish``."""
        (self._voice.publisher or self._voice.raised()).publish(topic, value, last=last)

    def empty(self, shape: Any, dtype: Any = float) -> Any:
        """See ``Context.empty``."""
        array = self._encoder.empty(shape, dtype)
        return array if array is not None else super().empty(shape, dtype)


class ItemContext(LiveContext):
    """That of one item, where a replica has several in hand."""

    def __init__(self, whole: LiveContext, item: Item, put: Callable[[str, Any], None]) -> None:
        """``whole``: that of the replica. ``put(port, value)`` emits."""
        self.__dict__.update(whole.__dict__)  # by far the quickest, and it has nothing of its own
        self.inbound, self.index = item.parcel.inbound, item.place
        self.children: Dict[str, int] = {}
        """How many each port has got from the item."""
        self._put = put

    def emit(self, port: str, value: Any, *, of: Optional[int] = None) -> None:
        """See ``Context.emit``."""
        if of:
            raise WiringError(f"ctx.emit(..., of={of}): this call has one item; leave `of` out")
        self._put(port, value)

    def progress(self, done: float, total: Optional[float] = None, /, **numbers: float) -> None:
        """See ``Context.progress``."""
        if self.inbound is not None:  # else the item is over, and nobody wants to know
            super().progress(done, total, **numbers)

    def leave(self) -> None:
        """The item is no longer in hand."""
        self.inbound, self._put = None, _too_late


def _too_late(port: str, value: Any) -> None:
    raise RuntimeError("ctx.emit came after the end of the call whose item it belongs to")
