"""NumPy arrays as descriptors and back. The only module that knows NumPy, and only when an array travels.

A descriptor is a dtype in words (as in the header of a .npy file), an order, a shape, and where the
bytes are. Every fixed-size dtype travels: plain, structured, sub-arrays, datetime64, either byte order.
Object dtypes, variable-width strings and dtypes that NumPy cannot spell are refused by name.
"""

from __future__ import annotations

import ast
import functools
import sys
from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Tuple

from penstock.errors import PeerError, UnsupportedType
from penstock.message.library import imported

if TYPE_CHECKING:
    import numpy as np

LARGE = 64 * 1024
"""Arrays of this many bytes and more do not lie in the body. (Below, a copy is cheaper than a slot.)"""

Layout = Tuple[str, str, Tuple[int, ...]]
"""dtype in words, ``C`` or ``F``, shape."""


def is_array(value: Any) -> bool:
    """Whether ``value`` is a plain array (or a memory-mapped one, which travels as one)."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and type(value) in (numpy.ndarray, numpy.memmap)


def is_scalar(value: Any) -> bool:
    """Whether ``value`` is one of NumPy's scalars, ``np.float32(3)``."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.generic)


def layout(array: np.ndarray[Any, Any]) -> Layout:
    """How ``array`` will be laid out on the other side: Fortran order stays, else C order.

    Raises:
        UnsupportedType: its dtype does not travel.
    """
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    return dtype_words(array.dtype), order, array.shape


@functools.lru_cache(maxsize=1024)
def dtype_words(dtype: np.dtype[Any]) -> str:
    """``dtype`` as text.

    Raises:
        UnsupportedType: it holds Python objects, has no fixed size, or NumPy cannot spell it.
    """
    if dtype.hasobject or dtype.kind == "T":
        raise UnsupportedType(
            f"an array of dtype {dtype} holds Python objects, not bytes; use a fixed-size dtype"
            " (for text for example 'U20' or 'S20'), or send a list"
        )
    text = repr(_spelled(dtype))
    try:
        same = dtype_from(text) == dtype
    except PeerError:
        same = False
    if not same:
        raise UnsupportedType(
            f"dtype {dtype} is an extension that NumPy cannot spell; send array.view('u1') and its name"
        )
    return text


@functools.lru_cache(maxsize=1024)
def dtype_from(words: str) -> np.dtype[Any]:
    """The dtype that ``words`` spell.

    Raises:
        PeerError: they spell none, or one that holds objects.
    """
    numpy = _numpy()
    try:
        dtype = _read(numpy, ast.literal_eval(words))
    except Exception as error:  # noqa: BLE001  what NumPy makes of a hostile text is not bounded
        raise PeerError(f"not a dtype: {words[:80]!r} ({error})") from None
    if dtype.hasobject:
        raise PeerError(f"a dtype that holds objects: {words[:80]!r}")
    return dtype


def _spelled(dtype: np.dtype[Any]) -> Any:
    """``dtype`` in the words of the header of a .npy file; in those of ``numpy.dtype({...})`` where that has
    none: for fields that overlap, or are not in the order of memory, as ``array[["b", "a"]]`` has them."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return _spelled(base), shape
    if dtype.fields is None or dtype.names is None:
        return dtype.str
    try:
        return dtype.descr
    except ValueError:
        fields = [dtype.fields[name] for name in dtype.names]
        formats, offsets = [_spelled(field[0]) for field in fields], [field[1] for field in fields]
        titles = [field[2] if len(field) > 2 else None for field in fields]
        words = {"names": list(dtype.names), "formats": formats, "offsets": offsets, "titles": titles}
        return {**words, "itemsize": dtype.itemsize}


def _read(numpy: Any, words: Any) -> np.dtype[Any]:
    if isinstance(words, dict):
        return numpy.dtype({**words, "formats": [_read(numpy, each) for each in words["formats"]]})  # type: ignore[no-any-return]
    if isinstance(words, tuple):
        return numpy.dtype((_read(numpy, words[0]), words[1]))  # type: ignore[no-any-return]
    return numpy.lib.format.descr_to_dtype(words)  # type: ignore[no-any-return]


def size_of(words: str, shape: Sequence[int]) -> int:
    """Bytes of an array of that dtype and shape.

    Raises:
        PeerError: a negative length.
    """
    size: int = dtype_from(words).itemsize
    for length in shape:
        if type(length) is not int or length < 0:
            raise PeerError(f"not a shape: {shape!r}")
        size *= length
    return size


def view(where: Layout, buffer: Any, offset: int = 0) -> np.ndarray[Any, Any]:
    """An array over ``buffer``, no bytes copied; read-only where the buffer is."""
    words, order, shape = where
    array: np.ndarray[Any, Any] = _numpy().ndarray(
        tuple(shape), dtype_from(words), buffer=buffer, offset=offset, order="F" if order == "F" else "C"
    )
    return array


def place_in(whole: np.ndarray[Any, Any], part: np.ndarray[Any, Any]) -> Optional[int]:
    """Where in ``whole`` the bytes of ``part`` begin; None when they are not a piece of it as they are."""
    if not (part.flags.c_contiguous or part.flags.f_contiguous):
        return None
    start = part.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    return start if 0 <= start <= whole.nbytes - part.nbytes else None


def own(where: Layout, data: bytes) -> np.ndarray[Any, Any]:
    """A read-only array over ``data`` (a small one must not differ from a large one in that)."""
    need = size_of(where[0], where[2])
    if need != len(data):
        raise PeerError(f"an array of {need} bytes came with {len(data)}")
    array = view(where, data) if need else _numpy().ndarray(tuple(where[2]), dtype_from(where[0]))
    array.flags.writeable = False
    return array


def read_only(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same bytes, as they may be read but not written. (Of a memory-mapped one a plain array.)"""
    view: np.ndarray[Any, Any] = array.view(_numpy().ndarray)
    view.flags.writeable = False
    return view


