from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from penstock.observe.events import DrainBegan, Noticed, RunEnded, StageDrained
from penstock.runtime.supervisor import journal
from penstock.runtime.supervisor.journal import Journal, latest, read


def kept(folder: Path, run: str = "demo-1") -> list[dict[str, object]]:
    return list(read(str(folder / "events"), run))


def test_events_are_kept_with_number_and_time_and_told_to_who_follows(tmp_path: Path) -> None:
    told: list[dict[str, object]] = []
    written = Journal(str(tmp_path), "demo-1", now=lambda: 7.0)
    written.hear(DrainBegan())
    assert written.follow(told.append) == [{"n": 0, "at": 7.0, "event": "drain_began"}]
    written.hear(StageDrained(stage="work"))
    written.leave(told.append)
    written.hear(RunEnded(failed=False, cut_short=False))
    assert told == [{"n": 1, "at": 7.0, "event": "stage_drained", "stage": "work"}]
    assert [record["event"] for record in kept(tmp_path)] == ["drain_began", "stage_drained", "run_ended"]


def test_of_a_run_that_says_too_much_the_newest_is_kept_and_the_numbers_show_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "LARGEST", 2000)
    written = Journal(str(tmp_path), "demo-1")
    for number in range(100):
        written.hear(Noticed(stage="work", replica=0, number=1, kind="failure", text=f"{number}"))
    numbers = [record["n"] for record in kept(tmp_path)]
    assert numbers == list(range(100))[-len(numbers) :]
    assert len(numbers) > 5
    sizes = [path.stat().st_size for path in (tmp_path / "events").iterdir()]
    assert len(sizes) == 2
    assert all(size <= 2000 for size in sizes)


def test_a_directory_that_cannot_be_written_silences_the_file_only(tmp_path: Path) -> None:
    (tmp_path / "events").write_text("in the way")
    told: list[dict[str, object]] = []
    written = Journal(str(tmp_path), "demo-1")
    assert written.follow(told.append) == []
    written.hear(DrainBegan())
    assert [record["event"] for record in told] == ["drain_began"]


def test_what_could_be_written_again_follows_on_whole_lines(tmp_path: Path) -> None:
    written = Journal(str(tmp_path), "demo-1")
    written.hear(DrainBegan())
    folder = tmp_path / "events"
    folder.rename(tmp_path / "away")
    written.hear(DrainBegan())
    (tmp_path / "away").rename(folder)
    written.hear(DrainBegan())
    assert [record["n"] for record in kept(tmp_path)] == [0, 2]


def test_a_line_that_was_cut_ends_the_reading(tmp_path: Path) -> None:
    Journal(str(tmp_path), "demo-1").hear(DrainBegan())
    path = tmp_path / "events" / "demo-1.jsonl"
    path.write_text(path.read_text() + json.dumps({"n": 1})[:4])
    assert [record["n"] for record in kept(tmp_path)] == [0]


def test_the_last_runs_are_kept_and_the_very_last_is_found(tmp_path: Path) -> None:
    assert latest(str(tmp_path / "events")) is None
    for number in range(journal.RUNS + 3):
        Journal(str(tmp_path), f"demo-{number:02}").hear(DrainBegan())
        path = tmp_path / "events" / f"demo-{number:02}.jsonl"

        os.utime(path, (number, number))
    runs = sorted(path.name for path in (tmp_path / "events").iterdir())
    assert len(runs) == journal.RUNS
    assert runs[0] == "demo-03.jsonl"
    assert latest(str(tmp_path / "events")) == "demo-12"
    assert kept(tmp_path, "demo-00") == []
