"""What counts as a regression, and what as noise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.bench.compare import FLOOR, Change, compare
from penstock.bench.result import Document, Result

STEADY: list[tuple[float, float | None]] = [(1.0, 1.0)] * 5


def entry(
    ratio: float | None, runs: list[tuple[float, float | None]] | None = None, case: str = "a"
) -> Result:
    return Result(
        case=case,
        unit="items/s",
        ours=ratio,
        peer=1.0,
        peer_name="raw",
        ratio=ratio,
        target=1.0,
        met=True,
        runs=STEADY[:] if runs is None else runs,
    )


def between(old: Result | None, new: Result | None) -> Change:
    (change,) = compare(*(Document(results=[result] if result else []) for result in (old, new)))
    return change


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [(2.0, 1.7, "regressed"), (2.0, 2.3, "improved"), (2.0, 1.9, "same"), (2.0, 2.1, "same")],
)
def test_a_change_of_more_than_a_tenth_counts_when_runs_are_steady(
    before: float, after: float, verdict: str
) -> None:
    assert between(entry(before), entry(after)).verdict == verdict


def test_runs_that_scatter_hide_a_change() -> None:
    scattered: list[tuple[float, float | None]] = [(1.0, 1.0), (2.0, 1.0), (3.0, 1.0), (0.5, 1.0), (2.5, 1.0)]
    assert between(entry(2.0, scattered), entry(1.5, scattered)).verdict == "same"


def test_one_run_that_went_astray_does_not_hide_it() -> None:
    astray: list[tuple[float, float | None]] = [(2.0, 1.0), (2.0, 1.0), (0.1, 1.0), (2.01, 1.0), (1.99, 1.0)]
    assert between(entry(2.0, astray), entry(1.5, astray)).verdict == "regressed"


def test_of_a_single_run_only_a_halving_counts() -> None:
    assert between(entry(2.0, [(2.0, 1.0)]), entry(1.3, [(1.3, 1.0)])).verdict == "same"
    assert between(entry(2.0, [(2.0, 1.0)]), entry(0.9, [(0.9, 1.0)])).verdict == "regressed"


def test_an_entry_without_a_peer_is_compared_by_its_own_runs() -> None:
    alone: list[tuple[float, float | None]] = [(5.0, None)] * 5
    assert between(entry(2.0, alone), entry(1.0, alone)).verdict == "regressed"


def test_what_is_new_or_gone_is_no_regression() -> None:
    assert between(None, entry(1.0)).verdict == "new"
    assert between(entry(1.0), None).verdict == "gone"


def test_what_could_be_measured_once_and_cannot_any_more_regressed() -> None:
    assert between(entry(1.0), entry(None, [])).verdict == "regressed"


def test_the_order_is_that_of_the_new_document() -> None:
    old = Document(results=[entry(1.0, case="c"), entry(1.0, case="a")])
    new = Document(results=[entry(1.0, case="a"), entry(1.0, case="b")])
    assert [change.key[0] for change in compare(old, new)] == ["a", "b", "c"]


ratios = st.floats(0.01, 100)
pairs = st.lists(st.tuples(ratios, ratios), min_size=1, max_size=7)


@given(ratio=ratios, runs=pairs)
def test_nothing_regresses_against_itself(ratio: float, runs: list[tuple[float, float | None]]) -> None:
    assert between(entry(ratio, runs), entry(ratio, runs)).verdict == "same"


@given(before=ratios, after=ratios, runs=pairs)
def test_a_regression_read_backwards_is_an_improvement(
    before: float, after: float, runs: list[tuple[float, float | None]]
) -> None:
    there, back = (
        between(entry(before, runs), entry(after, runs)),
        between(entry(after, runs), entry(before, runs)),
    )
    assert (there.verdict == "regressed") == (back.verdict == "improved")
    assert there.tolerance == back.tolerance >= FLOOR
