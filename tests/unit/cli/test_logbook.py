from __future__ import annotations

from pathlib import Path

import pytest

from penstock.cli.logbook import Line, Log, Logbook, NoSuchLog


def write(directory: Path, name: str, text: str) -> None:
    (directory / name).write_text(text)


def texts(directory: Path, *wanted: str, last: int | None = None) -> list[str]:
    return [line.text for line in Logbook(directory, wanted).merged(last)]


def test_lines_of_all_workers_are_merged_by_their_time(tmp_path: Path) -> None:
    write(tmp_path, "a.0.log", "2026-01-01 10:00:00,100 one\n2026-01-01 10:00:00,300 three\n")
    write(tmp_path, "b.0.log", "2026-01-01 10:00:00,200 two\n")
    assert [line.rpartition(" ")[2] for line in texts(tmp_path)] == ["one", "two", "three"]


def test_a_traceback_stays_behind_the_line_it_belongs_to(tmp_path: Path) -> None:
    write(tmp_path, "a.0.log", "2026-01-01 10:00:00,100 failed\nTraceback\n  ValueError\n")
    write(tmp_path, "b.0.log", "2026-01-01 10:00:00,050 before\n2026-01-01 10:00:00,200 after\n")
    assert texts(tmp_path)[1:4] == ["2026-01-01 10:00:00,100 failed", "Traceback", "  ValueError"]


def test_the_order_within_a_file_is_never_changed(tmp_path: Path) -> None:
    write(tmp_path, "a.0.log", "2026-01-01 10:00:05 x\n2026-01-01 10:00:01 y\n")
    assert [line[-1] for line in texts(tmp_path)] == ["x", "y"]


def test_one_stage_or_one_worker_can_be_asked_for(tmp_path: Path) -> None:
    for name in ("detect.0", "detect.1", "save.0"):
        write(tmp_path, f"{name}.log", name + "\n")
    assert texts(tmp_path, "detect") == ["detect.0", "detect.1"]
    assert texts(tmp_path, "detect/1", "save") == ["detect.1", "save.0"]


def test_a_stage_without_a_log_is_refused_with_those_that_have_one(tmp_path: Path) -> None:
    write(tmp_path, "detect.0.log", "")
    with pytest.raises(NoSuchLog, match=r"detcet has no log in .*; there is detect/0"):
        Logbook(tmp_path, ["detcet"])


def test_the_last_lines_are_counted_for_each_worker(tmp_path: Path) -> None:
    write(tmp_path, "a.0.log", "1\n2\n3\n")
    write(tmp_path, "b.0.log", "4\n")
    assert texts(tmp_path, last=2) == ["2", "3", "4"]
    assert texts(tmp_path, last=0) == []


def test_ten_comes_after_nine(tmp_path: Path) -> None:
    for replica in (10, 9, 2):
        write(tmp_path, f"a.{replica}.log", "")
    assert [log.label for log in Logbook(tmp_path).logs()] == ["a/2", "a/9", "a/10"]


def test_following_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.0.log"
    path.write_text("one\ntw")
    log = Log(path)
    assert list(log.more()) == [Line("a/0", "one")]
    with path.open("a") as file:
        file.write("o\n")
    assert list(log.more()) == [Line("a/0", "two")]
    assert list(log.more()) == []


def test_a_last_line_without_an_end_is_not_lost(tmp_path: Path) -> None:
    write(tmp_path, "a.0.log", "one\nkilled in the mid")
    assert texts(tmp_path) == ["one", "killed in the mid"]


def test_a_log_that_was_emptied_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a.0.log"
    path.write_text("a long first line\n")
    log = Log(path)
    list(log.more())
    path.write_text("new\n")
    assert list(log.more()) == [Line("a/0", "new")]


def test_bytes_that_are_no_text_do_not_stop_the_reading(tmp_path: Path) -> None:
    (tmp_path / "a.0.log").write_bytes(b"\xff\xfe ok\n")
    assert texts(tmp_path)[0].endswith(" ok")


def test_following_ends_with_the_pipeline_and_reads_its_last_words(tmp_path: Path) -> None:
    write(tmp_path, "a.0.log", "one\n")
    alive = iter([True, True, False])

    def pause() -> None:
        write(tmp_path, "b.0.log", "a new worker\nlast wor")

    book = Logbook(tmp_path)
    assert [line.text for line in book.follow(lambda: next(alive), pause)] == [
        "one",
        "a new worker",
        "last wor",
    ]


def test_following_takes_in_only_the_workers_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "a.0.log", "one\n")
    alive = iter([True, True, False])
    book = Logbook(tmp_path, ["a"])
    lines = book.follow(lambda: next(alive), lambda: write(tmp_path, "b.0.log", "other\n"))
    assert [line.text for line in lines] == ["one"]
