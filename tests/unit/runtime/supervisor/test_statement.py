from __future__ import annotations

import pytest

from penstock.pipeline.plan import LinkPlan, Plan
from penstock.runtime.supervisor import statement
from penstock.runtime.supervisor.account import LinkCount, Totals

PLAN = Plan("p", [], [LinkPlan(0, "camera", "work"), LinkPlan(1, "work", "save")])


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (0.43, "0.4"), (7, "7"), (22901, "22,901"), (1912.4, "1,912")]
)
def test_numbers(count: float, text: str) -> None:
    assert statement.number(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1400, "1.4 kB"),
        (36.2e9, "36 GB"),
        (9.96e6, "10 MB"),
        (999.6e6, "1.0 GB"),
        (5e15, "5000 TB"),
    ],
)
def test_sizes(count: float, text: str) -> None:
    assert statement.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.05, "50 ms"), (0.21, "0.2 s"), (12.4, "12 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert statement.duration(seconds) == text


def test_the_last_line_says_what_is_not_nothing() -> None:
    assert (
        statement.last_line(Totals(entered=22901, through=22901)) == "22,901 in, 22,901 out, 0 lost, 0 dead"
    )
    cut = Totals(entered=10, through=6, unfinished=3, dead=1)
    assert statement.last_line(cut) == "10 in, 6 out, 0 lost, 1 dead, 3 unfinished"
    slow = Totals(entered=1000, through=12, dropped_full=985, dropped_too_old=3)
    assert (
        statement.last_line(slow)
        == "1,000 in, 12 out, 0 lost, 0 dead, 985 dropped (full), 3 dropped (too old)"
    )


def test_the_ledger_leaves_out_what_is_nothing_everywhere() -> None:
    counts = {0: LinkCount(sent=1000, settled=1000, again=12), 1: LinkCount(sent=10, settled=9, dead=1)}
    assert statement.ledger(PLAN, counts) == [
        "link           sent   settled   dead   again",
        "camera→work   1,000     1,000      0      12",
        "work→save        10         9      1       0",
    ]


def test_data_is_a_column_when_arrays_travel() -> None:
    counts = {0: LinkCount(sent=1, settled=1, bytes=19_300_000), 1: LinkCount()}
    assert statement.ledger(PLAN, counts)[1].endswith("19 MB")
