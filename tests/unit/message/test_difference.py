"""In what two values differ is said in one sentence; what is equal differs in nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from PIL import Image

from penstock.message.difference import Tolerance, difference
from tests.unit.message.values import anything

LOOSE = Tolerance(rtol=0.01)


@given(anything)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert difference(value, value) == ""


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (1, 2, "1 was, 2 is"),
        (1, 1.0, "int was, float is"),
        (True, False, "True was, False is"),
        ("a" * 100, "b", "..."),
        (math.nan, math.nan, ""),
        (-0.0, 0.0, ""),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, "['a'][1]['b']: 2 was, 3 is"),
        ({"a": 1}, {"b": 1}, "'a' is missing"),
        ({}, {"b": 1}, "'b' is new"),
        ([1], (1,), "list was, tuple is"),
        ([1, 2], [1], "2 parts were, 1 are"),
        (np.zeros((2, 3)), np.zeros((3, 2)), "shape (2, 3) was, (3, 2) is"),
        (np.zeros(2, "f4"), np.zeros(2, "f8"), "dtype float32 was, float64 is"),
        (np.array([1, math.nan, 3]), np.array([1, math.nan, 3.5]), "1 of 3 elements differ, by 0.5 at most"),
        (np.array([1, 2], "u1"), np.array([2, 0], "u1"), "2 of 2 elements differ, by 2 at most"),
        (np.array(["a"]), np.array(["b"]), "contents of <U1 differ"),
        (np.float32(1), np.float32(1), ""),
        (np.float32(1), np.float32(2), "1 of 1 elements differ, by 1 at most"),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]}), "the two DataFrame differ"),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]}), ""),
        (Image.new("L", (1, 1), 1), Image.new("L", (1, 1), 1), ""),
    ],
)
def test_what_differs_is_named(old: Any, new: Any, sentence: str) -> None:
    said = difference(old, new)
    assert said == sentence or (sentence and sentence in said)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (100.0, 100.9, True),
        (100, 102, False),
        (math.inf, 5.0, False),
        (10**400, 10**400 + 1, False),
        (1 + 1j, 1.001 + 1j, True),
        ([np.array([100.0])], [np.array([100.5])], True),
        (np.array([math.inf]), np.array([5.0]), False),
    ],
)
def test_within_a_tolerance_numbers_are_equal(old: Any, new: Any, same: bool) -> None:
    assert (difference(old, new, LOOSE) == "") is same
