"""Long bytes: by shared memory where there is room, alone and beside others, and given back when read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import PeerError
from penstock.message.codec import BLOB, Decoder, Encoder, join
from penstock.message.flat import LONG, Flat
from penstock.message.source import Source
from tests.unit.message.test_arrays import MIB, Wire

pack = msgspec.msgpack.encode
Ext = msgspec.msgpack.Ext


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    wire = Wire(f"{tmp_path}/1.arena", 16 * MIB)
    yield wire
    wire.close()


def blob(size: int, seed: bytes = b"penstock ") -> bytes:
    return (seed * (size // len(seed) + 1))[:size]


@pytest.mark.parametrize("size", [LONG - 1, LONG, LONG + 1, 3 * LONG])
@pytest.mark.parametrize(
    "inside",
    [lambda b: b, lambda b: {"n": 1, "data": b}, lambda b: [b, (b, {"x": b})], memoryview],
    ids=["alone", "in a flat dict", "deep", "as a memoryview"],
)
def test_long_bytes_arrive_as_bytes_and_their_slots_are_free_once_read(
    wire: Wire, inside: Any, size: int
) -> None:
    value = inside(blob(size))
    assert wire.send(value) == (bytes(value) if isinstance(value, memoryview) else value)
    assert bool(wire.released) is (size >= LONG)
    wire.settle()
    assert wire.arena.used == 0


def test_a_flat_dict_that_grows_long_finds_the_way_though_its_like_was_short(wire: Wire) -> None:
    for size in (1, LONG, 2, LONG + 5, LONG - 1):
        value = {"n": size, "data": blob(size)}
        payload = wire.encoder.encode(value)
        slots, _ = wire.encoder.taken()
        assert [slot.size for slot in slots] == ([size] if size >= LONG else [])
        assert len(payload) < 100 or size < LONG
        for slot in slots:
            wire.arena.drop(slot)


def test_without_room_they_lie_in_the_message_as_short_ones_do(wire: Wire) -> None:
    value = [blob(LONG), blob(LONG)]
    assert Decoder().values(join([Encoder(None).encode(value)]))[0] == value
    kept = [wire.arena.take(MIB) for _ in range(20)]
    assert kept[-1] is None
    assert wire.send({"a": blob(2 * LONG)}) == {"a": blob(2 * LONG)}
    assert wire.released == []


def test_they_are_not_flat() -> None:
    flat = Flat()
    assert flat.encode({"a": blob(10)}) is not None
    assert flat.encode({"a": blob(LONG)}) is None
    assert flat.encode(blob(LONG)) is None
    assert flat.encode(blob(LONG - 1)) is not None


def test_what_is_refused_halfway_says_no_release(wire: Wire) -> None:
    payload = wire.encoder.encode(blob(LONG))
    with pytest.raises(PeerError):
        Decoder().values(join([payload, pack(Ext(99, b""))]), wire.source)
    assert wire.released == []
    assert Decoder().values(join([payload]), wire.source) == [blob(LONG)]
    assert len(wire.released) == 1


numbers = st.integers(-2, 40) | st.sampled_from([64, LONG, LONG + 1, 2**31, 2**62, 2**64 - 1])


@given(words=st.lists(numbers | st.none() | st.binary(max_size=3) | st.floats(), max_size=4))
def test_a_descriptor_of_anything_is_refused_or_true(
    tmp_path_factory: pytest.TempPathFactory, words: list[Any]
) -> None:
    wire = Wire(f"{tmp_path_factory.mktemp('arena')}/1.arena", 4 * MIB)
    wire.encoder.encode(blob(LONG))
    (slot,) = wire.encoder.slots
    body = pack([Ext(BLOB, pack(words))])
    if len(words) == 3 and words[1:] == [slot.offset, slot.generation] and words[0] in range(LONG + 1):
        assert Decoder().values(body, wire.source) == [blob(LONG)[: words[0]]]
    else:
        with pytest.raises(PeerError):
            Decoder().values(body, wire.source)
    with pytest.raises(PeerError):
        Decoder().values(body, Source(None, None))
    wire.close()
