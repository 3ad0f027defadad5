"""Values of every type that travels, for Hypothesis; and what it means that two are the same."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

offsets = st.timedeltas(datetime.timedelta(hours=-23), datetime.timedelta(hours=23))
zones = st.none() | st.builds(datetime.timezone, offsets)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)

keys = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    text,
    st.binary(max_size=20),
    st.complex_numbers(allow_nan=False),
    st.datetimes(timezones=zones),
    st.dates(),
    st.times(timezones=zones),
    st.timedeltas(),
    st.uuids(),
    st.decimals(allow_nan=False),
)
"""What can be a key of a dict, too."""

hashable = st.recursive(
    keys,
    lambda parts: st.lists(parts, max_size=3).map(tuple) | st.frozensets(parts, max_size=3),
    max_leaves=5,
)

leaves = keys | st.floats() | st.binary(max_size=20).map(bytearray) | st.decimals() | st.complex_numbers()

anything = st.recursive(
    leaves,
    lambda parts: st.one_of(
        st.lists(parts, max_size=4),
        st.lists(parts, max_size=4).map(tuple),
        st.sets(hashable, max_size=4),
        st.frozensets(hashable, max_size=4),
        st.dictionaries(text, parts, max_size=4),
        st.dictionaries(hashable, parts, max_size=4),
    ),
    max_leaves=12,
)


def words(value: Any) -> Any:
    """``value`` spelled out with all types in it: equal for values that are the same, also nan and -0.0."""
    if isinstance(value, np.ndarray):
        return "ndarray", words(value.dtype), value.shape, value.tobytes()
    if isinstance(value, np.generic):
        return type(value).__name__, words(value.dtype), value.tobytes()
    if isinstance(value, np.dtype):
        return value.str, str(value.fields), value.itemsize
    if isinstance(value, dict):
        return "dict", [(words(key), words(part)) for key, part in value.items()]
    if isinstance(value, (set, frozenset)):
        return type(value).__name__, sorted(repr(words(part)) for part in value)
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [words(part) for part in value]
    return type(value).__name__, repr(value)


# --------------------------------------------------------------------------------------------- arrays

plain_dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.integer_dtypes(endianness=">"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(endianness=">", sizes=(64, 128)),
    hnp.byte_string_dtypes(min_len=1, max_len=9),
    hnp.unicode_string_dtypes(endianness="?", min_len=1, max_len=9),
    hnp.datetime64_dtypes(endianness="?"),
    hnp.timedelta64_dtypes(endianness="?"),
    st.sampled_from([np.dtype("V5"), np.dtype("longdouble"), np.dtype("clongdouble")]),
)

names = st.lists(
    st.text(st.characters(categories=["L"]), min_size=1, max_size=4), min_size=1, max_size=3, unique=True
)


@st.composite
def structured(draw: st.DrawFn, parts: st.SearchStrategy[np.dtype[Any]]) -> np.dtype[Any]:
    """Fields with shapes of their own, aligned or packed, also in another order than memory has them."""
    fields = [
        (name, draw(parts), draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=2)))
        for name in draw(names)
    ]
    dtype = np.dtype(fields, align=draw(st.booleans()))
    if draw(st.booleans()) and dtype.names is not None:
        return np.zeros(0, dtype)[draw(st.permutations(dtype.names))].dtype
    return dtype


dtypes = st.recursive(plain_dtypes, structured, max_leaves=4)

MOVES: dict[str, Any] = {
    "as it is": lambda array: array,
    "transposed": np.transpose,
    "in Fortran's order": np.asfortranarray,
    "every second": lambda array: array[..., ::2] if array.ndim else array,
    "backwards": lambda array: array[::-1] if array.ndim else array,
    "broadcast": lambda array: np.broadcast_to(array, (2, *array.shape)),
    "one axis more": lambda array: array[..., None],
    "read-only": lambda array: _read_only(array.copy()),
}


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array.flags.writeable = False
    return array


@st.composite
def arrays(draw: st.DrawFn, min_side: int = 0) -> npt.NDArray[Any]:
    """Arrays of every fixed-size dtype, shape and layout, filled with whatever bytes that dtype may have."""
    dtype = draw(dtypes)
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=min_side, max_side=4))
    need = dtype.itemsize * int(np.prod(shape))
    seed = draw(st.binary(min_size=1, max_size=8))
    raw = (seed * (need // len(seed) + 1))[:need]
    if _wants_valid_bytes(dtype):
        raw = bytes(need)
    array: npt.NDArray[Any] = np.ndarray(shape, dtype, buffer=bytearray(raw or b"\0"))
    moved: npt.NDArray[Any] = MOVES[draw(st.sampled_from(sorted(MOVES)))](array)
    return moved


def _wants_valid_bytes(dtype: np.dtype[Any]) -> bool:
    """Booleans and text cannot hold any bytes whatever: they are 0 here."""
    if dtype.fields is not None:
        return any(_wants_valid_bytes(field[0]) for field in dtype.fields.values())
    return dtype.base.kind in "bU" or dtype.base.char in "gG"
