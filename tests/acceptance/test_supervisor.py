"""One run in the foreground, as its user meets it: signals, exit codes, the last line, and being PID 1."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import find_interpreter

APP = """\
import os, subprocess, sys, time
from penstock import Context, Pipeline, sink, source, stage

WHAT = os.environ.get("WHAT", "")


@source
def numbers():
    yield from range(100)
    if WHAT.startswith("endless"):
        while True:
            time.sleep(0.01)
            yield 0
    if WHAT == "idle":
        time.sleep(600)
    if WHAT == "raise":
        raise ValueError("the hundredth row is bad")


@stage(interpreter=os.environ.get("INTERPRETER"), max_failures=1)
class Work:
    def setup(self, ctx: Context) -> None:
        if WHAT == "no model":
            raise RuntimeError("the model is not there")
        if WHAT == "endless orphan":
            subprocess.Popen(["sh", "-c", "setsid sleep 0.1 & exit 0"])

    def __call__(self, item: int) -> int:
        if WHAT == "slow":
            time.sleep(60)
        if WHAT == "memory" and item == 50:
            hoard = []
            while True:
                hoard.append(bytearray(2**24))
        return item

    def teardown(self) -> None:
        if WHAT == "no room":
            raise OSError("the disk is full")


@sink
def keep(item: int) -> None:
    pass


