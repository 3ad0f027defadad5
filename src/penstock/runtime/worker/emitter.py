"""In the worker: from what user code hands over to the outboxes of the links.

Runs in the main thread, inside user code: it encodes at once (the value is the caller's again afterwards)
and only puts; sending is for whoever holds the lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple, Union

from penstock.errors import WiringError
from penstock.link.link import Link, Put
from penstock.link.outbox import Extras, Feed
from penstock.link.receiver import Inbound
from penstock.message.codec import Encoder
from penstock.runtime.worker.chooser import Chooser, ask
from penstock.runtime.worker.source.progress import Stretch

if TYPE_CHECKING:
    from penstock.runtime.worker.source.tray import Ticket
    from penstock.runtime.worker.windows.group import Group

Parent = Union[Inbound, Stretch, "Group", "Ticket"]
"""What an item was made from: a batch; in a source that keeps its position, a stretch of its work, in one
that draws from a queue the item there; in a window or a join, the items that went out together."""


class Route:
    """A choice of one link by the value."""

    def __init__(self, by: Chooser, links: Sequence[Link]) -> None:
        self._by = by
        self._links = list(links)
        self._names = {link.target: link for link in links}

    def choose(self, value: Any) -> Link:
        """The link for ``value``.

        Raises:
            WiringError: ``by`` names no target of this route.
        """
        answer = ask(self._by, value, f"route(by={self._by!r})")
        if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(self._links):
            return self._links[answer]
        name = answer if isinstance(answer, str) else getattr(answer, "name", None)
        link = self._names.get(name) if isinstance(name, str) else None
        if link is None:
            raise WiringError(f"route(by=...) answered {answer!r}; the targets are {', '.join(self._names)}")
        return link


class Port:
    """Where one port leads: to every link of ``copies`` and of ``keyed``, and to one of each route."""

    def __init__(self) -> None:
        self.copies: List[Link] = []
        """To whichever receiver has room."""
        self.keyed: List[Link] = []
        """To the receiver whose the value's key is."""
        self.routes: List[Route] = []
        self.telling: List[Link] = []
        """Of the routes' links those that say which items they did not get."""
        self._chosen: List[Link] = []

    @property
    def only(self) -> Optional[Link]:
        """The one link that gets every value; None: there are several, or the value has a say."""
        return self.copies[0] if len(self.copies) == 1 and not self.keyed and not self.routes else None

    def toward(self, value: Any) -> List[Put]:
        """All that is to take ``value``."""
        takers = [link.put for link in self.copies]
        if self.routes or self.keyed:
            self._chosen = chosen = [route.choose(value) for route in self.routes]
            takers += [link.toward(value) for link in self.keyed + chosen]
        return takers

    def tell(self, parent: Optional[Parent], origin: str, number: int) -> None:
        """Say on the links that were not chosen just now that this item will not come."""
        for link in self.telling:
            if link not in self._chosen and link.passage is not None:
                if parent is not None:
                    parent.emitted += 1
                link.passage.put(parent, origin, number)


class Emitter:
    """All ports of one worker."""

    def __init__(self, *, encoder: Encoder, ports: Dict[str, Port], on_spill: Callable[[int], None]) -> None:
        """``on_spill(n)`` is called when an array found no room in the arena, for the n-th time."""
        self._on_spill = on_spill
        self._encoder = encoder
        self._ports = ports
        self.children: Dict[str, int] = {}
        """How many items each port has got from the item in hand; cleared with every new one."""
        self._default = ports.get("", Port())
        self._only = self._default.only

    def out(self, value: Any, parent: Optional[Parent], origin: str, number: int) -> bool:
        """Put ``value`` on the default port as the item ``origin:number``; whether it is time to ``pump``.

        Raises:
            UnsupportedType: it cannot travel.
            WiringError: a route does not know where to.
        """
        only = self._only
        payload = self._encoder.flat.encode(value) if only is not None else None
        if only is None or payload is None:
            return self._out(value, parent, origin, number)
        if parent is not None:
            parent.emitted += 1
        return only.put(parent, origin, number, payload)

    def _out(self, value: Any, parent: Optional[Parent], origin: str, number: int) -> bool:
        """``out`` for what is not flat, or goes more than one way."""
        return self._put(self._default, value, self._encoder.deep(value), parent, origin, number)

    def feeder(self, origin: str) -> Tuple[Feed, Callable[[], int]]:
        """For a source: what takes its values, and what says how many it has taken.

        Raises, when called: as ``out``.
        """
        if self._only is not None:
            outbox = self._only.outbox
            return outbox.feeder(origin, flat=self._encoder.flat, slow=self._out), lambda: outbox.made
        number = 0

        def feed(values: Iterator[Any]) -> bool:
            nonlocal number
            for value in values:
                if value is not None:
                    alarm = self.out(value, None, origin, number)
                    number += 1
                    if alarm:
                        return True
            return False

        return feed, lambda: number

    def emit(
        self, port: str, value: Any, parent: Optional[Parent], origin: str, children: Dict[str, int]
    ) -> bool:
        """Put ``value`` on ``port`` as the next child of the item ``origin``; whether it is time to ``pump``.
        ``children``: how many each port has got from that item so far.

        Raises:
            UnsupportedType: it cannot travel.
            WiringError: no such port, or a route does not know where to.
        """
        place = self._ports.get(port)
        if place is None:
            import difflib  # for who has made a slip

            near = difflib.get_close_matches(port, self._ports, 1)
            raise WiringError(
                f"no port {port!r} here"
                + (f"; did you mean {near[0]!r}?" if near else "; declare it with ports=(...)")
            )
        number = children.get(port, 0)
        children[port] = number + 1
        return self._put(place, value, self._encoder.encode(value), parent, origin, number)

    def again(self, port: Port, value: Any, origin: str, number: int) -> bool:
        """Put ``value`` on ``port`` as the item ``origin:number``, which it was before; answers as ``emit``.

        Raises:
            UnsupportedType: it cannot travel.
        """
        return self._put(port, value, self._encoder.encode(value), None, origin, number)

    def _put(
        self, port: Port, value: Any, payload: bytes, parent: Optional[Parent], origin: str, number: int
    ) -> bool:
        slots, frames = self._encoder.taken()
        try:
            takers = port.toward(value)
        except BaseException:
            for slot in slots:
                slot.drop()
            raise
        extras = None
        if frames:
            self._on_spill(self._encoder.spilled)
        if slots or frames:
            nbytes = sum(slot.size for slot in slots) + sum(map(len, frames))
            extras = Extras(slots, frames, nbytes)
        for slot in slots:  # counted once so far; every further link counts on it too
            for _ in range(len(takers) - 1):
                slot.keep()
            if not takers:
                slot.drop()
        if parent is not None:
            parent.emitted += len(takers)
        if port.telling:
            port.tell(parent, origin, number)
        alarms = [put(parent, origin, number, payload, extras) for put in takers]
        return True in alarms
