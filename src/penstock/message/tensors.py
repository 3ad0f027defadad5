"""torch tensors as arrays and back. The only module that knows torch.

    words    dtype's name, the axes in the order of memory, array

What arrives is a copy of its own and may be written: torch has no read-only tensors, and one over shared
memory would end the worker with a segmentation fault at the first ``x.add_(1)``. (Tried as well: a private,
copy-on-write mapping of the slot. Its page faults cost more than the copy, 1.2 against 0.9 ms for 19 MB.)
Who wants no copy sends the array and says ``torch.from_dlpack(array)`` where it arrives.
"""

from __future__ import annotations

from typing import Any, List, Optional

from penstock.errors import PeerError, UnsupportedType
from penstock.message.foreign import Empty

PLAIN = frozenset((
    "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32",
    "float64", "complex64", "complex128",
))  # fmt: skip
"""Dtypes that NumPy has, too."""

WORDS = {
    "bfloat16": "int16",
    "float8_e4m3fn": "uint8",
    "float8_e4m3fnuz": "uint8",
    "float8_e5m2": "uint8",
    "float8_e5m2fnuz": "uint8",
    "float8_e8m0fnu": "uint8",
    "complex32": "int32",
}
"""Dtypes that NumPy lacks, and as which words of the same size they travel."""


def words(torch: Any, tensor: Any, _: Empty) -> Optional[List[Any]]:
    """A tensor in words; None for what is none, or of a class of its own.

    Raises:
        UnsupportedType: it is on a device, has a gradient to be computed, or is not plain numbers in memory.
    """
    if type(tensor) is not torch.Tensor:
        return None
    if tensor.device.type != "cpu":
        raise UnsupportedType(f"a tensor on {tensor.device} cannot travel; send tensor.cpu()")
    if tensor.requires_grad:
        raise UnsupportedType(
            "a tensor that requires a gradient cannot travel, as its graph stays here; send tensor.detach()"
        )
    name = str(tensor.dtype).partition(".")[2]
    if tensor.layout != torch.strided or not (name in PLAIN or name in WORDS):
        raise UnsupportedType(
            f"a tensor of dtype {name} and layout {tensor.layout} cannot travel; send tensor.to_dense(),"
            " or its parts as plain tensors"
        )
    dense = tensor.resolve_conj().resolve_neg()
    if name in WORDS:
        dense = dense.view(getattr(torch, WORDS[name]))
    # torch.channels_last and the like: sent as they lie in memory, so that they arrive so.
    strides = dense.stride()
    axes = sorted(range(dense.ndim), key=lambda axis: -strides[axis])
    return [name, axes, dense.permute(axes).numpy()]


def value(torch: Any, said: Any) -> Any:
    """The tensor of these words.

    Raises:
        PeerError: they are not such, or this torch does not have the dtype.
    """
    name, axes, array = said
    if array.dtype.name != (name if name in PLAIN else WORDS.get(name)):
        raise PeerError(f"a tensor of {str(name)[:40]!r} in an array of {array.dtype}")
    if sorted(axes) != list(range(array.ndim)):
        raise PeerError(f"not the axes of a tensor: {axes!r:.80}")
    tensor = torch.from_numpy(array.copy())
    if name in WORDS:
        dtype = getattr(torch, name, None)
        if dtype is None:
            raise PeerError(f"a tensor of {name}, which torch {torch.__version__} does not have")
        tensor = tensor.view(dtype)
    return tensor.permute([axes.index(axis) for axis in range(len(axes))])
