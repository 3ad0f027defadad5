"""The short way out for most items: flat dicts of text, numbers and bytes, such values, and small arrays.

msgspec alone is not enough: it would encode a tuple or a date without a word, and it would arrive as a
list or as text. So each part is looked at, and of all that happens to a small item on its way out that look
cost the most (0.35 of 1.0 us; three fields, CPython 3.11). Nearly all items of a stream are alike, though:
so the keys and types of one are compiled into one expression, and the next are held against that (0.15 us).
Small arrays of one dtype and shape differ in their bytes only: what comes before these is kept, and an array
is copied once, behind it (0.3 us for 4 KiB, of which 0.1 are the copy; by the long way 1.2).
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional

import msgspec

from penstock.errors import UnsupportedType
from penstock.message import arrays

PLAIN = frozenset((int, float, str, bytes, bool, type(None)))

LONG = 1 << 20
"""Bytes of this length and more are not flat: they go by shared memory, which is quicker from here on."""

LEARN = 1024
"""Flat dicts that were unlike, between two compilations: ever new shapes pay for few of them."""

FIELDS = 64
"""Larger dicts are always looked at part by part: a longer expression would not be quicker."""

_pack = msgspec.msgpack.Encoder().encode


class Flat:
    """Encodes flat values, and remembers what they look like."""

    def __init__(self, array: Optional[Callable[[Any], bytes]] = None) -> None:
        """``array`` encodes one by the long way, its bytes last; None: no array is flat."""
        self._array = array
        self.alike: Callable[[Any], Optional[bytes]] = unlike
        """Encodes what looks like the last; for others it says None or raises KeyError."""
        self._misses = 0

    def encode(self, value: Any) -> Optional[bytes]:
        """``value`` as msgpack; None when it is not flat, or not plain."""
        try:
            try:
                payload = self.alike(value)
            except KeyError:
                payload = None
            if payload is None:
                payload = _pack(value) if self._is_flat(value) else self._new_array(value)
            return payload
        except (OverflowError, UnicodeEncodeError):
            return None  # an integer beyond 64 bits, a lone surrogate: the encoder finds out which

    def _is_flat(self, value: Any) -> bool:
        if type(value) is not dict:
            return type(value) in PLAIN and not (type(value) is bytes and len(value) >= LONG)
        for key, part in value.items():
            if type(key) is not str or type(part) not in PLAIN or (type(part) is bytes and len(part) >= LONG):
                return False
        if not self._misses % LEARN and len(value) <= FIELDS:
            self.alike = compiled(value, "pack(d)")
        self._misses += 1
        return True

    def _new_array(self, value: Any) -> Optional[bytes]:
        """A small array, like which the next ones may be; None for anything else."""
        if self._array is None or not arrays.is_array(value) or not 0 < value.nbytes < arrays.LARGE:
            return None
        self._misses += 1
        if self._misses % LEARN != 1:
            return None
        try:
            payload = self._array(value)
        except UnsupportedType:
            return None
        self.alike = _compiled_array(value, payload)
        return payload


def _compiled_array(example: Any, payload: bytes) -> Callable[[Any], Optional[bytes]]:
    """Encodes arrays like ``example``, which ``payload`` encodes; for others it says None."""
    kind, dtype, shape = type(example), example.dtype, example.shape
    head, join = payload[: -example.nbytes], b"".join

    def alike(value: Any) -> Optional[bytes]:
        if type(value) is kind and value.dtype is dtype and value.shape == shape:
            try:
                return join((head, value))
            except TypeError:
                return None  # it does not lie in memory in C's order, or its dtype shows nobody its bytes
        return None

    return alike if alike(example) == payload else unlike


def compiled(example: Dict[str, Any], answer: str) -> Callable[[Any], Any]:
    """Answers ``answer``, an expression about ``d``, for dicts with the keys of ``example`` and values of
    the very same types; for all others None or KeyError. Keys enter it as literals, types by reference."""
    names: Dict[str, Any] = {f"t{number}": type(part) for number, part in enumerate(example.values())}
    tests = ["type(d) is dict", f"len(d) == {len(example)}"]
    tests += [f"type(d[{key!r}]) is t{number}" for number, key in enumerate(example)]
    tests += [f"len(d[{key!r}]) < {LONG}" for key, part in example.items() if type(part) is bytes]
    source = f"lambda d: {answer} if {' and '.join(tests)} else None"
    alike: Callable[[Any], Any] = eval(source, {"pack": _pack, **names})  # noqa: S307
    return alike


def unlike(_: Any) -> None:
    """In place of what has not been compiled yet."""
