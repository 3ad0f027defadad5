"""The page: all rows, well-formed, and nothing to fetch."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from penstock.bench.page import page
from penstock.bench.plots import bars, scale
from penstock.bench.result import Document, Result

SPREAD = {"us CPU": (1.5, 1.0), "us p50": (10.0, 9.0), "us p90": (20.0, 15.0)}
SPREAD |= {"us p99": (30.0, 40.0), "us p99.9": (300.0, 90.0)}
STEPS = [{"load": load, "us p50": load / 10, "us p99": load} for load in (2000.0, 3000.0)]


def result(**fields: object) -> Result:
    usual = {"case": "some<case>", "unit": "messages/s of 8 B", "ours": 90.0, "peer": 100.0}
    usual |= {"peer_name": "py&zmq", "ratio": 0.9, "target": 0.8, "met": True, "runs": []}
    return Result(**{**usual, **fields})  # type: ignore[arg-type]


RESULTS = [
    result(),
    result(unit="messages/s of 40 MB", beside=SPREAD, met=False, ratio=0.5),
    result(unit="messages/s at the knee", steps=(STEPS, STEPS[:1])),
    result(case="alone", unit="s", peer=None, peer_name=None),
    result(case="broken", unit="ms", ours=None, peer=None, ratio=None, met=False),
]


def read(text: str) -> ElementTree.Element:
    """As XML, which is stricter than HTML."""
    return ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>"))


def test_every_entry_is_a_row_of_its_case() -> None:
    found = read(page(Document(results=RESULTS), {"alone": "nobody beside it"}))
    rows = [
        (section.get("id"), "".join(row[0].itertext()).split(" beside ")[0])
        for section in found.iter("section")
        for body in section.iter("tbody")
        for row in body
    ]
    assert rows == [(each.case, each.unit) for each in RESULTS]
    assert "nobody beside it" in "".join(found.itertext())
    assert "3 of 5 targets met" in "".join(found.itertext())


def test_nothing_is_fetched_and_nothing_is_run() -> None:
    text = page(Document(results=RESULTS, cut=True), {})
    assert not re.search(r"https?:|//|<script|<link|@import|url\(|src=|href=", text)
    assert "ended before all was measured" in text


def test_a_case_has_its_plots() -> None:
    sections = {each.get("id"): each for each in read(page(Document(results=RESULTS), {})).iter("section")}
    headings = ["".join(each.itertext()) for each in sections["some<case>"].iter("h3")]
    assert len(headings) == len(list(sections["some<case>"].iter("svg"))) == 4
    assert not list(sections["broken"].iter("svg"))


@pytest.mark.parametrize("values", [[], [0.0], [5.0], [1.0, 1.0], [1e-3, 1e9]])
def test_a_scale_takes_whatever_there_is(values: list[float]) -> None:
    across = scale(values, 0, 100)
    assert all(0 <= across.at(value) <= 100 for value in [*values, 1.0])
    assert bars("nothing", []).startswith("<svg")
