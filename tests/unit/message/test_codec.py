"""What you send is what arrives: every type that travels, alone and inside every other."""

from __future__ import annotations

import datetime
import decimal
import enum
import io
import pathlib
import sys
import uuid
from collections import OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import given

from penstock.errors import PeerError, UnsupportedType
from penstock.message.codec import Decoder, Encoder, join
from tests.unit.message.values import anything, words


def there_and_back(value: Any, *, allow_pickle: bool = False) -> Any:
    payload = Encoder(None, allow_pickle=allow_pickle).encode(value)
    (arrived,) = Decoder(allow_pickle=allow_pickle).values(join([payload]), count=1)
    return arrived


@given(anything)
def test_what_you_send_is_what_arrives(value: Any) -> None:
    assert words(there_and_back(value)) == words(value)


EXAMPLES = [
    2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**400, -(10**400),
    float("nan"), float("-inf"), -0.0, complex("nan-0j"),
    "", "\0", "naïve ☃ 𝄞", b"", b"\0" * 1000, bytearray(b"xy"),
    datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31, 23, 59, 59, 999_999, fold=1),  # noqa: DTZ001
    datetime.datetime(2024, 2, 29, 23, 59, 59, 999_999, datetime.UTC),
    datetime.datetime(1900, 1, 1, tzinfo=datetime.timezone(-datetime.timedelta(0, 1172, 500))),
    datetime.datetime(2000, 1, 1, fold=1, tzinfo=datetime.timezone(datetime.timedelta(0, 0, 1))),
    datetime.time(1, tzinfo=datetime.timezone(-datetime.timedelta(0, 0, 999_999))),
    datetime.date.min, datetime.time.max, datetime.time(1, tzinfo=datetime.UTC),
    datetime.timedelta.min, datetime.timedelta.max,
    uuid.UUID(int=0), decimal.Decimal("-0.000"), decimal.Decimal("sNaN123"), decimal.Decimal("1E+999999"),
    (), (1,), ((), [()]), set(), frozenset({frozenset()}), {(1, 2): {3: (4,)}}, {None: 1, 2.5: 2, b"x": 3},
    {2**70: 1, -(2**70): 2}, {"a": {2**64: {1, 2}}}, {True: "yes", "": "", -1: -1},
    [[[[]]]], {"a": [1, (2, {3}), {"b": b"c"}]},
]  # fmt: skip


@pytest.mark.parametrize("value", EXAMPLES, ids=lambda value: repr(value)[:40])
def test_the_edges_of_every_type_arrive(value: Any) -> None:
    assert words(there_and_back(value)) == words(value)


