"""Items are held against each other by their ids; what lies outside of a recording is not counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from penstock import Recording
from penstock.message import recording
from penstock.message.chunk import VERSION, About
from penstock.message.codec import Encoder
from penstock.message.comparison import Edges, Found, Verdict, compare
from penstock.message.recording import LinkFacts, Manifest
from penstock.message.segment import SUFFIX, Writer

LINKS = [LinkFacts(0, "src→work", "src", "work"), LinkFacts(1, "work→out", "work", "out")]


def recorded(
    folder: Path, *tracks: dict[tuple[str, int], tuple[int, Any]], whole: bool = True, failure: str = ""
) -> Recording:
    """Each item: its id, when it went out, and its value."""
    folder.mkdir()
    manifest = Manifest("demo", "demo-1", 0.0, LINKS, whole, whole, ended=10.0, failure=failure)
    recording.write(str(folder), manifest)
    for link, items in enumerate(tracks):
        writer = Writer(f"{folder}/{link}.1{SUFFIX}", About(VERSION, "demo-1", link, "src/0", 1, 0))
        for (origin, number), (at, value) in items.items():
            writer.add(at * 10**9, [(origin, number, 1)], [Encoder(None).encode(value)])
        writer.close()
    return Recording(folder)


def test_each_id_is_equal_different_missing_or_new(tmp_path: Path) -> None:
    old = recorded(tmp_path / "a", {}, {("src/0", n): (n, n) for n in range(4)})
    now = {("src/0", 3): (0, 3), ("src/0", 1): (1, 9), ("src/0", 2): (2, 2), ("x", 1): (3, 0)}
    new = recorded(tmp_path / "b", {}, now)
    verdict = compare(old["work->out"], new["work->out"], Edges(old, [old["src->work"]]))
    first = [Found("src/0:1", "1 was, 9 is"), Found("src/0:0", "is missing"), Found("x:1", "is new")]
    assert verdict == Verdict("work→out", 2, 1, 1, 1, 0, first)
    assert not verdict.same


@pytest.mark.parametrize("whole", [True, False])
def test_what_was_made_before_or_after_a_live_recording_is_outside(tmp_path: Path, whole: bool) -> None:
    sent = {("src/0", n): (n, n) for n in range(2, 11)}
    made = {("src/0", 1): (2, "early"), **{("src/0", n): (n + 2, n) for n in range(2, 9)}}
    now = {("src/0", n): (0, n) for n in range(2, 11)}  # the last two came out after the end
    old = recorded(tmp_path / "a", sent, made, whole=whole)
    new = recorded(tmp_path / "b", {}, now)
    verdict = compare(old["work->out"], new["work->out"], Edges(old, [old["src->work"]]))
    assert verdict.equal == 7
    assert (verdict.missing, verdict.new, verdict.outside) == ((1, 2, 0) if whole else (0, 0, 3))


def test_children_belong_to_what_they_were_made_from(tmp_path: Path) -> None:
    old = recorded(tmp_path / "a", {("src/0", 1): (1, 0)}, {("src/0:1", 0): (2, 0)}, whole=False)
    new = recorded(tmp_path / "b", {}, {("src/0:1:0", 3): (2, 0)})
    verdict = compare(old["work->out"], new["work->out"], Edges(old, [old["src->work"]]))
    assert (verdict.missing, verdict.new, verdict.outside) == (1, 1, 0)


def test_what_was_made_of_items_that_came_by_a_link_that_is_not_recorded_is_outside(tmp_path: Path) -> None:
    made = {("src/0", 1): (2, "one"), ("other/0", 1): (2, "two")}
    old = recorded(tmp_path / "a", {("src/0", 1): (1, 0)}, made)
    new = recorded(tmp_path / "b", {}, {("src/0", 1): (0, "one")})
    for partly, missing in ((False, 1), (True, 0)):
        edges = Edges(old, [old["src->work"]], partly=partly)
        verdict = compare(old["work->out"], new["work->out"], edges)
        assert (verdict.equal, verdict.missing, verdict.outside) == (1, missing, 1 - missing)


def test_where_a_recording_has_lost_something_what_is_new_is_not_counted_against_it(tmp_path: Path) -> None:
    sent = {("src/0", n): (n, n) for n in range(4)}
    old = recorded(tmp_path / "a", sent, {("src/0", 0): (1, 0), ("src/0", 9): (1, 9)}, failure="disk full")
    new = recorded(tmp_path / "b", {}, {("src/0", n): (0, n) for n in range(4)})
    verdict = compare(old["work->out"], new["work->out"], Edges(old, [old["src->work"]]))
    assert (verdict.equal, verdict.missing, verdict.new, verdict.outside) == (1, 0, 0, 4)
