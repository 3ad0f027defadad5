"""In the worker of a sink with ``dedupe=`` and several items in hand: what it takes, less what is done."""

from __future__ import annotations

from typing import Any, Dict, List

from penstock.runtime.worker.several.stock import Item, Stock
from penstock.runtime.worker.sink.dedupe import Dedupe, Key


class DedupedStock(Stock):
    """Strikes out what was done before, and has two of one id never in hand together: if the first one fails,
    the second must still be there."""

    def __init__(self, dedupe: Dedupe, **parts: Any) -> None:
        """``parts``: as for ``Stock``."""
        super().__init__(**parts)
        self._dedupe = dedupe
        self._keys: Dict[Item, Key] = {}
        """Those in hand."""

    def fill(self, items: List[Item], values: List[Any], most: int, **how: Any) -> bool:
        """As ``Stock.fill``. (One by one: before the next is taken it must be known if this one counts.)"""
        dedupe, in_hand = self._dedupe, set(self._keys.values())
        dedupe.catch_up()
        while len(items) < most:
            had = len(items)
            full = super().fill(items, values, had + 1, **how)
            if len(items) == had:
                return full
            item = items[-1]
            key = dedupe.key(item.parcel.inbound, item.place)
            if key in in_hand:
                self._put_back(items.pop(), values.pop())
                return bool(items)
            if dedupe.is_done(key):
                values.pop()
                self._strike(items.pop())
                continue
            self._keys[item] = key
            in_hand.add(key)
            if item.parcel.inbound.attempt > 1:
                return True
        return True

    def finish(self, items: List[Item], busy: int) -> None:
        """User code is through with ``items``: those that it has done are noted."""
        for item in items:
            key = self._keys.pop(item)
            if all(failure.index != item.place for failure in item.parcel.failures):
                self._dedupe.note(key)
        super().finish(items, busy)

    def _put_back(self, item: Item, value: Any) -> None:
        """It is the next again."""
        item.parcel.values.insert(0, value)
        item.parcel.taken -= 1

    def _strike(self, item: Item) -> None:
        parcel = item.parcel
        self._dedupe.strike(parcel.inbound)
        parcel.doubles += 1
        parcel.left -= 1
        if not parcel.left:
            self._finish(parcel)
