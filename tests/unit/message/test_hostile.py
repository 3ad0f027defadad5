"""Bytes from a confused or hostile peer: a PeerError, and nothing built from them but what was sent."""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from penstock.errors import EnvironmentFault, PeerError
from penstock.message import codec, envelope, foreign
from penstock.message.arena import Arena, Mapping, Slot
from penstock.message.codec import Decoder, Encoder, join
from penstock.message.source import Source
from tests.unit.message.values import anything

pack = msgspec.msgpack.encode
Ext = msgspec.msgpack.Ext
MIB = 1 << 20


class Memory:
    """An arena with one array of each of three kinds in it, and a reader that has it mapped."""

    def __init__(self, path: str) -> None:
        self.arena = Arena(path, 2 * MIB)
        self.encoder = Encoder(self.arena)
        large = np.arange(100_000, dtype="u1").reshape(10, -1)
        table = np.zeros(9_000, [("a", ">f8"), ("b", "S3")])
        self.value = [large, {"a": table, "b": (large.T,)}, np.arange(5), np.float32(2)]
        self.body = join([self.encoder.encode(part) for part in self.value])
        self.slots, _ = self.encoder.taken()
        self.frames = [bytes(range(256)) * 300]
        self.mapping = Mapping(path)
        self.released: list[tuple[int, int]] = []

    def source(self) -> Source:
        source = Source(self.mapping, lambda view: self.released.append(view.ref))
        source.frames = list(self.frames)
        return source

    def read(self, body: bytes) -> Any:
        return Decoder().values(body, self.source())

    def hold_to_slots(self, value: Any) -> None:
        """No array may look at anything in the arena but what lies in a slot."""
        start = np.frombuffer(self.mapping.map, "u1").__array_interface__["data"][0]
        for array in found(value):
            low, high = np.lib.array_utils.byte_bounds(array)
            if low < start + 2 * MIB and high > start:
                assert any(inside(slot, low - start, high - start) for slot in self.slots)
            assert not array.flags.writeable


def inside(slot: Slot, low: int, high: int) -> bool:
    return slot.offset <= low and high <= slot.offset + slot.size


def found(value: Any) -> Iterator[np.ndarray[Any, Any]]:
    """The arrays in a value."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, dict):
        yield from found([*value.keys(), *value.values()])
    elif isinstance(value, (list, tuple, set, frozenset)):
        for part in value:
            yield from found(part)


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    memory = Memory(f"{tmp_path_factory.mktemp('arena')}/1.arena")
    yield memory
    memory.arena.close()


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """``whole`` with a few bytes changed, cut out, doubled or put in."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        how = draw(st.sampled_from(["change", "flip", "cut", "double", "insert", "end"]))
        if how == "change" and data:
            data[at] = draw(st.integers(0, 255))
        elif how == "flip" and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif how == "cut":
            del data[at : at + draw(st.integers(1, 8))]
        elif how == "double":
            data[at:at] = data[at : at + draw(st.integers(1, 40))]
        elif how == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        else:
            del data[at:]
    return bytes(data)


# ------------------------------------------------------------------------------------------- bodies


@given(body=st.binary(max_size=200))
def test_any_bytes_are_a_body_or_refused(memory: Memory, body: bytes) -> None:
    with suppress(PeerError):
        memory.hold_to_slots(memory.read(body))


@given(data=st.data())
def test_a_damaged_body_is_refused_or_looks_at_nothing_but_slots(memory: Memory, data: st.DataObject) -> None:
    body = data.draw(damaged(memory.body))
    with suppress(PeerError):
        memory.hold_to_slots(memory.read(body))


@given(value=anything, data=st.data())
def test_a_damaged_value_is_refused_or_another(memory: Memory, value: Any, data: st.DataObject) -> None:
    with suppress(PeerError, EnvironmentFault):  # what was a date may now be a tensor
        memory.read(data.draw(damaged(join([Encoder(None).encode(value)]))))