class Like:
    """Arrays of one dtype, shape and order: small ones in bodies, which differ in their bytes only."""

    __slots__ = ("_dtype", "_numpy", "_order", "_prefix", "_shape", "_size", "head", "length")

    def __init__(self, where: Layout, prefix: bytes, announced: bytes) -> None:
        """``prefix``: what comes before the bytes of each; of that, ``announced`` only tells its length."""
        self._numpy = _numpy()
        words, self._order, shape = where
        self._shape, self._dtype = tuple(shape), dtype_from(words)
        self._size = size_of(words, shape)
        self._prefix = prefix
        self.head = prefix[len(announced) :]
        self.length = len(self.head) + self._size

    def array(self, data: bytes) -> np.ndarray[Any, Any]:
        """One of them, read-only."""
        array: np.ndarray[Any, Any] = self._numpy.ndarray(
            self._shape, self._dtype, data, 0, None, self._order
        )
        return array

    def rows(self, body: Any, first: int, count: int) -> Optional[List[np.ndarray[Any, Any]]]:
        """Views of ``count`` of them that follow each other in ``body`` from ``first`` on; None when
        something else is there."""
        skip = len(self._prefix)
        step = skip + self._size
        if self._order != "C" or not self._shape or len(body) != first + count * step:
            return None
        numpy = self._numpy
        lines = numpy.frombuffer(body, numpy.uint8, offset=first).reshape(count, step)
        if not (lines[:, :skip] == numpy.frombuffer(self._prefix, numpy.uint8)).all():
            return None
        strides = numpy.empty(self._shape, self._dtype).strides
        whole = numpy.ndarray((count, *self._shape), self._dtype, body, first + skip, (step, *strides))
        whole.flags.writeable = False
        return list(whole)


def raw(array: np.ndarray[Any, Any]) -> bytes:
    """Its bytes in the order that ``layout`` says."""
    return array.tobytes("F" if layout(array)[1] == "F" else "C")


def bare(array: np.ndarray[Any, Any]) -> Any:
    """The same bytes, as a view where they lie so in memory."""
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        return raw(array)
    flat = array if array.flags.c_contiguous else array.T
    return flat.reshape(-1).view(_numpy().uint8)


def fill(where: Layout, buffer: Any, offset: int, array: np.ndarray[Any, Any]) -> None:
    """Copy ``array`` into ``buffer``: one pass over the memory, whatever its strides."""
    _numpy().copyto(view(where, buffer, offset), array)


def scalar_words(value: np.generic) -> Tuple[str, bytes]:
    """A NumPy scalar as dtype and bytes."""
    # np.str_("") says that it takes no bytes, and gives some.
    return dtype_words(value.dtype), value.tobytes()[: value.dtype.itemsize]


def scalar_from(words: str, data: bytes) -> Any:
    """The NumPy scalar of these bytes."""
    return own((words, "C", ()), data)[()]


@functools.lru_cache(maxsize=1)
def _numpy() -> Any:
    numpy = imported("numpy", "an array")
    imported("numpy.lib.format", "an array")
    return numpy
