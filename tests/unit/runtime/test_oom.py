from __future__ import annotations

from pathlib import Path

import pytest

from penstock.runtime.oom import VMSTAT, OomWatch, counter

V1 = "memory/{group}/memory.oom_control"
V2 = "{group}/memory.events"


def write(path: Path, kills: int) -> Path:
    """A file in which so many kills are counted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"low 0\noom {kills}\noom_kill {kills}\noom_group_kill 0\n")
    return path


def test_a_count_that_grows_is_seen_once(tmp_path: Path) -> None:
    events = write(tmp_path / "memory.events", 1)
    watch = OomWatch(str(events))
    assert not watch.grown()
    write(events, 2)
    assert watch.grown()
    assert not watch.grown()


def test_a_file_that_is_not_there_or_says_nothing_counts_nothing(tmp_path: Path) -> None:
    (tmp_path / "vmstat").write_text("pgfault 17\n")
    assert not OomWatch(str(tmp_path / "vmstat")).grown()
    assert not OomWatch(str(tmp_path / "nothing")).grown()


@pytest.mark.parametrize(
    ("told", "place"),
    [
        ("0::/user/me", V2.format(group="user/me")),
        ("0::/outside/name", "memory.events"),
        ("4:cpu,memory:/user/me\n0::/", V1.format(group="user/me")),
        ("4:memory:/docker/1234\n1:cpu:/x", "memory/memory.oom_control"),
    ],
    ids=["v2", "v2 in a container", "v1", "v1 in a container"],
)
def test_the_kills_of_our_own_group_are_counted_and_not_those_of_the_machine(
    tmp_path: Path, told: str, place: str
) -> None:
    (tmp_path / "cgroup").write_text(f"{told}\n")
    mine = write(tmp_path / "mounted" / place, 0)
    assert counter(cgroups=str(tmp_path / "cgroup"), root=str(tmp_path / "mounted")) == str(mine)


@pytest.mark.parametrize("told", [None, "0::/", "3:cpu:/user/me", "4:memory:/user/me"])
def test_the_machine_is_asked_where_no_group_counts(tmp_path: Path, told: str | None) -> None:
    if told is not None:
        (tmp_path / "cgroup").write_text(f"{told}\n")
    assert counter(cgroups=str(tmp_path / "cgroup"), root=str(tmp_path)) == VMSTAT


def test_this_machine_can_be_watched() -> None:
    assert not OomWatch().grown()
