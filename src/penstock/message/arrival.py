"""What a value would be, had it travelled: for code that is called with it in the process that made it.

Fused code must not see what unfused code would not. A dataclass arrives as its fields, an enum as its value;
lists and dicts are the receiver's own; arrays are read-only; what cannot travel is refused. All this holds
here too, but no array is copied: what arrives is a read-only view of it.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, Callable, Dict

from penstock.message import arrays
from penstock.message.codec import Decoder, Encoder, join
from penstock.message.flat import FIELDS, LEARN, PLAIN, compiled, unlike

TEXT = frozenset((str,))


class Arrival:
    """Says what values arrive as."""

    def __init__(self, encoder: Encoder, *, allow_pickle: bool) -> None:
        """``encoder``: that of the worker, which knows the arrays it has lent."""
        self._lender = encoder
        self._encoder = Encoder(None, allow_pickle=allow_pickle)
        self._decoder = Decoder(allow_pickle=allow_pickle)
        self._pickle = allow_pickle
        self._alike: Callable[[Any], Any] = unlike
        self._misses = 0

    def of(self, value: Any) -> Any:
        """What ``value`` arrives as.

        Raises:
            UnsupportedType: it could not travel.
        """
        try:
            copy = self._alike(value)
        except KeyError:
            copy = None
        if copy is not None:
            return copy
        try:
            return self._of(value)
        except RecursionError:
            return self._travelled(value)  # which says what is wrong with it

    def _of(self, value: Any) -> Any:
        kind = type(value)
        if kind in PLAIN:
            return value
        if kind is list:
            return [self._of(part) for part in value]
        if kind is tuple:
            return tuple(map(self._of, value))
        if kind is dict and TEXT.issuperset(map(type, value)):
            if PLAIN.issuperset(map(type, value.values())):
                return self._flat(value)
            return {key: self._of(part) for key, part in value.items()}
        if arrays.is_array(value):
            return self._array(value)
        if isinstance(value, enum.Enum):
            return self._of(value.value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._fields(value)
        return self._travelled(value)

    def _flat(self, value: Dict[str, Any]) -> Any:
        """A copy of a dict; the next that are like it will be held against it, as in ``flat.py``."""
        if not self._misses % LEARN and 0 < len(value) <= FIELDS:
            self._alike = compiled(value, "d.copy()")
        self._misses += 1
        return value.copy()

    def _fields(self, value: Any) -> Dict[str, Any]:
        return {field.name: self._of(getattr(value, field.name)) for field in dataclasses.fields(value)}

    def _array(self, array: Any) -> Any:
        if array.dtype.hasobject and self._pickle:
            return self._travelled(array)
        arrays.layout(array)  # refuses a dtype that does not travel
        if self._lender.lent(array):
            array.flags.writeable = False  # as itself it needs no copy when it is sent on
            return array
        return arrays.read_only(array)

    def _travelled(self, value: Any) -> Any:
        """All else is rare, and small or copied anyway: it goes there and back."""
        return self._decoder.values(join([self._encoder.encode(value)]))[0]
