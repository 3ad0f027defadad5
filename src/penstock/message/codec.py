"""Values as bytes, and back: what you send is what arrives.

One value is one msgpack value. What msgpack has no word for is an extension; its number says what:

     1 array    dtype, order, shape, bytes            below 64 KiB: it lies in the body
     2 slot     dtype, order, shape, offset, generation      in the sender's arena
     3 frame    dtype, order, shape, number           a frame of its own, where the arena had no room
     4 scalar   dtype, bytes                          NumPy's own scalars
     5.. 14     tuple set frozenset complex datetime date time timedelta uuid decimal
    15 integer beyond 64 bits    16 bytearray    17 dict with other keys than text, as pairs
    18 pickle   only where the pipeline says ``allow_pickle=True``
    19 torch    20 Arrow    21 pandas    22 PIL          the words for it: see ``foreign``
    23 blob     size, offset, generation                 bytes of 1 MiB and more, in the sender's arena
    24 passed   dtype, order, shape, start, offset, generation, address       in another's arena

Dataclasses, msgspec Structs and enums travel as their fields and values; at the other side the annotation
of the parameter says what is built of them (``shape.py``), and nothing is ever imported because a
message says so, but NumPy and the four libraries of ``foreign``. Anything else is an error at the sender.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import uuid
from typing import Any, Callable, Dict, List, Optional, Tuple

import msgspec

from penstock.errors import EnvironmentFault, PeerError, UnsupportedType
from penstock.message import arrays, foreign, moments
from penstock.message.arena import Arena
from penstock.message.envelope import array_head
from penstock.message.flat import LONG, PLAIN, Flat
from penstock.message.loans import Loans
from penstock.message.pickles import pickled, unpickled
from penstock.message.source import Source
from penstock.message.views import Place, Views

ARRAY, SLOT, FRAME, SCALAR, TUPLE, SET, FROZENSET, COMPLEX = range(1, 9)
DATETIME, DATE, TIME, TIMEDELTA, UUID, DECIMAL, INTEGER, BYTEARRAY, PAIRS, PICKLE = range(9, 19)
BLOB, PASSED = 23, 24

Ext = msgspec.msgpack.Ext
_pack = msgspec.msgpack.Encoder().encode
_KEYS = frozenset((str, int, float, bool, bytes, type(None)))


class Encoder:
    """Makes bytes of values, in the worker's main thread, at the moment user code hands them over.

    (Not later: a source that fills the same buffer again and again would overwrite what waits.)
    """

    def __init__(
        self, arena: Optional[Arena], *, allow_pickle: bool = False, views: Optional[Views] = None
    ) -> None:
        """``arena``: for large arrays; None: everything lies in the body, which is then self-contained.
        ``views``: of others' arenas, which are passed on."""
        self._arena = arena
        self._pickle = allow_pickle
        self.way_out = "; or say Pipeline(..., allow_pickle=True)"
        """For who may not send a pickle; none where there is no pipeline."""
        self.flat = Flat(_small)
        """For values that need nothing beside their bytes."""
        self._loans = Loans(arena, arrays.LARGE)
        self.empty = self._loans.empty
        """Makes an array in the arena for user code to fill."""
        self._views = Views() if views is None else views
        self.slots: List[Any] = []
        """Those of the last value, or what has ``Passed`` on others': counted for who drops them."""
        self.frames: List[Any] = []
        """The frames of the last value."""
        self.bares = False
        """Whether frames may be views of the arrays: they are copied before anybody writes there."""
        self.spilled = 0
        """Arrays that found no room in the arena so far."""

    def encode(self, value: Any) -> bytes:
        """One value. What it needs beside the bytes is in ``slots`` and ``frames``: see ``taken``.

        Raises:
            UnsupportedType: a part of it does not travel; the message says which and what to do.
        """
        payload = self.flat.encode(value)
        return payload if payload is not None else self.deep(value)

    def deep(self, value: Any) -> bytes:
        """``encode`` for a value that ``flat`` has refused.

        Raises:
            UnsupportedType: as ``encode``.
        """
        try:
            return _pack(self._lower(value))
        except BaseException as error:
            self._give_up()
            if isinstance(error, RecursionError):
                raise UnsupportedType(
                    "the value contains itself, or is nested too deeply to travel"
                ) from None
            if isinstance(error, UnicodeEncodeError):
                raise UnsupportedType(
                    f"text that is not valid Unicode cannot travel ({error}); send bytes"
                ) from None
            raise

    def lent(self, value: Any) -> bool:
        """Whether ``value`` is an array that ``empty`` made."""
        return self._loans.is_of(value)

    def taken(self) -> Tuple[List[Any], List[Any]]:
        """``slots`` and ``frames`` of the last value, now the caller's."""
        slots, frames = self.slots, self.frames
        self.slots, self.frames = [], []
        return slots, frames

    def _give_up(self) -> None:
        for slot in self.taken()[0]:
            slot.drop()

    def _lower(self, value: Any) -> Any:
        """``value`` in words that msgpack has."""
        kind = type(value)
        if kind in PLAIN:
            if kind is bytes and len(value) >= LONG:
                return self._blob(value)
            return value if kind is not int or -(2**63) <= value < 2**64 else Ext(INTEGER, b"%x" % value)
        lower = _LOWER.get(kind)
        if lower is not None:
            return lower(self, value)
        if arrays.is_array(value):
            _LOWER[kind] = Encoder._array  # known from now on; NumPy may not be there when this is imported
            return self._array(value)
        said = self._foreign(value)
        return said if said is not None else self._built(value)

    def _built(self, value: Any) -> Any:
        """What is built of fields, as these; for the rest a pickle, where that is allowed."""
        if isinstance(value, enum.Enum):
            return self._lower(value.value)
        if isinstance(value, msgspec.Struct):
            return self._struct(value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {f.name: self._lower(getattr(value, f.name)) for f in dataclasses.fields(value)}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return self._tuple(value)
        if self._pickle:
            return Ext(PICKLE, pickled(value))
        raise UnsupportedType(_refusal(value, self.way_out))

    def _foreign(self, value: Any) -> Optional[Any]:
        """A scalar of NumPy's, or a value of a library known to ``foreign``; None for any other."""
        if arrays.is_scalar(value):
            return Ext(SCALAR, _pack(arrays.scalar_words(value)))
        try:
            said = foreign.words(value, self.empty)
        except UnsupportedType:
            if self._pickle:
                return Ext(PICKLE, pickled(value))
            raise
        return None if said is None else Ext(said[0], _pack(self._lower(said[1])))

    def _list(self, value: List[Any]) -> Any:
        return [self._lower(part) for part in value]

    def _dict(self, value: Dict[Any, Any]) -> Any:
        kinds = set(map(type, value))
        if kinds <= _KEYS and (int not in kinds or all(map(_is_short, value))):
            return {key: self._lower(part) for key, part in value.items()}
        return Ext(PAIRS, _pack([[self._key(key), self._lower(part)] for key, part in value.items()]))

    def _tuple(self, value: Any) -> Any:
        return Ext(TUPLE, _pack([self._lower(part) for part in value]))

    def _set(self, value: Any) -> Any:
        return Ext(SET if type(value) is set else FROZENSET, _pack([self._key(part) for part in value]))

    def _key(self, value: Any) -> Any:
        """A key of a dict or a part of a set, which must be one again where it arrives."""
        built = _built_of_fields(value)
        if built is not None:
            raise UnsupportedType(
                f"a {_name(built)} arrives as its fields, so it cannot be a key of a dict or lie in a set;"
                " send a list of them, or of pairs"
            )
        return self._lower(value)

    def _struct(self, value: msgspec.Struct) -> Any:
        config = value.__struct_config__
        parts = [self._lower(getattr(value, name)) for name in value.__struct_fields__]
        if config.array_like:
            return parts if config.tag is None else [config.tag, *parts]
        fields: Dict[Any, Any] = dict(zip(value.__struct_encode_fields__, parts))
        if config.tag is not None:
            fields[config.tag_field] = config.tag
        return fields

    def _array(self, array: Any) -> Any:
        try:
            where = arrays.layout(array)
        except UnsupportedType:
            if self._pickle:
                return Ext(PICKLE, pickled(array))
            raise
        if array.nbytes < arrays.LARGE or self._arena is None:
            return Ext(ARRAY, _pack((*where, arrays.raw(array))))
        passed = self._views.passed(array)
        if passed is not None:
            self.slots.append(passed[1])
            return Ext(PASSED, _pack((*where, *passed[0])))
        slot = self._loans.sent(array)
        if slot is None:
            slot = self._arena.take(array.nbytes)
            if slot is None:
                self.spilled += 1
                self.frames.append(arrays.bare(array) if self.bares else arrays.raw(array))
                return Ext(FRAME, _pack((*where, len(self.frames) - 1)))
            arrays.fill(where, self._arena.map, slot.offset, array)
        self.slots.append(slot)
        return Ext(SLOT, _pack((*where, slot.offset, slot.generation)))

    def _blob(self, value: bytes) -> Any:
        slot = self._arena.take(len(value)) if self._arena is not None else None
        if slot is None or self._arena is None:
            return value
        self._arena.map[slot.offset : slot.offset + slot.size] = value
        self.slots.append(slot)
        return Ext(BLOB, _pack((slot.size, slot.offset, slot.generation)))


_LOWER: Dict[type, Callable[[Encoder, Any], Any]] = {
    list: Encoder._list,
    dict: Encoder._dict,
    tuple: Encoder._tuple,
    set: Encoder._set,
    frozenset: Encoder._set,
    complex: lambda _, value: Ext(COMPLEX, _pack((value.real, value.imag))),
    datetime.datetime: lambda _, value: Ext(DATETIME, moments.written(value)),
    datetime.date: lambda _, value: Ext(DATE, value.isoformat().encode()),
    datetime.time: lambda _, value: Ext(TIME, moments.written(value)),
    datetime.timedelta: lambda _, value: Ext(
        TIMEDELTA, _pack((value.days, value.seconds, value.microseconds))
    ),
    uuid.UUID: lambda _, value: Ext(UUID, value.bytes),
    decimal.Decimal: lambda _, value: Ext(DECIMAL, str(value).encode()),
    bytearray: lambda _, value: Ext(BYTEARRAY, bytes(value)),
    memoryview: lambda self, value: self._lower(bytes(value)),
}


_NOWHERE = Source(None, None)


class Decoder:
    """Makes values of bytes, in one thread at a time."""

    def __init__(self, *, allow_pickle: bool = False) -> None:
        self._pickle = allow_pickle
        self.borrow = False
        """Whether small arrays may be views of the body, as nobody keeps them."""
        self._like: Optional[arrays.Like] = None
        """What the last array that lay in a body was like."""
        self._source = _NOWHERE
        decoder = msgspec.msgpack.Decoder(ext_hook=self._raise)
        self._unpack: Callable[[Any], Any] = decoder.decode

    def values(self, body: Any, source: Source = _NOWHERE, *, count: Optional[int] = None) -> List[Any]:
        """All values of a batch's body, which must be ``count`` where that is known.

        Raises:
            PeerError: it is no such body, or an array in it is not where it says; no view of it is left.
            EnvironmentFault: a library that one of them needs is missing here; no view is left either.
        """
        self._source = source
        source.begin()
        try:
            values = (self._rows(body, count) if self.borrow else None) or self._unpack(body)
            if type(values) is not list or (count is not None and len(values) != count):
                raise PeerError(f"the body of a batch of {count or 'some'} items is not a list of them")
            return values
        except (PeerError, EnvironmentFault):
            source.disown()
            raise
        except Exception as error:  # noqa: BLE001  what hostile bytes make of all these types is not bounded
            source.disown()
            raise PeerError(f"not a value of this protocol: {error}") from None
        finally:
            self._source = _NOWHERE
            source.begin()

    def _raise(self, code: int, data: memoryview) -> Any:
        """Undo ``Encoder._lower`` for one extension."""
        if code == ARRAY:
            return self._array(data)
        if code == PICKLE:
            if not self._pickle:
                raise PeerError("a pickle arrived, and this pipeline does not say allow_pickle=True")
            return unpickled(data)
        if code in foreign.ROOMS:
            return foreign.built(code, data, self._unpack)
        read = _RAISE.get(code)
        if read is None:
            raise PeerError(f"extension {code} is not one of this protocol")
        return read(self, data)

    def _rows(self, body: Any, count: Optional[int]) -> Optional[List[Any]]:
        """The values of a body of nothing but arrays like the last one; None for any other."""
        if not count or self._like is None:
            return None
        head = array_head(count)
        return self._like.rows(body, len(head), count) if body[: len(head)] == head else None

    def _array(self, data: Any) -> Any:
        like = self._like
        if like is not None and len(data) == like.length and data[: len(like.head)] == like.head:
            return like.array(bytes(data[len(like.head) :]))
        words, order, shape, raw = self._unpack(data)
        array = arrays.own((words, order, shape), raw)
        if raw and type(raw) is bytes:
            whole = _pack(Ext(ARRAY, bytes(data)))
            self._like = arrays.Like((words, order, shape), whole[: -len(raw)], whole[: -len(data)])
        return array

    def _slot(self, data: Any) -> Any:
        words, order, shape, offset, generation = self._unpack(data)
        return self._source.slot((words, order, shape), offset, generation)

    def _passed(self, data: Any) -> Any:
        words, order, shape, start, offset, generation, address = self._unpack(data)
        place = Place(start, offset, generation, tuple(address))
        return self._source.passed((words, order, shape), place)

    def _frame(self, data: Any) -> Any:
        words, order, shape, number = self._unpack(data)
        return self._source.frame((words, order, shape), number)


_RAISE: Dict[int, Callable[[Decoder, Any], Any]] = {
    SLOT: Decoder._slot,
    PASSED: Decoder._passed,
    FRAME: Decoder._frame,
    SCALAR: lambda self, data: arrays.scalar_from(*self._unpack(data)),
    BLOB: lambda self, data: self._source.blob(*self._unpack(data)),
    TUPLE: lambda self, data: tuple(self._unpack(data)),
    SET: lambda self, data: set(self._unpack(data)),
    FROZENSET: lambda self, data: frozenset(self._unpack(data)),
    COMPLEX: lambda self, data: complex(*self._unpack(data)),
    DATETIME: lambda _, data: moments.read(datetime.datetime, data),
    DATE: lambda _, data: datetime.date.fromisoformat(str(data, "ascii")),
    TIME: lambda _, data: moments.read(datetime.time, data),
    TIMEDELTA: lambda self, data: datetime.timedelta(*self._unpack(data)),
    UUID: lambda _, data: uuid.UUID(bytes=bytes(data)),
    DECIMAL: lambda _, data: decimal.Decimal(str(data, "ascii")),
    INTEGER: lambda _, data: int(bytes(data), 16),
    BYTEARRAY: lambda _, data: bytearray(data),
    PAIRS: lambda self, data: dict(map(tuple, self._unpack(data))),
}


def _small(array: Any) -> bytes:
    """An array in the body, its bytes last."""
    return _pack(Ext(ARRAY, _pack((*arrays.layout(array), arrays.raw(array)))))


def join(payloads: List[bytes]) -> bytes:
    """A body of values that are encoded already."""
    return array_head(len(payloads)) + b"".join(payloads)


def _is_short(key: Any) -> bool:
    """Whether msgpack has an integer for it, if it is one."""
    return type(key) is not int or -(2**63) <= key < 2**64


def _built_of_fields(value: Any) -> Optional[Any]:
    """``value``, or what lies in it, when it will arrive as a dict or a list."""
    if isinstance(value, (tuple, frozenset)):
        return next((built for built in map(_built_of_fields, value) if built is not None), None)
    if isinstance(value, enum.Enum):
        return _built_of_fields(value.value)
    is_dataclass = dataclasses.is_dataclass(value) and not isinstance(value, type)
    return value if is_dataclass or isinstance(value, msgspec.Struct) else None


def _name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _refusal(value: Any, way_out: str) -> str:
    name = _name(value)
    for base in (dict, list, str, int, float, bytes, set, tuple, frozenset, complex, bytearray):
        if isinstance(value, base):
            return f"a {name} cannot travel; send {base.__name__}(value), which arrives as that"
    return (
        f"a {name} cannot travel between processes. Send builtins, a dataclass, a msgspec Struct or a NumPy"
        f" array made from it; or bytes that you make and read{way_out}"
    )
