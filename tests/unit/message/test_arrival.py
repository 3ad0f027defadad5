"""What is handed from step to step in one process is what would have come by the wire, but for the copy."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from penstock.errors import UnsupportedType
from penstock.message.arena import Arena
from penstock.message.arrival import Arrival
from penstock.message.codec import Encoder
from tests.unit.message.test_codec import (
    EXAMPLES,
    Colour,
    Pair,
    Person,
    Point,
    Row,
    Thing,
    there_and_back,
    unsupported,
)
from tests.unit.message.values import anything, words

arrival = Arrival(Encoder(None), allow_pickle=False)


@given(anything)
def test_what_is_handed_on_is_what_would_arrive(value: Any) -> None:
    assert words(arrival.of(value)) == words(there_and_back(value))


FIELDS = [
    Person("Ada", {"x"}, Pair(1, Colour.BLUE)),
    [Row(1, (2,)), Colour.RED, {"who": Person("Bob")}],
    {Colour.BLUE: Pair(1, 2)},
    Point(3),
    np.float32(3),
    memoryview(b"abc"),
]


@pytest.mark.parametrize("value", [*EXAMPLES, *FIELDS], ids=lambda value: type(value).__name__)
def test_that_holds_for_the_edges_of_every_type_and_for_what_is_built_of_fields(value: Any) -> None:
    assert words(arrival.of(value)) == words(there_and_back(value))


@pytest.mark.parametrize("name", unsupported())
@pytest.mark.parametrize("inside", [lambda v: v, lambda v: [v], lambda v: {"a": ({"b": v},)}], ids="123")
def test_what_could_not_travel_is_refused_in_the_same_words(name: str, inside: Any) -> None:
    value = inside(unsupported()[name])
    with pytest.raises(UnsupportedType) as refusal:
        arrival.of(value)
    with pytest.raises(UnsupportedType) as sent:
        Encoder(None).encode(value)
    assert str(refusal.value).split(" at 0x")[0] == str(sent.value).split(" at 0x")[0]


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(UnsupportedType, match="contains itself"):
        arrival.of(value)


def test_where_pickles_are_allowed_they_are_handed_on_as_others_too() -> None:
    pickles = Arrival(Encoder(None), allow_pickle=True)
    objects = np.array([None, datetime.date(2024, 1, 1)], dtype=object)
    assert isinstance(pickles.of(Thing()), Thing)
    assert pickles.of(objects).tolist() == objects.tolist()


def test_lists_and_dicts_are_the_receivers_own() -> None:
    sent = {"a": [1, 2]}
    got = arrival.of(sent)
    got["a"].append(3)
    assert sent == {"a": [1, 2]}


@pytest.mark.parametrize("inside", [lambda v: v, lambda v: {"a": [v]}, lambda v: Person("x", where=v)])
def test_an_array_is_the_same_memory_and_cannot_be_written_to_there(inside: Any) -> None:
    array = np.arange(6).reshape(2, 3)[:, 1:]
    got = arrival.of(inside(array))
    while not isinstance(got, np.ndarray):
        got = got[0] if isinstance(got, list) else got.get("a", got.get("where"))
    assert np.shares_memory(got, array)
    assert got.tolist() == array.tolist()
    assert (got.flags.writeable, array.flags.writeable) == (False, True)


def test_an_array_that_was_lent_goes_on_as_itself_so_that_it_is_sent_without_a_copy(tmp_path: Path) -> None:
    arena = Arena(str(tmp_path / "arena"), 1 << 20)
    encoder = Encoder(arena)
    array = encoder.empty((64, 256), "f8")
    assert array is not None
    got = Arrival(encoder, allow_pickle=False).of(array)
    assert got is array
    assert not array.flags.writeable
    encoder.encode(got)
    assert len(encoder.taken()[0]) == 1
    assert encoder.spilled == 0
