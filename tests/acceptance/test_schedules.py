"""Tasks that are called by themselves, by real supervisors: each tick once, whoever is there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.tasks import timetable
from tests.jobs import desk, until

APP = """\
from penstock import JobContext, task


@task(every="1s")
def beats(ctx: JobContext) -> None:
    with open("beats", "a") as file:
        file.write(f"{ctx.id} {ctx.attempt}\\n")


@task(group="nightly", cron="0 3 * * *", timezone="Europe/Paris", timeout="2h")
def report(day: str = "today") -> str:
    return day
"""


def tick_of(id: str) -> int:
    return int(id.replace("-", "")[:12], 16)


def first_starts(notes: list[str]) -> list[int]:
    """The ticks, but for the one the killed supervisor had in hand: that comes again as a second attempt."""
    return [tick_of(id) for id, attempt in (note.split() for note in notes) if attempt == "1"]


@pytest.mark.fault
def test_two_supervisors_run_each_tick_once_and_one_goes_on_when_the_other_is_killed(tmp_path: Path) -> None:
    with desk(tmp_path, APP) as work:
        first, second = work.work(), work.work()
        work.until_noted("beats", 2)
        os.kill(first.process.pid, signal.SIGKILL)
        so_far = len(work.until_noted("beats"))
        notes = work.until_noted("beats", so_far + 3)
        second.signal()
        assert "done" in second.end()
        ticks = first_starts(notes)
        assert ticks == sorted(set(ticks)) and all(tick % 1000 == 0 for tick in ticks)
        (left,) = [row for row in work.store.jobs() if row.task == "beats" and row.state == "scheduled"]
        assert left.run_at > max(ticks)
        entries = {entry.task: entry for entry in timetable.entries(work.store)}
        assert str(entries["report"].scheduled.schedule) == "0 3 * * * Europe/Paris"


def test_what_the_code_says_now_is_what_counts_and_is_listed(tmp_path: Path) -> None:
    with desk(tmp_path, APP) as work:
        first = work.work("--group", "nightly")
        until(lambda: timetable.entries(work.store), "the schedule is known")
        first.signal()
        first.end()
        (tmp_path / "app.py").write_text(APP.replace("0 3 * * *", "30 4 * * 1"))
        second = work.work("--group", "nightly")
        until(lambda: timetable.entries(work.store)[0].scheduled.schedule.cron == "30 4 * * 1", "the new one")
        second.signal()
        second.end()
        assert len(work.store.jobs()) == 1
        (shown,) = json.loads(_say(tmp_path, "tasks", "schedules", "--json").stdout)["schedules"]
        assert set(shown) == {
            "group", "task", "every", "cron", "timezone", "paused", "next", "job", "last",
        }  # fmt: skip
        assert (shown["task"], shown["cron"], shown["job"]["state"]) == ("report", "30 4 * * 1", "scheduled")
        assert "30 4 * * 1 Europe/Paris" in _say(tmp_path, "tasks", "schedules").stdout


def test_a_schedule_without_ticks_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.replace("0 3 * * *", "0 25 * * *"))
    sentence = "app.py:10: cron='0 25 * * *': bad hour; write minute, hour"
    refused = _say(tmp_path, "worker", "app.py")
    assert (refused.returncode, sentence in refused.stderr) == (4, True)
    checked = _say(tmp_path, "check", "app.py")
    assert (checked.returncode, sentence in checked.stdout) == (1, True)
    (tmp_path / "app.py").write_text(APP)
    assert "2 tasks, 2 groups, 2 schedules" in _say(tmp_path, "check", "app.py").stdout


def _say(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "penstock", *words]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=120)
