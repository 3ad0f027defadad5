"""The histogram of high dynamic range, held against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.bench.histogram import WHOLE, Histogram, bucket, middle

NUMBERS = st.one_of(st.integers(0, 1000), st.integers(0, (1 << 53) - 1))


def histogram(values: list[int]) -> Histogram:
    counted = Histogram()
    for value in values:
        counted.count(value)
    return counted


@given(values=st.lists(NUMBERS, min_size=1, max_size=200), part=st.floats(0, 1))
def test_percentiles_are_those_of_numpy_to_four_thousandths(values: list[int], part: float) -> None:
    expected = float(np.quantile(np.array(values, float), part, method="inverted_cdf"))
    assert histogram(values).quantile(part) == pytest.approx(expected, rel=0.004)


@given(value=NUMBERS, more=NUMBERS)
def test_a_greater_number_is_in_no_lower_bucket(value: int, more: int) -> None:
    assert bucket(value) <= bucket(value + more)
    assert bucket(int(middle(bucket(value)))) == bucket(value)


@given(value=st.integers(0, WHOLE - 1))
def test_small_numbers_are_kept_as_they_are(value: int) -> None:
    assert histogram([value]).quantile(1) == value


def test_percentiles_have_names_and_are_microseconds() -> None:
    spread = histogram([1000 * number for number in range(1, 1001)]).spread()
    assert list(spread) == ["us p50", "us p90", "us p99", "us p99.9"]
    assert list(spread.values()) == pytest.approx([500, 900, 990, 999], rel=0.004)


def test_of_nothing_there_is_no_percentile() -> None:
    with pytest.raises(ValueError, match="nothing was counted"):
        Histogram().quantile(0.5)
