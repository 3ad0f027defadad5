from __future__ import annotations

import pytest

from penstock.cli.figures import last_line, took

TOTALS = {"entered": 22901, "through": 22900, "in_flight": 0, "unfinished": 0, "lost": 0, "dead": 1}


def test_a_document_gives_the_same_last_line_as_the_run_itself() -> None:
    assert last_line(TOTALS) == "22,901 in, 22,900 out, 0 lost, 1 dead"


def test_what_a_newer_supervisor_adds_is_no_mistake() -> None:
    assert last_line({**TOTALS, "postponed": 3}) == last_line(TOTALS)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (6e-7, "0.6 µs"),
        (3.84e-5, "38 µs"),
        (0.0031, "3.1 ms"),
        (0.9994, "999 ms"),
        (12.0, "12 s"),
    ],
)
def test_what_an_item_took_is_said_in_the_unit_it_took(seconds: float | None, text: str) -> None:
    assert took(seconds) == text