numbers = st.integers(-2, 40) | st.sampled_from([2**31, 2**62, 2**63 - 1, 2**64 - 1])
spelled = st.sampled_from([
    "'<f8'", "'|u1'", "'|O'", "'|S0'", "'T'", "[('a', '<i4'), ('b', '|O')]", "()", "[]", "{}", "[()]",
    "('<i4', (2,))", "('<i4', (2**40,))", "'V99999999999'", "(" * 200, "__import__('os')", "'a' * 9", "1e999",
    "{'names': ['a'], 'formats': ['<i4'], 'offsets': [-8]}", "['<f8']", "", "[('a', '<i4', -1)]", "\0",
    "{'names': ['a'], 'formats': ['<i4'], 'itemsize': 1}", "'m8[2000000000000000000000s]'",
    "{'names': ['a', 'a'], 'formats': ['<i4', '<i4']}", "{'names': ['a'], 'formats': 7}",
])  # fmt: skip
kinds = st.sampled_from([
    "frame", "series", "index", "range", "levels", "moment", "span", "nat", "na", "array", "objects", "text",
    "codes", "zoned", "masked", "arrow", "table", "batch", "L", "P", "int64", "bfloat16", "", None,
])  # fmt: skip
junk = st.recursive(
    st.none() | numbers | st.floats() | spelled | st.binary(max_size=9),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=3), parts, max_size=2),
    max_leaves=4,
)


@given(
    words=spelled | junk,
    order=st.sampled_from(["C", "F", "", None]),
    shape=st.lists(numbers, max_size=3) | junk,
    raw=st.binary(max_size=40) | junk,
    more=junk,
)
@pytest.mark.parametrize("code", [codec.ARRAY, codec.SLOT, codec.FRAME, codec.SCALAR])
def test_a_descriptor_of_anything_is_refused_or_true(
    memory: Memory, code: int, words: Any, order: Any, shape: Any, raw: Any, more: Any
) -> None:
    parts = {codec.SLOT: [words, order, shape, raw, more], codec.SCALAR: [words, raw]}
    body = pack([Ext(code, pack(parts.get(code, [words, order, shape, raw])))])
    with suppress(PeerError):
        memory.hold_to_slots(memory.read(body))


@given(data=st.data(), size=st.integers(-100, 200_000), later=st.integers(-3, 3))
def test_a_slot_is_looked_at_only_where_it_is(
    memory: Memory, data: st.DataObject, size: int, later: int
) -> None:
    offsets = [slot.offset + shift for slot in memory.slots for shift in (0, -64, 64, 1, slot.size)]
    offset = data.draw(st.sampled_from(offsets) | st.integers(-10, 3 * MIB))
    generation = memory.slots[0].generation + later
    body = pack([Ext(codec.SLOT, pack(("'|u1'", "C", [size], offset, generation)))])
    truth = any(
        (slot.offset, slot.generation) == (offset, generation) and 0 <= size <= slot.size
        for slot in memory.slots
    )
    if truth:
        memory.hold_to_slots(memory.read(body))
    else:
        with pytest.raises(PeerError):
            memory.read(body)


@given(data=st.data(), start=st.integers(-100, 200_000), size=st.integers(-100, 200_000))
def test_what_is_passed_on_is_looked_at_only_where_it_is(
    memory: Memory, data: st.DataObject, start: int, size: int
) -> None:
    slot = data.draw(st.sampled_from(memory.slots))
    offset = slot.offset + data.draw(st.sampled_from([0, 0, 0, -64, 1]))
    generation = slot.generation + data.draw(st.sampled_from([0, 0, 0, 1, -1]))
    assert memory.mapping.address is not None
    body = pack(
        [Ext(codec.PASSED, pack(("'|u1'", "C", [size], start, offset, generation, memory.mapping.address)))]
    )
    is_there = (slot.offset, slot.generation) == (offset, generation)
    if is_there and start >= 0 and size >= 0 and start + size <= slot.size:
        (array,) = memory.read(body)
        assert array.tobytes() == memory.mapping.map[offset + start : offset + start + size]
        assert not array.flags.writeable
    else:
        with pytest.raises(PeerError):
            memory.read(body)


@given(
    address=st.tuples(
        st.integers(-1, (1 << 64) - 1) | st.just(os.getpid()), st.integers(-1, 50), st.integers(-1, 1 << 40)
    )
    | st.lists(junk, max_size=4)
    | junk
)
def test_an_arena_that_is_passed_on_is_opened_only_where_it_is(memory: Memory, address: Any) -> None:
    slot = memory.slots[0]
    body = pack([Ext(codec.PASSED, pack(("'|u1'", "C", [1], 0, slot.offset, slot.generation, address)))])
    with pytest.raises(PeerError):
        memory.read(body)


