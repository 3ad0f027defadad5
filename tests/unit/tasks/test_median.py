"""Which trials are stopped: those that are worse than the half, and never the best."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.tasks.median import LEAST, Curve, loses

VALUES = st.floats(-1e6, 1e6, allow_nan=False)
FULL = st.lists(VALUES, min_size=1, max_size=6).map(
    lambda values: [((at + 1) / (len(values) + 1), value) for at, value in enumerate(values)]
)


def flat(value: float, to: float = 0.9) -> Curve:
    return [(0.1, value), (to, value)]


def test_one_that_is_worse_than_the_median_is_stopped() -> None:
    others = [flat(1), flat(2), flat(3), flat(4)]
    assert loses(flat(3), others, "min") and not loses(flat(2.5), others, "min")
    assert loses(flat(2), others, "max") and not loses(flat(2.5), others, "max")


def test_only_those_that_have_come_as_far_are_compared_with() -> None:
    assert not loses(flat(9, 0.5), [flat(1, 0.4)] * 10, "min")
    assert loses(flat(9, 0.5), [flat(1, 0.4)] * 10 + [flat(1, 0.5)] * LEAST, "min")


def test_one_that_was_not_seen_so_early_is_not_compared_with() -> None:
    assert not loses(flat(9, 0.5), [[(1.0, 1.0)]] * 10, "min")


def test_what_has_been_better_before_counts() -> None:
    assert not loses([(0.1, 0.5), (0.9, 9.0)], [flat(1)] * LEAST, "min")


def test_one_that_has_reported_no_number_at_all_loses_and_one_that_is_through_never() -> None:
    assert loses([(0.5, float("nan"))], [flat(1)] * LEAST, "min")
    assert not loses([(1.0, 9.0)], [[(1.0, 1.0)]] * LEAST, "min")
    assert not loses([], [flat(1)] * LEAST, "min")


@given(curves=st.lists(FULL, min_size=1, max_size=12))
def test_the_best_is_never_stopped_nor_more_than_the_worse_half(curves: list[Curve]) -> None:
    stopped = [at for at, curve in enumerate(curves) if loses(curve, curves[:at] + curves[at + 1 :], "min")]
    bests = [min(value for _, value in curve) for curve in curves]
    assert bests.index(min(bests)) not in stopped
    mirrored = [[(part, -value) for part, value in curve] for curve in curves]
    assert stopped == [
        at for at, curve in enumerate(mirrored) if loses(curve, mirrored[:at] + mirrored[at + 1 :], "max")
    ]
    if len(curves) <= LEAST:
        assert stopped == []
