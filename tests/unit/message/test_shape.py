"""What the annotation of a parameter makes of what arrived."""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from collections import namedtuple
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, TypedDict, Union

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import WiringError
from penstock.message.codec import Decoder, Encoder, join
from penstock.message.shape import converter

if TYPE_CHECKING:
    from ipaddress import IPv4Address


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Size(enum.Enum):
    SMALL = 0.5
    BOX = (1, 2)


class Place(NamedTuple):
    x: float
    y: float = 0.0


Bare = namedtuple("Bare", "a b")  # noqa: PYI024  the older way to write one


class Tag(msgspec.Struct, frozen=True, rename="camel"):
    tag_name: str
    at: Optional[Place] = None


class Row(msgspec.Struct, array_like=True):
    a: int
    b: set[int]


class Cat(msgspec.Struct, tag="cat"):
    lives: int


class Dog(msgspec.Struct, tag="dog"):
    name: str


class Plain(TypedDict, total=False):
    a: int
    b: list[tuple[int, str]]


class Holding(TypedDict):
    place: Place


@dataclass
class Small:
    colour: Colour
    level: Level = Level.LOW


@dataclass
class Everything:
    small: Small
    many: list[Small]
    by_name: dict[str, Small]
    by_pair: dict[tuple[int, int], Colour]
    place: Place
    tag: Tag
    rights: Right
    image: npt.NDArray[np.float32]
    scalar: np.float64
    moment: datetime.datetime
    day: datetime.date
    hour: datetime.time
    pause: datetime.timedelta
    id: uuid.UUID
    price: decimal.Decimal
    raw: bytes
    buffer: bytearray
    number: complex
    large: int
    parts: frozenset[int]
    anything: Any
    thing: object
    perhaps: Optional[Small] = None
    made: int = field(default=7, init=False)


def arrive(value: Any, annotation: Any) -> Any:
    """``value`` as a parameter of that annotation gets it."""
    (arrived,) = Decoder().values(join([Encoder(None).encode(value)]))
    convert = converter(annotation)
    return arrived if convert is None else convert(arrived)


def test_every_type_arrives_in_the_fields_of_a_dataclass() -> None:
    small = Small(Colour.BLUE, Level.HIGH)
    sent = Everything(
        small=small, many=[small], by_name={"a": small}, by_pair={(1, 2): Colour.RED}, place=Place(1.5),
        tag=Tag("x", Place(1, 2)), rights=Right.READ | Right.WRITE, image=np.ones((2, 3), "f4"),
        scalar=np.float64(1.5), moment=datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
        day=datetime.date(2024, 1, 1), hour=datetime.time(1, 2, 3), pause=datetime.timedelta(1, 2, 3),
        id=uuid.UUID(int=5), price=decimal.Decimal("1.10"), raw=b"x", buffer=bytearray(b"y"), number=1j,
        large=2**100, parts=frozenset({1}), anything={(1,): {2}}, thing={"a": (1,)},
    )  # fmt: skip
    got = arrive(sent, Everything)
    assert type(got) is Everything
    assert got.image.dtype == np.float32
    assert got.image.tolist() == sent.image.tolist()
    assert replace(got, image=sent.image) == sent
    assert type(got.scalar) is np.float64
    assert type(got.buffer) is bytearray


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (Colour.RED, Colour),
        (Level.HIGH, Level),
        (Right.READ | Right.WRITE, Right),
        (Size.SMALL, Size),
        (Size.BOX, Size),
        (Place(1.0, 2.0), Place),
        (Bare(1, (2,)), Bare),
        (Tag("x"), Tag),
        (Row(1, {2}), Row),
        ([Small(Colour.RED)], list[Small]),
        ({"a": [Tag("x")]}, dict[str, list[Tag]]),
        ((Small(Colour.RED), 1), tuple[Small, int]),
        ((Place(1.0), Place(2.0)), tuple[Place, ...]),
        (None, Optional[Small]),
        (Small(Colour.RED), Union[Small, None]),
        (Small(Colour.RED), Small | int),
        (3, Small | int),
        ([Cat(9), Dog("Rex")], list[Cat | Dog]),
        ({"place": Place(1.0)}, Holding),
        ({Place(1.0): Colour.RED}, dict[Place, Colour]),
    ],
    ids=str,
)
def test_what_is_annotated_is_built_again(value: Any, annotation: Any) -> None:
    got = arrive(value, annotation)
    assert got == value
    assert type(got) is type(value)


@given(st.builds(Small, st.sampled_from(Colour), st.sampled_from(Level)))
def test_any_dataclass_arrives_as_itself(small: Small) -> None:
    assert arrive(small, Small) == small


@pytest.mark.parametrize(
    "annotation",
    [
        Any,
        object,
        int,
        str,
        dict,
        list[int],
        dict[str, Any],
        np.ndarray,
        npt.NDArray[np.int8],
        Plain,
        None,
        "x",
    ],
    ids=str,
)
def test_where_nothing_is_to_be_built_nothing_is_done(annotation: Any) -> None:
    assert converter(annotation) is None


@pytest.mark.parametrize(
    ("value", "annotation", "sentence"),
    [
        ({"colour": "green"}, Small, r"Invalid enum value 'green' - at `\$.colour`"),
        ({"level": 1}, Small, "missing required field `colour`"),
        ([{"colour": "red", "level": "high"}], list[Small], r"at `\$\[0\].level`"),
        ("green", Colour, "'green' is not a valid Colour"),
        (0.7, Size, "0.7 is not a valid Size"),
        (3, Tag, "Expected `object`, got `int`"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_and_says_where(value: Any, annotation: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        arrive(value, annotation)


def test_an_array_must_be_one_where_the_field_says_so() -> None:
    sent = {"image": [1, 2, 3]}
    with pytest.raises(ValueError, match=r"expected ndarray, got list - at `\$.image`"):
        arrive(sent, Image)


@dataclass
class Image:
    image: np.ndarray[Any, Any]


@dataclass
class Sized:
    size: Size


@dataclass
class Known:
    address: IPv4Address


@pytest.mark.parametrize("annotation", [Sized, list[Size], Small | Image, Known], ids=str)
def test_what_no_item_could_ever_fit_is_refused_before_the_first(annotation: Any) -> None:
    with pytest.raises(WiringError, match="no item can be made a"):
        converter(annotation)