@given(code=st.integers(-128, 127), data=st.binary(max_size=30) | junk.map(pack))
def test_an_extension_of_anything_is_refused_or_a_value(memory: Memory, code: int, data: bytes) -> None:
    with suppress(PeerError, EnvironmentFault):  # a library that is not installed here
        memory.read(pack([Ext(code, data)]))


FOREIGN: list[Any] = [
    pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.Categorical(["u", "v"])}),
    pd.DataFrame({"a": pd.date_range("2024", periods=2, tz="Asia/Kolkata"), "i": pd.array([1, None])}),
    pd.DataFrame(np.ones((2, 2)), index=pd.MultiIndex.from_product([["a"], [1, 2]])),
    pa.table({"a": [1, 2], "b": ["x", None], "c": pa.array(["u", "v"]).dictionary_encode()}),
    Image.new("P", (3, 3)),
    [pd.Timestamp(0, tz="UTC"), pd.NaT, pd.NA, pd.Timedelta(1)],
]


@given(value=st.sampled_from(FOREIGN), data=st.data())
def test_a_damaged_value_of_a_library_is_refused_or_another(
    memory: Memory, value: Any, data: st.DataObject
) -> None:
    with suppress(PeerError), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pandas thinks of a time zone or a name is not our affair
        memory.read(data.draw(damaged(join([Encoder(None).encode(value)]))))


@given(said=junk | st.lists(junk, max_size=6), kind=kinds)
@pytest.mark.parametrize("code", foreign.ROOMS)
def test_words_of_anything_for_a_library_are_refused_or_a_value(
    memory: Memory, code: int, said: Any, kind: Any
) -> None:
    # Of torch, that it is not installed.
    with suppress(PeerError, EnvironmentFault), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        memory.read(pack([Ext(code, pack([kind, *said] if isinstance(said, list) else said))]))


def array(*values: Any, dtype: str = "<i8") -> Any:
    return msgspec.Raw(Encoder(None).encode(np.array(values, dtype)))


INDEX = ["range", 0, 2, 1, None]
WORDS: dict[str, tuple[int, Any]] = {
    "an image larger than its pixels": (foreign.IMAGE, ["RGB", 4, 4, b"123", None, None]),
    "an image larger than any": (foreign.IMAGE, ["1", 1 << 40, 0, b"", None, None]),
    "an image of a negative side": (foreign.IMAGE, ["L", -1, -1, b"1", None, None]),
    "an image of no mode": (foreign.IMAGE, ["../../x", 1, 1, b"1", None, None]),
    "a tensor of no dtype": (foreign.TENSOR, ["load", [0], array(1)]),
    "a tensor of smaller words": (foreign.TENSOR, ["bfloat16", [0], array(1, dtype="u1")]),
    "a tensor turned by no axes": (foreign.TENSOR, ["int64", [0, 0], array(1)]),
    "a tensor without an array": (foreign.TENSOR, ["int64", [0], b"12345678"]),
    "a table of nothing": (foreign.ARROW, ["table", array(dtype="u1")]),
    "a table of anything": (foreign.ARROW, ["table", array(*range(100), dtype="u1")]),
    "a file for a table": (foreign.ARROW, ["table", "/etc/passwd"]),
    "neither table nor batch": (foreign.ARROW, ["file", array(1, dtype="u1")]),
    "a frame of other columns": (foreign.PANDAS, ["frame", INDEX, INDEX, [["array", array(1, 2)]], {}]),
    "a frame of uneven columns": (
        foreign.PANDAS,
        ["frame", INDEX, INDEX, [["array", array(1, 2)], ["array", array(1)]], {}],
    ),
    "codes without categories": (
        foreign.PANDAS,
        ["series", ["codes", INDEX, False, array(7, 1)], INDEX, None, {}],
    ),
    "levels that are not there": (
        foreign.PANDAS,
        ["index", ["levels", [INDEX], [array(5, 1)], [None]]],
    ),
    "a zone that is a path": (foreign.PANDAS, ["moment", array(1), "../../../etc/passwd"]),
    "a zone that dateutil would open": (foreign.PANDAS, ["moment", array(1), "dateutil//etc/passwd"]),
    "a mask of another length": (
        foreign.PANDAS,
        ["series", ["masked", "IntegerArray", array(1, 2), array(True, dtype="?")], INDEX, None, {}],
    ),
    "a masked array of no kind": (
        foreign.PANDAS,
        ["series", ["masked", "__import__", array(1), array(True, dtype="?")], INDEX, None, {}],
    ),
}


