from __future__ import annotations

from datetime import timedelta

import pytest

from penstock.pipeline.duration import seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [("250ms", 0.25), ("2s", 2.0), ("1.5m", 90.0), (" 1 h ", 3600.0), ("2d", 172800.0), ("0s", 0.0)],
)
def test_a_time_is_a_number_and_a_unit(text: str, expected: float) -> None:
    assert seconds(text) == expected


def test_a_timedelta_is_a_time() -> None:
    assert seconds(timedelta(minutes=2)) == 120.0


@pytest.mark.parametrize("value", [30, 1.5, "30"])
def test_a_bare_number_is_refused_and_told_its_unit(value: object) -> None:
    with pytest.raises(ValueError, match=f"did you mean '{value}s'"):
        seconds(value)


@pytest.mark.parametrize("value", ["", "30", "s", "30 sec", "-1s", "1s 2s", None, True, b"1s"])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="with a unit"):
        seconds(value)


@pytest.mark.parametrize("value", ["99999999999999999d", "36526d", timedelta(days=40_000)])
def test_what_no_clock_would_reach_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is more than a hundred years; say a shorter time"):
        seconds(value)
