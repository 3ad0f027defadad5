from __future__ import annotations

from penstock.cli.figures import last_line

TOTALS = {"entered": 22901, "through": 22900, "in_flight": 0, "unfinished": 0, "lost": 0, "dead": 1}


def test_a_document_gives_the_same_last_line_as_the_run_itself() -> None:
    assert last_line(TOTALS) == "22,901 in, 22,900 out, 0 lost, 1 dead"


def test_what_a_newer_supervisor_adds_is_no_mistake() -> None:
    assert last_line({**TOTALS, "postponed": 3}) == last_line(TOTALS)
