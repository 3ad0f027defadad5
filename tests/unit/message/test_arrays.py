"""Arrays of every fixed-size dtype, shape and layout, by each of their three ways; and how long they stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import UnsupportedType
from penstock.message.arena import Arena, Mapping
from penstock.message.arrays import LARGE
from penstock.message.codec import Decoder, Encoder, join
from penstock.message.source import Source
from tests.unit.message.values import arrays, dtypes

Array = npt.NDArray[Any]
MIB = 1 << 20


class Wire:
    """An encoder with an arena, and a decoder that has it mapped."""

    def __init__(self, path: str, capacity: int) -> None:
        self.arena = Arena(path, capacity)
        self.encoder = Encoder(self.arena)
        self.released: list[tuple[int, int]] = []
        self.source = Source(Mapping(path) if capacity else None, lambda view: self.released.append(view.ref))

    def send(self, value: Any) -> Any:
        """There and back; the ledger lets go of it at once, and its receiver holds it."""
        payload = self.encoder.encode(value)
        slots, frames = self.encoder.taken()
        for slot in slots:
            self.arena.lend(slot, 7)
            self.arena.drop(slot)
        self.source.frames = list(frames)
        (arrived,) = Decoder().values(join([payload]), self.source, count=1)
        self.source.frames = []
        return arrived

    def settle(self) -> None:
        """What the receiver let go of comes back."""
        for offset, generation in self.released:
            self.arena.returned(7, offset, generation)
        self.released.clear()

    def close(self) -> None:
        self.arena.close()


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    wire = Wire(f"{tmp_path}/1.arena", 16 * MIB)
    yield wire
    wire.close()


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Wire]]:
    """In the body, by shared memory, and as a frame; each made to carry arrays of any size."""
    folder = tmp_path_factory.mktemp("arenas")
    found = {
        "body": Wire(f"{folder}/1.arena", 0),
        "slot": Wire(f"{folder}/2.arena", 16 * MIB),
        "frame": Wire(f"{folder}/3.arena", 1 << 17),
    }
    full = found["frame"].arena.take(1)
    assert full is not None
    yield found
    for wire in found.values():
        wire.close()


def elements(array: Array) -> bytes:
    """All of its elements. (Between the fields of a dtype may lie any bytes: here it is zeros.)"""
    blank = np.zeros(array.shape, array.dtype)
    np.copyto(blank, array)
    return blank.tobytes()


@given(array=arrays())
@pytest.mark.parametrize("way", ["body", "slot", "frame"])
def test_every_array_arrives(ways: dict[str, Wire], way: str, array: Array) -> None:
    wire = ways[way]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("penstock.message.arrays.LARGE", 1 if way != "body" else LARGE)
        arrived = wire.send({"a": [array]})["a"][0]
    assert type(arrived) is np.ndarray
    assert arrived.dtype == array.dtype
    assert arrived.shape == array.shape
    assert elements(arrived) == elements(array)
    assert not arrived.flags.writeable, "a small array must not differ from a large one in that"
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        assert arrived.flags.f_contiguous, "Fortran's order stays"
    del arrived
    wire.settle()
    assert way != "slot" or wire.arena.used == 0


@given(array=arrays(min_side=1))
def test_every_scalar_of_numpy_arrives_as_itself(array: Array) -> None:
    scalar = array[(0,) * array.ndim]
    (arrived,) = Decoder().values(join([Encoder(None).encode(scalar)]))
    assert type(arrived) is type(scalar)
    assert arrived.dtype == scalar.dtype
    assert str(arrived) == str(scalar)


@given(dtypes)
def test_an_empty_array_keeps_its_dtype(dtype: np.dtype[Any]) -> None:
    (arrived,) = Decoder().values(join([Encoder(None).encode(np.zeros((0, 3), dtype))]))
    assert (arrived.dtype, arrived.shape) == (dtype, (0, 3))


@pytest.mark.parametrize("kind", ["S0", "U0", "V0"])
def test_a_dtype_of_no_bytes_stays_one(kind: str) -> None:
    (arrived,) = Decoder().values(join([Encoder(None).encode(np.ndarray((3,), kind))]))
    assert (arrived.dtype, arrived.shape, arrived.dtype.itemsize) == (np.dtype(kind), (3,), 0)


def test_fields_may_be_in_another_order_than_memory_has_them() -> None:
    table = np.array([(1, 2.5, b"x")], dtype=[("a", ">i4"), ("b", "f8"), ("c", "S3")])
    turned = table[["c", "a"]]
    (arrived,) = Decoder().values(join([Encoder(None).encode(turned)]))
    assert arrived.dtype == turned.dtype
    assert arrived.tolist() == [(b"x", 1)]


def test_fields_may_overlap_and_have_titles() -> None:
    words = {"names": ["whole", "low"], "formats": ["<u4", "<u2"], "offsets": [0, 0], "titles": ["All", None]}
    array: Array = np.zeros(2, np.dtype(words))  # type: ignore[call-overload]
    array[["whole"]] = [(0x10002,), (3,)]
    (arrived,) = Decoder().values(join([Encoder(None).encode(array)]))
    assert arrived.dtype == array.dtype
    assert arrived["low"].tolist() == [2, 3]
    assert arrived["All"].tolist() == [0x10002, 3]


def test_a_memory_mapped_array_travels_as_a_plain_one(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "a", "i4", "w+", shape=(3,))
    mapped[:] = [1, 2, 3]
    (arrived,) = Decoder().values(join([Encoder(None).encode(mapped)]))
    assert type(arrived) is np.ndarray
    assert arrived.tolist() == [1, 2, 3]


# ------------------------------------------------------------------------------------------ how long


def large(fill: int = 1) -> Array:
    return np.full((4, LARGE // 4), fill, "u1")


KEPT: dict[str, Callable[[Any], Any]] = {
    "the array": lambda array: array,
    "a slice": lambda array: array[1:2, ::3],
    "a slice of a slice": lambda array: array[1:][1:][:, 4:],
    "a row": lambda array: array[2],
    "a transposed view": lambda array: array.T,
    "another dtype": lambda array: array.view("u4"),
    "a reshaped view": lambda array: array.reshape(-1),
    "a subclass": lambda array: array.view(np.recarray),
    "a memoryview": lambda array: memoryview(array),  # noqa: PLW0108  mypy's memoryview is generic
    "a slice of a memoryview": lambda array: memoryview(array)[1:],
    "an array over its buffer, as torch does": lambda array: np.frombuffer(array, "u1"),
    "an array over its interface": lambda array: np.asarray(memoryview(array.reshape(-1))[10:]),
    "an iterator": lambda array: array.flat,
}


@pytest.mark.parametrize("kept", KEPT)
def test_a_slot_is_not_given_away_while_anything_made_of_its_view_lives(wire: Wire, kept: str) -> None:
    view = wire.send(large())
    holder = KEPT[kept](view)
    del view
    wire.settle()
    assert wire.arena.used, "somebody still looks"
    others = [wire.arena.take(LARGE) for _ in range(200)]
    assert None in others, "the pool runs low"
    for other in others:
        if other is not None:
            wire.arena.map[other.offset : other.offset + LARGE] = b"\xff" * LARGE
    assert 255 not in bytes(holder[:] if hasattr(holder, "base") else memoryview(holder).tobytes())
    for other in others:
        if other is not None:
            wire.arena.drop(other)
    del holder
    wire.settle()
    assert wire.arena.used == 0


def test_a_release_is_said_once_for_each_view(wire: Wire) -> None:
    array = large()
    views = wire.send([array, array, [array]])
    del views[0]
    wire.settle()
    assert wire.arena.used
    views.clear()
    assert len(set(wire.released)) == len(wire.released) == 2
    wire.settle()
    assert wire.arena.used == 0


def test_views_stay_right_while_slots_are_used_over_and_over(wire: Wire) -> None:
    kept = [wire.send(large(fill)) for fill in range(50)]
    for fill in range(500):
        passing = wire.send(large(fill % 256))
        assert passing[0, 0] == fill % 256
        del passing
        wire.settle()
    assert [int(view[3, -1]) for view in kept] == list(range(50))


def test_what_finds_no_room_goes_as_a_frame_and_is_counted(tmp_path: Path) -> None:
    wire = Wire(f"{tmp_path}/1.arena", 2 * LARGE)
    kept = [wire.send(large(fill)) for fill in range(4)]
    assert [int(view[0, 0]) for view in kept] == [0, 1, 2, 3]
    assert wire.encoder.spilled == 3
    wire.close()


def test_nobody_can_write_what_arrived(wire: Wire) -> None:
    for array in (large(), np.arange(3)):
        arrived = wire.send(array)
        with pytest.raises(ValueError, match="read-only"):
            arrived[0] = 0
        with pytest.raises(ValueError, match="WRITEABLE"):
            arrived.flags.writeable = True


def test_what_was_sent_is_the_makers_own_again(wire: Wire) -> None:
    array = large(1)
    arrived = wire.send(array)
    array[:] = 2
    assert arrived[0, 0] == 1


def test_a_refused_value_leaves_no_slot_behind(wire: Wire) -> None:
    with pytest.raises(UnsupportedType):
        wire.encoder.encode([large(), {"a": large()}, object()])
    assert wire.arena.used == 0
    assert wire.encoder.taken() == ([], [])


# ------------------------------------------------------------------------------------------- in place


def test_an_array_made_in_the_arena_is_sent_without_a_copy(wire: Wire) -> None:
    array = wire.encoder.empty((4, LARGE), "u1")
    assert array is not None
    array[:] = 5
    arrived = wire.send(array)
    whole = np.frombuffer(wire.source.mapping.map, "u1")  # type: ignore[union-attr]
    at = arrived.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    mine = np.frombuffer(wire.arena.map, "u1")
    assert array.__array_interface__["data"][0] - mine.__array_interface__["data"][0] == at
    assert arrived.tolist() == array.tolist()
    del whole, mine


def test_an_array_made_in_the_arena_is_read_only_once_it_is_sent(wire: Wire) -> None:
    array = wire.encoder.empty(LARGE, "u1")
    assert array is not None
    array[:] = 1
    arrived = wire.send(array)
    with pytest.raises(ValueError, match="read-only"):
        array[:] = 2
    assert arrived[0] == 1


def test_its_slot_is_free_when_neither_maker_nor_receiver_looks(wire: Wire) -> None:
    array = wire.encoder.empty(LARGE, "u1")
    first, second = wire.send([array, array]), wire.send({"a": array})
    del first
    wire.settle()
    assert wire.arena.used
    del array
    wire.settle()
    assert wire.arena.used, "the receiver still looks"
    del second
    wire.settle()
    assert wire.arena.held() == {}
    assert wire.arena.used == 0


def test_one_that_is_never_sent_is_given_back(wire: Wire) -> None:
    array = wire.encoder.empty(LARGE, "u1")
    assert array is not None
    part = array[10:]
    del array
    assert wire.arena.held() == {}
    assert wire.arena.used, "a slice of it lives"
    del part
    assert wire.arena.held() == {}
    assert wire.arena.used == 0


@pytest.mark.parametrize(
    "shape", [LARGE // 8, np.int64(LARGE // 8), (2, LARGE // 16), [np.int32(LARGE // 8)]]
)
def test_it_takes_shapes_as_numpy_does(wire: Wire, shape: Any) -> None:
    array = wire.encoder.empty(shape, float)
    assert array is not None
    assert array.shape == np.empty(shape).shape


@pytest.mark.parametrize("shape", [(), 0, (0, LARGE), 10, (-1, LARGE)])
def test_small_ones_are_left_to_ordinary_memory(wire: Wire, shape: Any) -> None:
    assert wire.encoder.empty(shape, "u1") is None
    assert wire.arena.used == 0


def test_without_room_there_is_none(wire: Wire) -> None:
    kept = [wire.encoder.empty(MIB, "u1") for _ in range(20)]
    assert kept[-1] is None
    assert Encoder(None).empty(MIB, "u1") is None


@given(st.sampled_from(["O", [("a", "O")]]))
def test_an_array_of_objects_cannot_be_made_in_the_arena(dtype: Any) -> None:
    with pytest.raises(UnsupportedType, match="holds Python objects"):
        Encoder(None).empty(3, dtype)