@pytest.mark.parametrize("name", WORDS)
def test_words_that_lie_are_refused(memory: Memory, name: str) -> None:
    code, said = WORDS[name]
    with pytest.raises((PeerError, EnvironmentFault)) as refusal:
        memory.read(pack([Ext(code, pack(said))]))
    if isinstance(refusal.value, EnvironmentFault):
        assert code == foreign.TENSOR
        assert "torch is not installed" in str(refusal.value)


def nested(depth: int, wrap: Callable[[bytes], bytes]) -> bytes:
    body = b"\x01"
    for _ in range(depth):
        body = wrap(body)
    return body


BOMBS = {
    "a list of four billion": b"\xdd\xff\xff\xff\xff",
    "a dict of four billion": b"\x91\xdf\xff\xff\xff\xff",
    "bytes of four billion": b"\x91\xc6\xff\xff\xff\xff",
    "lists in lists": nested(100_000, lambda inner: b"\x91" + inner),
    "tuples in tuples": nested(600, lambda inner: pack([Ext(codec.TUPLE, inner)])),
    "an array larger than any": pack([Ext(codec.ARRAY, pack(("'<f8'", "C", [2**62, 2**62], b"")))]),
    "an empty array larger than any": pack([Ext(codec.ARRAY, pack(("'<f8'", "C", [0, 2**62, 2**62], b"")))]),
    "unhashable keys": pack([Ext(codec.PAIRS, pack([[[1], 2]]))]),
    "unhashable parts": pack([Ext(codec.SET, pack([{}]))]),
    "a number with a tail": pack([Ext(codec.INTEGER, b"0x1f\0")]),
    "no number": pack([Ext(codec.DECIMAL, b"pi")]),
    "a date of no calendar": pack([Ext(codec.DATE, b"2024-02-31")]),
    "a time of nothing": pack([Ext(codec.TIME, b"")]),
    "a moment twice folded": pack([Ext(codec.DATETIME, b"~~")]),
    "an extension of tomorrow": pack([Ext(99, b"")]),
    "not even a list": pack({"a": 1}),
    "more than one": pack([1]) + pack([2]),
    "nothing": b"",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_once(memory: Memory, name: str) -> None:
    with pytest.raises(PeerError):
        memory.read(BOMBS[name])


def test_a_body_of_another_count_is_refused() -> None:
    with pytest.raises(PeerError, match="a batch of 3 items"):
        Decoder().values(pack([1, 2]), count=3)


def test_what_is_refused_halfway_says_no_release(memory: Memory) -> None:
    """Its sender takes the slots of a refused batch back itself; said twice, another's view would pay."""
    memory.released.clear()
    bad = memory.body[1:] + pack(Ext(99, b""))
    with pytest.raises(PeerError):
        memory.read(bytes([memory.body[0] + 1]) + bad)
    with pytest.raises(PeerError):
        Decoder().values(memory.body, memory.source(), count=5)
    assert memory.released == []
    assert len(memory.read(memory.body)) == 4
    assert len(memory.released) == 3


def test_shared_memory_of_a_peer_without_is_refused(memory: Memory) -> None:
    with pytest.raises(PeerError, match="from a peer that has none"):
        Decoder().values(memory.body)


@pytest.mark.parametrize("shape", [[76_800], [2, 2], [-1], [76_799]])
def test_a_frame_holds_what_it_says(memory: Memory, shape: list[int]) -> None:
    for number in (0, 1, -1):
        body = pack([Ext(codec.FRAME, pack(("'|u1'", "C", shape, number)))])
        if (shape, number) == ([76_800], 0):
            memory.hold_to_slots(memory.read(body))
        else:
            with pytest.raises(PeerError):
                memory.read(body)


# ---------------------------------------------------------------------------------------- envelopes


def framed(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


ENVELOPES = [
    envelope.Hello(1, 12, 3, "here", 0, 1 << 26),
    envelope.Credit(7, 1234, True, [envelope.Failure(0, "ValueError: no", "Traceback")], [(64, 1)]),
    envelope.Settle([1, 2, 300]),
    envelope.Release([(64, 1), (131_136, 2)]),
    envelope.Bye(),
    envelope.Welcome(1, 4, "arena"),
    envelope.Batch(9, 1, [("src/0", 0, 2), ("src/1", 5, 1)], 3),
    envelope.End(3, 2, 1),
]
TO_SENDER, TO_RECEIVER = ENVELOPES[:5], ENVELOPES[5:]


@pytest.mark.parametrize("message", TO_SENDER, ids=lambda message: type(message).__name__)
def test_what_a_receiver_says_is_what_a_sender_reads(message: Any) -> None:
    assert envelope.from_receiver(envelope.pack(message)) == message


@pytest.mark.parametrize("message", TO_RECEIVER, ids=lambda message: type(message).__name__)
def test_what_a_sender_says_is_what_a_receiver_reads(message: Any) -> None:
    arrived, body = envelope.from_sender(envelope.pack(message))
    assert arrived == message
    assert len(body) == 0


def test_the_body_of_a_batch_lies_behind_its_envelope() -> None:
    batch = envelope.Batch(9, 1, [("src/0", 0, 3)], 3)
    message, body = envelope.from_sender(
        envelope.pack_batch(batch.batch, batch.attempt, batch.ids, [b"\x01", b"\xa1x", b"\xc0"])
    )
    assert message == batch
    assert Decoder().values(body, count=3) == [1, "x", None]


def test_one_item_alone_is_a_batch_like_any_other() -> None:
    alone = envelope.pack_lone(9, "src/0", 7, b"\xa1x")
    batch = envelope.pack_batch(9, 1, [("src/0", 7, 1)], [b"\xa1x"])
    assert envelope.from_sender(alone) == envelope.from_sender(batch)


@given(
    frame=st.binary(max_size=60)
    | st.binary(max_size=60).map(lambda data: struct.pack("<I", len(data)) + data)
)
@pytest.mark.parametrize("read", [envelope.from_receiver, envelope.from_sender])
def test_any_bytes_are_an_envelope_or_refused(read: Callable[[bytes], Any], frame: bytes) -> None:
    with suppress(PeerError):
        read(frame)


@given(message=st.sampled_from(ENVELOPES), data=st.data())
@pytest.mark.parametrize("read", [envelope.from_receiver, envelope.from_sender])
def test_a_damaged_envelope_is_another_or_refused(
    read: Callable[[bytes], Any], message: Any, data: st.DataObject
) -> None:
    whole = msgspec.msgpack.encode(message)
    changed = data.draw(damaged(whole))
    with suppress(PeerError):
        read(framed(changed))


@given(content=junk, kind=st.integers(-1, 9))
@pytest.mark.parametrize("read", [envelope.from_receiver, envelope.from_sender])
def test_an_envelope_of_anything_is_refused_or_read(
    read: Callable[[bytes], Any], kind: int, content: Any
) -> None:
    data = pack([kind, *content] if isinstance(content, list) else [kind, content])
    with suppress(PeerError):
        read(framed(data))


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (b"", "a frame of 0 bytes"),
        (b"\x01\0\0", "a frame of 3 bytes"),
        (b"\x09\0\0\0abc", "says its envelope has 9"),
        (b"\xff\xff\xff\xff" + bytes(100), "says its envelope has 4294967295"),
        (framed(pack([99])), "not an envelope of this protocol"),
        (framed(b"\x93\x04\x90" + b"\x91" * 100_000 + b"\x01"), "not an envelope of this protocol"),
        (framed(pack([7, 1, 1, [("a", 0, 0)], 0])), "a run of 0 ids"),
        (framed(pack([7, 1, 1, [("a", 0, -3)], -3])), "a run of -3 ids"),
        (framed(pack([7, 1, 1, [("a", 0, 2)], 3])), "says 3 items and has ids for 2"),
        (framed(pack([7, 1, 1, [("a", 0, 2**40)], 2**40])), "has 1099511627776 items; the limit is 65536"),
    ],
)
def test_a_bad_frame_is_refused_with_the_reason(frame: bytes, sentence: str) -> None:
    with pytest.raises(PeerError, match=sentence):
        envelope.from_sender(frame)
