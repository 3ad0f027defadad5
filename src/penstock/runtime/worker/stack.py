"""In the worker: the arrays of a batch as one array with a new first axis. (NumPy made them: it is there.)"""

from __future__ import annotations

from typing import Any, List, Optional, Tuple, Union

from penstock.message import arrays

Number = Union[int, float]


def misfit(value: Any, first: Any, *, pad: bool) -> Optional[str]:
    """Why ``value`` cannot be stacked on ``first``, in a sentence; ``None`` when it can. With ``pad``,
    lengths may differ, but not their number."""
    if not arrays.is_array(value):
        return f"a batch of arrays is asked for, and this is a {type(value).__name__}; send an array"
    if not arrays.is_array(first) or value is first:
        return None  # what is no array is itself out of place
    if value.dtype != first.dtype:
        return f"its dtype is {value.dtype}, and that of its batch is {first.dtype}; make them one"
    if value.shape == first.shape or (pad and value.ndim == first.ndim):
        return None
    cure = "make them one number of axes" if pad else "make them one shape, or say pad=0"
    return f"its shape is {value.shape}, and that of its batch is {first.shape}; {cure}"


def fit(values: List[Any]) -> bool:
    """Whether all of them are arrays of one dtype and shape. (``misfit`` says of each what is wrong.)"""
    first = values[0]
    if not arrays.is_array(first):
        return False
    kind, dtype, shape = type(first), first.dtype, first.shape
    return all(type(value) is kind and value.dtype == dtype and value.shape == shape for value in values)


def stack(values: List[Any], pad: Optional[Number]) -> Any:
    """A new array of shape ``(len(values), ...)`` and their dtype; smaller ones are filled up at the ends."""
    import numpy

    first = values[0]
    if pad is not None and any(value.shape != first.shape for value in values):
        return _padded(values, pad)
    if not first.ndim:
        return numpy.array(values, first.dtype)
    # What numpy.stack does, in one call of C: it adds the axis array by array. Unasked, both swap bytes.
    return numpy.concatenate(values, dtype=first.dtype).reshape((len(values), *first.shape))


def _padded(values: List[Any], pad: Number) -> Any:
    import numpy

    shape = map(max, *(value.shape for value in values))
    whole = numpy.full((len(values), *shape), pad, values[0].dtype)
    for place, value in enumerate(values):
        part: Tuple[Any, ...] = (place, *map(slice, value.shape))
        whole[part] = value
    return whole