def test_a_flat_dict_arrives_as_it_was_whatever_came_before() -> None:
    encoder, decoder = Encoder(None), Decoder()
    values: list[Any] = [
        {"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"b": "x", "a": 3}, {"a": 1.5, "b": "x"}, {"a": 1},
        {"a": True, "b": "x"}, {"a": 2**70, "b": "x"}, {"a": (1,), "b": "x"}, {"a": 1, "c": "x"}, {}, 7,
    ]  # fmt: skip
    for value in values * 3:
        assert words(decoder.values(join([encoder.encode(value)]))) == words([value])


def test_a_batch_of_thousands_arrives_in_order() -> None:
    encoder = Encoder(None)
    for count in (0, 1, 15, 16, 65_535, 65_536):
        body = join([encoder.encode(number) for number in range(count)])
        assert Decoder().values(body, count=count) == list(range(count))


def test_a_memoryview_arrives_as_its_bytes() -> None:
    assert there_and_back(memoryview(b"abcdef")[::2]) == b"ace"


# ------------------------------------------------------------------------------ built of fields


class Colour(enum.Enum):
    RED = 1.5
    BLUE = (1, 2)


class Pair(NamedTuple):
    left: int
    right: Any


class Point(msgspec.Struct, frozen=True, rename="camel", tag="point", omit_defaults=True):
    x_y: int
    name: str = "p"


class Row(msgspec.Struct, array_like=True, tag=7):
    a: int
    b: Any


@dataclass
class Person:
    name: str
    tags: set[str] = field(default_factory=set)
    where: Any = None


def test_what_is_built_of_fields_arrives_as_its_fields() -> None:
    assert there_and_back(Person("Ada", {"x"}, Pair(1, Colour.BLUE))) == {
        "name": "Ada",
        "tags": {"x"},
        "where": (1, (1, 2)),
    }
    assert there_and_back(Point(3)) == {"type": "point", "xY": 3, "name": "p"}
    assert there_and_back([Row(1, (2,)), Colour.RED]) == [[7, 1, (2,)], 1.5]
    assert there_and_back({Colour.BLUE: Pair(1, 2)}) == {(1, 2): (1, 2)}


# ------------------------------------------------------------------------------------- refused

Untyped = namedtuple("Untyped", "a")  # noqa: PYI024  the older way to write one


class Text(str):
    __slots__ = ()


class Count(int):
    pass


class Bytes(bytes):
    pass


class Pairs(tuple[Any, ...]):
    __slots__ = ()


class Thing:
    pass


def unsupported() -> dict[str, Any]:
    return {
        "builtins.object": object(),
        "Thing": Thing(),
        "builtins.function": unsupported,
        "builtins.generator": (n for n in range(3)),
        "builtins.type": Thing,
        "builtins.module": sys,
        "builtins.ellipsis": ...,
        "builtins.range": range(3),
        "builtins.slice": slice(3),
        "_io.StringIO": io.StringIO(),
        "collections.OrderedDict": OrderedDict(a=1),
        "collections.defaultdict": defaultdict(int),
        "collections.deque": deque([1]),
        "PosixPath": pathlib.Path("a"),
        "Text": Text("a"),
        "Count": Count(1),
        "Bytes": Bytes(b"a"),
        "Pairs": Pairs([1]),
        "numpy.rec.recarray": np.zeros(2, [("a", "i4")]).view(np.recarray),
        "MaskedArray": np.ma.zeros(2),
        "dtype object": np.array([1, None], dtype=object),
        "StringDType": np.array(["a"], dtype=np.dtypes.StringDType()),
        "dtype [('a', 'O')]": np.zeros(2, [("a", "O")]),
    }


@pytest.mark.parametrize("name", unsupported())
@pytest.mark.parametrize("inside", [lambda v: v, lambda v: [v], lambda v: {"a": ({"b": v},)}], ids="123")
def test_what_cannot_travel_is_refused_by_name_and_with_a_way_out(name: str, inside: Any) -> None:
    with pytest.raises(UnsupportedType) as refusal:
        Encoder(None).encode(inside(unsupported()[name]))
    sentence = str(refusal.value)
    assert name in sentence
    assert "send" in sentence.lower() or "use a fixed-size dtype" in sentence


def test_the_way_out_for_a_subclass_is_its_base() -> None:
    with pytest.raises(UnsupportedType, match=r"OrderedDict cannot travel; send dict\(value\)"):
        Encoder(None).encode(OrderedDict(a=1))
    with pytest.raises(UnsupportedType, match=r"Count cannot travel; send int\(value\)"):
        Encoder(None).encode([Count(1)])


def test_the_ways_out_for_anything_else_are_three() -> None:
    with pytest.raises(UnsupportedType, match=r"Thing .*a dataclass.*bytes that you make.*allow_pickle=True"):
        Encoder(None).encode(Thing())


@dataclass(frozen=True)
class Key:
    name: str


@pytest.mark.parametrize(
    "value",
    [{Key("a")}, {Key("a"): 1}, frozenset([(1, Key("a"))]), {Point(1): 1}, {(Row.__name__, Point(1))}],
)
def test_what_would_arrive_as_a_dict_is_refused_as_a_key(value: Any) -> None:
    with pytest.raises(UnsupportedType, match=r"(Key|Point) arrives as its fields, so it cannot be a key"):
        Encoder(None).encode(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(UnsupportedType, match="contains itself, or is nested too deeply"):
        Encoder(None).encode(endless)


@pytest.mark.parametrize("value", ["\ud800", {"a": "\ud800"}, {"\ud800": 1}, [("\ud800",)], {1: "\ud800"}])
def test_text_that_is_no_unicode_is_refused_with_a_way_out(value: Any) -> None:
    with pytest.raises(UnsupportedType, match="send bytes"):
        Encoder(None).encode(value)


# ------------------------------------------------------------------------------------- pickles


class Custom:
    def __init__(self, inside: Any) -> None:
        self.inside = inside

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Custom) and self.inside == other.inside

    __hash__ = None  # type: ignore[assignment]


class Poison:
    def __reduce__(self) -> Any:
        return _explode, ()


def _explode() -> None:
    raise LookupError("as it was made")


def test_where_the_pipeline_says_so_anything_else_is_pickled() -> None:
    value = [Custom({1, 2}), OrderedDict(b=1, a=2), {"c": (Custom(None),)}, Text("x")]
    arrived = there_and_back(value, allow_pickle=True)
    assert arrived == value
    assert list(map(type, arrived)) == list(map(type, value))
    objects = np.array([1, "a", None], dtype=object)
    assert there_and_back(objects, allow_pickle=True).tolist() == [1, "a", None]


def test_a_pickle_is_not_read_where_the_pipeline_does_not_say_so() -> None:
    body = join([Encoder(None, allow_pickle=True).encode([1, Custom(1)])])
    with pytest.raises(PeerError, match="does not say allow_pickle=True"):
        Decoder().values(body)


def test_what_cannot_even_be_pickled_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedType, match="function cannot be pickled"):
        Encoder(None, allow_pickle=True).encode(lambda: None)


def test_a_pickle_that_cannot_be_read_is_the_peers_fault() -> None:
    decoder = Decoder(allow_pickle=True)
    with pytest.raises(PeerError, match=r"a pickle cannot be read by .*LookupError: as it was made"):
        decoder.values(join([Encoder(None, allow_pickle=True).encode(Poison())]))
    for pickle in (b"cnowhere\nThing\n.", b"csys\nnothing\n.", b"", b"\x80\x05garbage"):
        body = msgspec.msgpack.encode([msgspec.msgpack.Ext(18, pickle)])
        with pytest.raises(PeerError, match="a pickle cannot be read"):
            decoder.values(body)
