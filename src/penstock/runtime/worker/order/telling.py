"""In the worker of a stage that leads to one which takes its items in order: the loops, with a ``Teller``."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence, Set, Tuple

from penstock.link.receiver import Inbound
from penstock.runtime.worker.batcher import Batcher
from penstock.runtime.worker.consumer import Consumer
from penstock.runtime.worker.order.teller import Teller
from penstock.runtime.worker.several.stock import Item


class TellingConsumer(Consumer):
    """Gives user code one item after the other, and says what never comes of them."""

    def __init__(self, *, teller: Teller, **consumer: Any) -> None:
        super().__init__(**consumer)
        self._teller = teller

    def _calls(self, inbound: Inbound) -> Callable[[Any], Any]:
        """What to call with each item of a batch."""
        return self._teller.before(super()._calls(inbound))


class TellingBatcher(Batcher):
    """Gives user code many items in one call, and says what never comes of them."""

    def __init__(self, *, teller: Teller, **batcher: Any) -> None:
        super().__init__(**batcher)
        self._teller = teller
        self._stock.on_stale = teller.tell_stale
        self._made: Dict[Tuple[int, int], Tuple[bool, Dict[str, int]]] = {}

    def _handle(self, items: List[Item], values: List[Any]) -> None:
        self._made.clear()
        in_hand = list(items)
        super()._handle(items, values)
        failed: Set[Tuple[int, int]] = {
            (id(parcel), failure.index)
            for parcel in {item.parcel for item in in_hand}
            for failure in parcel.failures
        }
        for item in in_hand:
            key = (id(item.parcel), item.place)
            if key not in failed:
                given, children = self._made.get(key, (False, {}))
                self._teller.tell(item.parcel.inbound, item.place, children, given=given)

    def _emit_all(self, items: Sequence[Item], outputs: Sequence[Any]) -> None:
        values = outputs if len(outputs) else [None] * len(items)
        for number, item in enumerate(items):
            given, children = values[number] is not None, self._context.family(number)
            self._made[id(item.parcel), item.place] = (given, children)
        super()._emit_all(items, outputs)