pipeline = Pipeline("app", numbers >> Work >> keep)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
"""
PATIENCE = 60.0


class Foreground:
    """`python app.py`, and what it says."""

    def __init__(self, desk: Path, prefix: list[str], **variables: str) -> None:
        self.talk = desk / "talk"
        self.state = desk / ".penstock/app"
        with self.talk.open("wb") as out:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "app.py"], cwd=desk, env={**os.environ, **variables}, stderr=out
            )

    @property
    def said(self) -> str:
        return self.talk.read_text()

    def until(self, holds: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, self.said
            assert self.process.poll() is None, self.said
            time.sleep(0.003)

    def until_said(self, *words: str) -> None:
        self.until(lambda: all(word in self.said for word in words))

    def send(self, number: signal.Signals, pid: int | None = None) -> None:
        os.kill(self.process.pid if pid is None else pid, number)

    def end(self) -> int:
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not over: {self.said}") from None

    def account(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.state / "run.json").read_text())
        return found


Start = Callable[..., Foreground]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """``start(WHAT="slow")`` runs the app in a directory of its own."""
    monkeypatch.delenv("PENSTOCK_STATE_DIR", raising=False)
    (tmp_path / "app.py").write_text(APP)
    made: list[Foreground] = []

    def begin(prefix: list[str] | None = None, **variables: str) -> Foreground:
        made.append(Foreground(tmp_path, prefix or [], **variables))
        return made[-1]

    yield begin
    for run in made:
        run.process.kill()
        run.process.wait()


READY = ("numbers   1/1 ready", "Work      1/1 ready", "keep      1/1 ready")


def test_the_last_line_is_a_ledger_that_adds_up(start: Start) -> None:
    run = start()
    assert run.end() == 0
    assert "  100 in, 100 out, 0 lost, 0 dead" in run.said.splitlines()[-1]
    account = run.account()
    assert (account["schema"], account["exit"], account["state"]) == ("penstock.run/1", 0, "ended")
    assert account["totals"]["through"] == 100


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_drains_and_the_end_is_clean(start: Start, number: signal.Signals) -> None:
    run = start(WHAT="endless")
    run.until_said(*READY)
    run.send(number)
    assert run.end() == 0
    totals = run.account()["totals"]
    assert totals["entered"] == totals["through"]
    assert "0 lost, 0 dead" in run.said.splitlines()[-1]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_second_signal_stops_after_the_current_items_and_kills_who_does_not(
    start: Start, number: signal.Signals, code: int
) -> None:
    run = start(WHAT="slow", PENSTOCK_GRACE="200ms")
    run.until_said(*READY)
    run.send(number)
    run.until_said("draining")
    run.send(number)
    assert run.end() == code
    account = run.account()
    assert account["cut_short"]
    unfinished = account["totals"]["unfinished"]
    assert unfinished > 0
    assert f"0 lost, 0 dead, {unfinished} unfinished" in run.said.splitlines()[-1]


def test_the_third_signal_kills_at_once(start: Start) -> None:
    run = start(WHAT="slow", PENSTOCK_GRACE="1h")
    run.until_said(*READY)
    for word in ("draining", "stopping", "killing"):
        run.send(signal.SIGINT)
        run.until(lambda word=word: word in run.said or run.process.poll() is not None)  # type: ignore[misc]
    assert run.end() == 130


def test_a_source_that_raises_lets_everything_through_and_then_fails(start: Start) -> None:
    run = start(WHAT="raise")
    assert run.end() == 1
    assert run.account()["totals"]["through"] == 100
    assert run.said.splitlines()[-1] == (
        "penstock: app.py:7: numbers/0 failed: ValueError: the hundredth row is bad"
    )


def test_a_setup_that_raises_shows_the_users_line_and_fails(start: Start) -> None:
    run = start(WHAT="no model")
    assert run.end() == 1
    assert run.said.count('app.py", line 24, in setup') == 1
    assert "penstock/runtime" not in run.said
    assert run.said.splitlines()[-1].endswith(
        "Work/0 failed to start 3 times: RuntimeError: the model is not there"
    )


def test_a_teardown_that_raises_loses_nothing_and_fails(start: Start) -> None:
    run = start(WHAT="no room")
    assert run.end() == 1
    assert run.account()["totals"]["through"] == 100
    assert "penstock/runtime" not in run.said
    assert run.said.splitlines()[-1] == "penstock: app.py:20: Work/0 failed: OSError: the disk is full"


def test_an_interpreter_that_is_not_there_is_one_sentence_and_starts_nothing(start: Start) -> None:
    run = start(INTERPRETER="/no/such/python")
    assert run.end() == 5
    assert run.said == (
        "penstock: app.py:20: Work cannot run: its interpreter /no/such/python does not exist; "
        "give the path of a Python 3.9 or newer that has pyzmq and msgspec\n"
    )


def test_an_interpreter_without_what_a_worker_needs_says_how_to_install_it(start: Start) -> None:
    python = find_interpreter("3.9")
    run = start(INTERPRETER=python)
    assert run.end() == 5
    assert f"{python} -m pip install 'pyzmq>=25'" in run.said.splitlines()[-1]


def test_a_program_that_is_no_python_is_told_at_once(start: Start) -> None:
    run = start(INTERPRETER="/bin/true")
    assert run.end() == 5
    assert run.said.splitlines()[-1].endswith("/bin/true ended at once (exit code 0); is it a Python?")


def test_as_pid_1_it_drains_on_sigterm_and_reaps_the_orphans_of_others(start: Start) -> None:
    unshare = ["unshare", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("may not make a pid namespace")
    run = start(unshare, WHAT="endless orphan")
    run.until_said(*READY)
    [init] = children(run.process.pid)
    run.until(lambda: len(children(init)) == 3)  # the orphan has come, ended, and been reaped
    run.send(signal.SIGTERM, init)
    assert run.end() == 0


def test_a_worker_that_the_kernel_kills_for_want_of_memory_is_told_so(start: Start) -> None:
    group = Path("/sys/fs/cgroup/memory/penstock-test")
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(400 * 2**20))
    except OSError:
        pytest.skip("no control group of cgroup v1 can be made here")
    try:
        enter = ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"]
        run = start(enter, WHAT="memory")
        assert run.end() == 0
        assert "Work/0 died: out of memory" in run.said
        assert run.account()["totals"]["dead"] == 1
    finally:
        group.rmdir()


def test_an_idle_pipeline_costs_less_than_a_hundredth_of_a_core(start: Start) -> None:
    run = start(WHAT="idle")
    run.until_said(*READY)
    everybody = [run.process.pid, *children(run.process.pid)]
    assert len(everybody) == 4
    time.sleep(1.0)  # start-up is over; what is measured is a stretch of time
    before, began = spent(everybody), time.monotonic()
    time.sleep(2.0)
    assert (spent(everybody) - before) / (time.monotonic() - began) < 0.01


def children(pid: int) -> list[int]:
    """Its living and dead children."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sorted(int(child) for task in tasks for child in (task / "children").read_text().split())


def spent(pids: list[int]) -> float:
    """Seconds of a core that they have used."""
    tasks = [task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
