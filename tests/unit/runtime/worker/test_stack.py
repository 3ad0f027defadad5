from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from penstock.runtime.worker.stack import fit, misfit, stack

DTYPES = st.sampled_from(["f4", "i8", "u1", "?", "c8", ">i2"])
Array = np.ndarray[Any, Any]


@st.composite
def alike(draw: st.DrawFn) -> list[Array]:
    """Arrays of one dtype and one shape."""
    dtype, shape = draw(DTYPES), draw(hnp.array_shapes(min_dims=0, min_side=0))
    return draw(st.lists(hnp.arrays(dtype, shape), min_size=1, max_size=5))


@st.composite
def ragged(draw: st.DrawFn) -> list[Array]:
    """Arrays of one dtype and one number of axes."""
    dtype, axes = draw(DTYPES), draw(st.integers(0, 3))
    shapes = hnp.array_shapes(min_dims=axes, max_dims=axes, min_side=0, max_side=4) if axes else st.just(())
    return draw(st.lists(shapes.flatmap(lambda shape: hnp.arrays(dtype, shape)), min_size=1, max_size=5))


@given(alike(), st.sampled_from([None, 0, 7]))
def test_arrays_of_one_shape_get_a_new_first_axis_and_keep_their_dtype(
    values: list[Array], pad: int | None
) -> None:
    assert all(misfit(value, values[0], pad=False) is None for value in values)
    made = stack(values, pad)
    assert made.dtype == values[0].dtype
    assert np.array_equal(made, np.stack(values), equal_nan=True)


@given(ragged(), st.sampled_from([0, 1]))
def test_smaller_arrays_are_filled_up_at_their_ends(values: list[Array], pad: int) -> None:
    assert all(misfit(value, values[0], pad=True) is None for value in values)
    made = stack(values, pad)
    assert made.dtype == values[0].dtype
    assert made.shape == (len(values), *np.max([value.shape for value in values], axis=0))
    for row, value in zip(made, values, strict=True):
        inside = tuple(map(slice, value.shape))
        assert np.array_equal(row[inside], value, equal_nan=True)
        outside = np.ones(row.shape, bool)
        outside[inside] = False
        assert (row[outside] == np.array(pad, made.dtype)).all()


@pytest.mark.parametrize(
    ("value", "pad", "sentence"),
    [
        (np.zeros((2, 4), "f4"), False, "its shape is (2, 4), and that of its batch is (2, 3)"),
        (np.zeros(3, "f4"), True, "make them one number of axes"),
        (np.zeros((2, 3), "f8"), True, "its dtype is float64, and that of its batch is float32"),
        ([1, 2], False, "this is a list; send an array"),
    ],
)
def test_what_does_not_fit_is_told_with_its_cure(value: Any, pad: bool, sentence: str) -> None:
    assert sentence in str(misfit(value, np.zeros((2, 3), "f4"), pad=pad))


@given(alike())
def test_arrays_that_are_alike_fit_without_a_look_at_each(values: list[Array]) -> None:
    assert fit(values)
    assert not any(misfit(value, values[0], pad=False) for value in values)


@pytest.mark.parametrize("other", [np.zeros((2, 3)), np.zeros((3, 2), "f4"), [0.0], None])
def test_one_that_is_not_alike_is_looked_for(other: Any) -> None:
    one = np.zeros((3, 2))
    assert not fit([one, one, other])
    assert not fit([other, one])
