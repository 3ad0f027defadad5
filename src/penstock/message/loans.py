"""Arrays in a worker's own arena that its user code fills, from ``ctx.empty`` until they are gone."""

from __future__ import annotations

import operator
import weakref
from typing import Any, Dict, Optional, Tuple

from penstock.message import arrays
from penstock.message.arena import Arena, Slot


class Loans:
    """All of one worker."""

    def __init__(self, arena: Optional[Arena], least: int) -> None:
        """``least``: bytes below which an array is not lent."""
        self._arena = arena
        self._least = least
        self._slots: Dict[int, Tuple[Any, Slot]] = {}

    def empty(self, shape: Any, dtype: Any) -> Optional[Any]:
        """An array to fill; None when there is no room, or it is small."""
        import numpy

        lengths = tuple(map(operator.index, shape if hasattr(shape, "__iter__") else (shape,)))
        where = (arrays.dtype_words(numpy.dtype(dtype)), "C", lengths)
        if self._arena is None or min(lengths, default=0) < 0:
            return None  # negative lengths are NumPy's to refuse
        size = arrays.size_of(where[0], lengths)
        slot = self._arena.take(size) if size >= self._least else None
        if slot is None:
            return None
        array = arrays.view(where, self._arena.map, slot.offset)
        key = id(array)
        drop_later, slots = self._arena.drop_later, self._slots

        def forget(_: Any) -> None:
            del slots[key]
            drop_later(slot)

        slots[key] = (weakref.ref(array, forget), slot)
        return array

    def is_of(self, value: Any) -> bool:
        """Whether ``value`` is one of them."""
        return id(value) in self._slots

    def sent(self, array: Any) -> Optional[Slot]:
        """The slot of an array that was lent, counted once more, and None for any other. From now on it is
        read-only."""
        loan = self._slots.get(id(array))
        if loan is None:
            return None
        array.flags.writeable = False
        loan[1].keep()
        return loan[1]
