"""A value is what was sent, in as few frames as may be; and hostile frames are refused."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import PeerError, UnsupportedType
from penstock.message import codec
from penstock.message.arena import Arena
from penstock.message.arrays import LARGE
from penstock.message.parcel import Failure, Opener, Packer, failed
from tests.unit.message.values import anything, words

pack = msgspec.msgpack.encode
Ext = msgspec.msgpack.Ext


def several(value: Any) -> list[bytes]:
    parcel = Packer().packed(value)
    assert isinstance(parcel, list)
    return parcel


def travelled(value: Any, opener: Opener | None = None) -> Any:
    parcel, opener = Packer().packed(value), opener or Opener()
    if isinstance(parcel, bytes):
        assert parcel
        return opener.value(parcel)
    assert parcel[0] == b""
    return opener.opened([memoryview(frame) for frame in parcel[1:]])


@given(anything)
def test_what_is_sent_is_what_arrives(value: Any) -> None:
    assert words(travelled(value)) == words(value)


@given(st.integers(0, 1 << 18))
def test_bytes_arrive_whatever_their_length(length: int) -> None:
    assert travelled(bytes(length)) == bytes(length)


def test_large_arrays_have_frames_of_their_own_and_arrive_read_only() -> None:
    first, second = np.arange(20_000.0), np.ones((300, 300), "f4", order="F")
    parcel = several({"a": first, "b": [second, 1]})
    assert [len(frame) for frame in parcel][2:] == [first.nbytes, second.nbytes]
    arrived = travelled({"a": first, "b": [second, 1]})
    np.testing.assert_equal(arrived, {"a": first, "b": [second, 1]})
    assert not arrived["a"].flags.writeable
    assert arrived["b"][0].flags.f_contiguous


def test_an_array_may_be_changed_once_it_was_sent() -> None:
    array = np.zeros(20_000)
    parcel = several(array)
    array[:] = 1
    assert not Opener().opened([memoryview(frame) for frame in parcel[1:]]).any()


def test_the_head_stands_before_all() -> None:
    for value in (1, b"", bytes(300), bytes(4097), bytes(LARGE - 1)):
        assert Packer().packed(value, b"head") == b"head" + pack(value)
    assert Packer().packed(bytes(70_000), b"head")[:2] == [b"head", b""]


def test_what_cannot_travel_is_refused_and_says_the_ways_out() -> None:
    packer = Packer()
    with pytest.raises(UnsupportedType, match="Send builtins"):
        packer.packed([np.arange(20_000.0), object()])
    assert packer.packed(1) == pack(1), "nothing of it is left"


@dataclass
class Point:
    x: int
    y: int


def test_what_arrives_is_what_it_was_said_to_be() -> None:
    assert travelled(Point(1, 2), Opener(Point)) == Point(1, 2)
    assert travelled([Point(1, 2)], Opener(list[Point])) == [Point(1, 2)]
    with pytest.raises(PeerError, match="x"):
        travelled({"y": 2}, Opener(Point))
    with pytest.raises(PeerError):
        travelled(bytes(70_000), Opener(Point))


def test_a_failure_arrives_as_one() -> None:
    parcel = failed(ValueError("no \ud800 good"))
    assert isinstance(parcel, list)
    assert Opener().opened(parcel[1:]) == Failure("ValueError", "no ? good")


@pytest.mark.parametrize(
    "frames", [[], [b""], [b"", b"", b""], [b"", b"x", b"y"], [b"", b"", b"", b""], [b"\x01"] * 5000]
)
def test_frames_in_no_such_order_are_refused(frames: list[bytes]) -> None:
    with pytest.raises(PeerError):
        Opener().opened(frames)


@pytest.mark.parametrize("code", [codec.SLOT, codec.PASSED, codec.BLOB])
def test_nobody_has_us_look_into_shared_memory(code: int, tmp_path: Any) -> None:
    arena = Arena(str(tmp_path / "arena"), 1 << 20)
    where = ("'<f8'", "C", (10,))
    for place in ((*where, 0, 1), (*where, 0, 0, 1, (1, 3)), (80, 0, 1)):
        with pytest.raises(PeerError, match="shared memory"):
            Opener().value(pack(Ext(code, pack(place))))
    del arena


@given(st.binary(min_size=1, max_size=200), st.lists(st.binary(max_size=80), max_size=4))
def test_hostile_bytes_are_a_value_or_refused(body: bytes, frames: list[bytes]) -> None:
    opener = Opener()
    with suppress(PeerError):
        opener.value(body)
    with suppress(PeerError):
        opener.opened([body, *frames])
    assert opener.value(pack([1])) == [1], "what was refused has left nothing behind"


@given(st.integers(-128, 127), st.binary(max_size=60), st.lists(st.binary(max_size=80), max_size=3))
def test_so_are_hostile_extensions(code: int, data: bytes, frames: list[bytes]) -> None:
    if code in range(19, 23):
        return  # the foreign libraries' own words: tests/unit/message/test_hostile.py
    with suppress(PeerError):
        Opener().opened([pack(Ext(code, data)), *frames])
