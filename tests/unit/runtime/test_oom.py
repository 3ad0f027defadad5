from __future__ import annotations

from pathlib import Path

from penstock.runtime.oom import OomWatch


def test_a_count_that_grows_is_seen_once(tmp_path: Path) -> None:
    events = tmp_path / "memory.events"
    events.write_text("low 0\noom 1\noom_kill 1\noom_group_kill 0\n")
    watch = OomWatch([str(events)])
    assert not watch.grown()
    events.write_text("low 0\noom 2\noom_kill 2\noom_group_kill 0\n")
    assert watch.grown()
    assert not watch.grown()


def test_files_that_are_not_there_or_say_nothing_count_nothing(tmp_path: Path) -> None:
    (tmp_path / "vmstat").write_text("pgfault 17\n")
    assert not OomWatch([str(tmp_path / "vmstat"), str(tmp_path / "nothing")]).grown()


def test_this_machine_can_be_watched() -> None:
    assert not OomWatch().grown()
