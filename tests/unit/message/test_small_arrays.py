"""Small arrays that are alike: a short way out, a shorter way in, and nobody sees a difference."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import PeerError, UnsupportedType
from penstock.message.arrays import LARGE
from penstock.message.codec import Decoder, Encoder, join
from tests.unit.message.test_arrays import elements
from tests.unit.message.values import arrays

Array = npt.NDArray[Any]


def encoded(values: list[Any]) -> list[bytes]:
    encoder = Encoder(None)
    return [encoder.encode(value) for value in values]


def decoders() -> list[Decoder]:
    lending = Decoder()
    lending.borrow = True
    return [Decoder(), lending]


def assert_same(found: Array, sent: Array) -> None:
    assert type(found) is np.ndarray
    assert found.dtype == sent.dtype
    assert found.shape == sent.shape
    assert elements(found) == elements(sent)
    assert not found.flags.writeable


@given(st.lists(arrays(), min_size=1, max_size=4), st.data())
def test_they_arrive_in_whatever_company(some: list[Array], data: st.DataObject) -> None:
    values = data.draw(st.lists(st.sampled_from(some), min_size=1, max_size=20))
    body = join(encoded(values))
    for decoder in decoders():
        for _ in range(2):  # what the last one was like is known by then
            for found, sent in zip(decoder.values(body, count=len(values)), values, strict=True):
                assert_same(found, sent)


@given(array=arrays())
def test_the_short_way_says_what_the_long_way_says(array: Array) -> None:
    encoder, whole = Encoder(None), np.zeros_like(array, order="K")
    np.copyto(whole, array)  # between the fields of a dtype may lie any bytes: here it is zeros
    long = encoder.deep(whole)
    assert [encoder.encode(whole) for _ in range(3)] == [long] * 3


@pytest.mark.parametrize("count", [1, 2, 15, 16, 300])
def test_alike_ones_are_views_of_the_body_where_nobody_keeps_them(count: int) -> None:
    values = [np.full((8, 16), number, "f4") for number in range(count)]
    body = join(encoded(values))
    for decoder, shared in zip(decoders(), (False, True), strict=True):
        decoder.values(body)
        found = decoder.values(body, count=count)
        for one, sent in zip(found, values, strict=True):
            assert_same(one, sent)
            assert np.shares_memory(one, np.frombuffer(body, "u1")) is shared


def test_the_first_that_differs_is_seen() -> None:
    values: list[Any] = [np.zeros(10), np.zeros(10), np.zeros(10, "i8"), np.zeros((10, 1)), np.zeros(10), 5]
    assert [type(value) for value in values] == [np.ndarray] * 5 + [int]
    for decoder in decoders():
        for _ in range(2):
            found = decoder.values(join(encoded(values)), count=6)
            assert found.pop() == 5
            for one, sent in zip(found, values, strict=False):
                assert_same(one, sent)


@pytest.mark.parametrize(
    "other",
    [
        np.zeros((4, 6)).T, np.zeros((8, 12))[::2, ::2], np.zeros((4, 6), ">f8"), np.zeros((4, 6), "M8[s]"),
        np.zeros((4, 6), [("a", "f8")]), np.zeros(()), np.zeros(0), np.zeros((6, 4)), np.zeros(LARGE // 8),
    ],
    ids=lambda array: f"{array.dtype} {array.shape} {array.strides}",
)  # fmt: skip
def test_what_is_not_alike_takes_the_long_way(other: Array) -> None:
    encoder, usual = Encoder(None), np.ones((4, 6))
    for value in (usual, other, usual, other, other, usual):
        (found,) = Decoder().values(join([encoder.encode(value)]))
        assert_same(found, value)


def test_an_array_is_the_makers_again_at_once() -> None:
    encoder, array = Encoder(None), np.zeros(10)
    payloads = []
    for number in range(3):
        array[:] = number
        payloads.append(encoder.encode(array))
    assert [found[0] for found in Decoder().values(join(payloads))] == [0, 1, 2]


def test_one_that_cannot_travel_is_refused_as_ever() -> None:
    encoder = Encoder(None)
    encoder.encode(np.zeros(3))
    with pytest.raises(UnsupportedType, match="holds Python objects"):
        encoder.encode(np.array([object()] * 3))


@given(place=st.integers(0, 400), byte=st.integers(0, 255), cut=st.integers(0, 3))
def test_a_body_that_was_changed_means_the_same_to_whoever_borrows(place: int, byte: int, cut: int) -> None:
    body = bytearray(join(encoded([np.arange(10.0)] * 4)))
    good = bytes(body)
    body[place % len(body)] = byte
    said = []
    for decoder in decoders():
        decoder.values(good)
        try:
            found = decoder.values(bytes(body[: len(body) - cut]), count=4)
            said.append([(one.dtype, one.shape, one.tobytes()) for one in found])
        except (PeerError, AttributeError):
            said.append([])
    assert said[0] == said[1]
