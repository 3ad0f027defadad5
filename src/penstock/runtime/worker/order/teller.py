"""In the worker of a stage that leads to one which takes its items in order: says which ids never arrive
there.

A stage answers None, or yields seven things of one; whoever gives items in order further down has to know
that nothing more comes of that item. What is said is in ``link.passage``; here is when: once an item's code
is through. One that failed comes again, and nothing is said.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Mapping

from penstock.link.passage import Passage
from penstock.link.receiver import Inbound
from penstock.runtime.worker.emitter import Emitter
from penstock.runtime.worker.live import LiveContext
from penstock.runtime.worker.several.stock import Parcel

Call = Callable[[Any], Any]


class Teller:
    """Speaks for one worker, to all below it who want to know."""

    def __init__(
        self, ports: Mapping[str, List[Passage]], *, emitter: Emitter, context: LiveContext, yields: bool
    ) -> None:
        """``ports``: where it is said, by port. ``yields``: a call answers a stream of values."""
        self._ports: Dict[str, List[Passage]] = {port: list(found) for port, found in ports.items() if found}
        self._all = [passage for found in self._ports.values() for passage in found]
        self._only_default = list(self._ports) == [""]
        self._children = emitter.children
        self._context = context
        self._yields = yields

    def forward(self, inbound: Inbound) -> None:
        """What never came here makes nothing further down, either."""
        for passage in self._all:
            for origin, first, count in inbound.passed or ():
                inbound.emitted += 1
                passage.put(inbound, origin, first, count)

    def tell_stale(self, parcel: Parcel) -> None:
        """Of the items that are not yet taken nothing is made: they were too old to be begun."""
        for place in range(parcel.taken, parcel.taken + len(parcel.values)):
            self.tell(parcel.inbound, place, {}, given=False)

    def before(self, call: Call) -> Call:
        """``call``, and what has to be said when it is through."""
        return self._stream(call) if self._yields else self._single(call)

    def _single(self, call: Call) -> Call:
        children, only_default = self._children, self._only_default

        def told(value: Any) -> Any:
            result = call(value)
            if result is not None and only_default and not children:
                return result
            return self._through(result)

        return told

    def _stream(self, call: Call) -> Call:
        def told(value: Any) -> Any:
            made = call(value)
            return self._closing(() if made is None else made)

        return told

    def _closing(self, made: Any) -> Iterator[Any]:
        yield from made
        self._through(None)

    def _through(self, result: Any) -> Any:
        """The item in hand is through; what is still to be sent of it. (What is returned after something was
        emitted on the same port is the last of its children: its own id stands before theirs.)"""
        if result is not None and self._children.get(""):
            self._context.emit("", result)
            result = None
        inbound = self._context.inbound
        assert inbound is not None
        self.tell(inbound, self._context.index, self._children, given=result is not None)
        return result

    def tell(self, inbound: Inbound, index: int, children: Mapping[str, int], *, given: bool) -> None:
        """Of the item at ``index`` so many children were made on each port; ``given``: and itself goes on."""
        origin, number = inbound.id_at(index)
        for port, passages in self._ports.items():
            made = children.get(port, 0)
            if given and not port and not made:
                continue
            word = (f"{origin}:{number}", made, 0) if made else (origin, number, 1)
            for passage in passages:
                inbound.emitted += 1
                passage.put(inbound, *word)
