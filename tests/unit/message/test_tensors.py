"""Tensors of torch: what you send is what arrives, and is yours. `make torch` installs it and runs this."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import EnvironmentFault, PeerError, UnsupportedType
from penstock.message import library
from penstock.message.arrays import LARGE
from penstock.message.codec import Decoder, Encoder, join
from tests.unit.message.test_arrays import MIB, Wire

torch: Any = pytest.importorskip("torch", reason="torch is large: `make torch` installs it and runs this")

DTYPES = [
    "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "bfloat16",
    "float32", "float64", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu",
]  # fmt: skip

MOVES: dict[str, Any] = {
    "as it is": lambda tensor: tensor,
    "transposed": lambda tensor: tensor.permute(tuple(reversed(range(tensor.ndim)))),
    "every second": lambda tensor: tensor[..., ::2] if tensor.ndim else tensor,
    "one axis more": lambda tensor: tensor[None],
    "broadcast": lambda tensor: tensor.expand(2, *tensor.shape),
    "conjugated": lambda tensor: tensor.conj() if tensor.is_complex() else tensor,
}


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    wire = Wire(f"{tmp_path}/1.arena", 64 * MIB)
    yield wire
    wire.close()


def there_and_back(value: Any) -> Any:
    return Decoder().values(join([Encoder(None).encode(value)]), count=1)[0]


def elements(tensor: Any) -> bytes:
    whole = tensor.resolve_conj().clone(memory_format=torch.contiguous_format).reshape(-1)
    return bytes(whole.view(torch.uint8).numpy()) if whole.numel() else b""


@given(
    name=st.sampled_from(DTYPES),
    shape=st.lists(st.integers(0, 3), max_size=4),
    move=st.sampled_from(sorted(MOVES)),
    seed=st.binary(min_size=1, max_size=9),
)
def test_every_tensor_arrives(name: str, shape: list[int], move: str, seed: bytes) -> None:
    dtype = getattr(torch, name)
    size = int(np.prod(shape, initial=1)) * dtype.itemsize
    words = bytearray((seed * (size // len(seed) + 1))[:size])
    if name == "bool":
        words = bytearray(each & 1 for each in words)
    plain = torch.frombuffer(words, dtype=dtype) if size else torch.empty(0, dtype=dtype)
    tensor = MOVES[move](plain.reshape(shape))
    arrived = there_and_back([tensor])[0]
    assert type(arrived) is torch.Tensor
    assert (arrived.dtype, arrived.shape) == (tensor.dtype, tensor.shape)
    assert elements(arrived) == elements(tensor)


def test_how_it_lies_in_memory_stays() -> None:
    tensor = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    arrived = there_and_back(tensor)
    assert arrived.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(arrived, tensor)


def test_a_large_one_goes_by_shared_memory_and_its_slot_is_free_at_once(wire: Wire) -> None:
    tensor = torch.full((64, LARGE), 7, dtype=torch.uint8)
    wire.encoder.encode(tensor)
    assert [slot.size for slot in wire.encoder.slots] == [64 * LARGE]
    for slot in wire.encoder.taken()[0]:
        wire.arena.drop(slot)
    arrived = wire.send(tensor)
    wire.settle()
    assert wire.arena.used == 0
    assert torch.equal(arrived, tensor)


@pytest.mark.filterwarnings("error")
def test_what_arrived_may_be_written_and_nobody_sees_it(wire: Wire) -> None:
    for size in (3, LARGE):
        tensor = torch.zeros(size)
        arrived = wire.send([tensor, tensor])
        arrived[0].add_(1)
        assert int(arrived[0].sum()) == size
        assert int(arrived[1].sum()) == int(tensor.sum()) == 0


REFUSED = {
    r"on meta cannot travel; send tensor\.cpu\(\)": lambda: torch.empty(3, device="meta"),
    r"requires a gradient .* send tensor\.detach\(\)": lambda: torch.ones(3, requires_grad=True),
    r"layout torch\.sparse_coo cannot travel; send tensor\.to_dense\(\)": lambda: torch.eye(3).to_sparse(),
    r"Parameter cannot travel": lambda: torch.nn.Parameter(torch.ones(3)),
    r"torch\.dtype cannot travel|torch\.float32|dtype cannot travel": lambda: torch.float32,
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_cannot_travel_is_refused_with_a_way_out(sentence: str) -> None:
    with pytest.raises(UnsupportedType, match=sentence):
        Encoder(None).encode({"a": REFUSED[sentence]()})


def test_a_dtype_that_an_older_torch_lacks_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    body = join([Encoder(None).encode(torch.ones(3).to(torch.float8_e5m2))])
    monkeypatch.delattr(torch, "float8_e5m2")
    with pytest.raises(PeerError, match=r"float8_e5m2, which torch \S+ does not have"):
        Decoder().values(body)


def test_a_receiver_without_torch_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    body = join([Encoder(None).encode(torch.ones(3))])
    library.imported.cache_clear()
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(EnvironmentFault, match="a torch tensor arrived and torch is not installed there"):
        Decoder().values(body)


def test_an_array_that_arrived_becomes_a_tensor_without_a_copy(wire: Wire) -> None:
    array = wire.send(np.ones(LARGE))
    tensor = torch.from_dlpack(array)
    assert tensor.data_ptr() == array.__array_interface__["data"][0]
    del array
    wire.settle()
    assert wire.arena.used, "the tensor looks at it"
    assert int(tensor.sum()) == LARGE
    del tensor
    wire.settle()
    assert wire.arena.used == 0
