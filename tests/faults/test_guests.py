"""Scripts that take part die, hang and lose their pipeline: nothing is lost, and each is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from penstock.runtime import client, sweep
from tests.faults.rig import PATIENCE, Rig, Run, Worker

pytestmark = pytest.mark.fault

WORK = """
import penstock
with penstock.attach("guests", "work") as node:
    for message in node:
        node.emit(message.value)
"""
HOLD = """
import os, penstock, time
with penstock.attach("guests", "work") as node:
    for message in node:
        node.emit(message.value)
        print("has", message.value, flush=True)
        time.sleep(60)
"""
FEED = """
import os, penstock
from itertools import count
with penstock.attach("guests", "feed") as node:
    for number in count(1_000_000):
        node.emit(number)
        print("made", number, flush=True)
"""
FORKED = """
import os, penstock, time
with penstock.attach("guests", "work") as node:
    if os.fork() == 0:
        time.sleep(60)  # holds all that is open
    for message in node:
        print("has", message.value, os.getpid(), flush=True)
        time.sleep(60)
"""


class Scripts:
    """Programs of somebody else's."""

    def __init__(self) -> None:
        self.all: list[subprocess.Popen[str]] = []

    def start(self, run: Run, code: str) -> subprocess.Popen[str]:
        """One more, as soon as it can find the pipeline."""
        assert run.contact
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self.all.append(process)
        return process

    def close(self) -> None:
        """End all of them."""
        for process in self.all:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.communicate()


@pytest.fixture
def scripts() -> Iterator[Scripts]:
    found = Scripts()
    yield found
    found.close()


def says(script: subprocess.Popen[str], part: str) -> str:
    """The next line of a script; it has ``part``."""
    assert script.stdout is not None
    line = script.stdout.readline()
    assert part in line, f"{line}{script.stderr.read() if script.stderr and not line else ''}"
    return line


def attached(run: Run, count: int) -> list[Worker]:
    """Those who work, once there are so many and all are ready."""

    def look() -> list[Worker] | None:
        found = [worker for worker in run.workers("work") if worker.state == "ready"]
        return found if len(found) == count else None

    return run.until(look, f"{count} scripts are attached")


@pytest.mark.timeout(600)
def test_scripts_that_are_killed_lose_nothing_and_the_pipeline_lives(
    rig: Rig, scripts: Scripts, long_form: bool
) -> None:
    items, kills = (500_000, 30) if long_form else (20_000, 4)
    run = rig.start("guests", ITEMS=items)
    scripts.start(run, WORK)
    for kill in range(kills):
        scripts.start(run, WORK)
        victims = attached(run, 2)
        run.open("count", (kill + 1) * items // (kills + 1))
        run.until_noted("record", kill * items // (kills + 1))
        run.kill(victims[kill % 2])
    run.open("count")
    run.until_noted("record", items - 1)
    run.until(lambda: len(set(run.tape("record"))) == items, "all have come out", within=300)
    run.type("drain")
    account = run.end()
    assert set(run.tape("record")) == set(range(items))
    assert account["totals"]["dead"] == account["totals"]["lost"] == 0
    assert len(run.lines("died: its script ended")) == kills
    assert scripts.all[-1].wait(PATIENCE) == 0 or scripts.all[0].wait(PATIENCE) == 0


def test_what_scripts_make_or_leave_out_comes_in_order_whichever_is_killed(
    rig: Rig, scripts: Scripts
) -> None:
    items, kills = 8_000, 4
    sift = WORK.replace("node.emit(message.value)", "message.value % 3 and node.emit(message.value)")
    run = rig.start("guests", ITEMS=items, ORDERED=1)
    scripts.start(run, sift)
    for kill in range(kills):
        scripts.start(run, sift)
        victims = attached(run, 2)
        run.open("count", (kill + 1) * items // (kills + 1))
        run.until_noted("record", kill * items // (kills + 1) // 2)
        run.kill(victims[kill % 2])
    wanted = [number for number in range(items) if number % 3]
    run.open("count")
    run.until(lambda: run.noted("record") == len(wanted), "all have come out", within=300)
    run.type("drain")
    run.end()
    assert run.tape("record") == wanted


def test_the_only_script_is_killed_and_its_items_wait_for_the_next(rig: Rig, scripts: Scripts) -> None:
    run = rig.start("guests", ITEMS=100)
    run.open("count")
    script = scripts.start(run, HOLD)
    says(script, "has 0")
    (worker,) = attached(run, 1)
    run.kill(worker)
    run.until(lambda: run.totals()["in_flight"] > 0, "they wait")
    scripts.start(run, WORK)
    run.until(lambda: len(set(run.tape("record"))) == 100, "all have come out")
    run.type("drain")
    assert run.end()["totals"]["dead"] == 0


def test_a_script_that_has_forked_is_missed_when_it_dies_though_its_child_lives(
    rig: Rig, scripts: Scripts
) -> None:
    run = rig.start("guests", ITEMS=10)
    run.open("count")
    script = scripts.start(run, FORKED)
    says(script, "has 0")
    (worker,) = attached(run, 1)
    os.kill(script.pid, signal.SIGKILL)
    run.until(lambda: not run.workers("work"), "its death is seen")
    assert worker.pid == script.pid
    scripts.start(run, WORK)
    run.until(lambda: len(set(run.tape("record"))) == 10, "all have come out")
    run.type("drain")
    run.end()


def test_a_source_that_is_killed_ends_nothing_and_the_ledger_says_what_it_had_in_flight(
    rig: Rig, scripts: Scripts
) -> None:
    run = rig.start("guests", ITEMS=0)
    script = scripts.start(run, FEED)
    for _ in range(1_000):
        says(script, "made")
    (worker,) = run.workers("feed")
    run.kill(worker)
    again = scripts.start(run, FEED)
    says(again, "made 1000000")
    client.call(run.contact, "drain")
    out, error = again.communicate(timeout=PATIENCE)
    account = run.end()
    assert account["totals"]["lost"] == 0
    assert run.noted("record") > 0
    assert (again.returncode, error) == (0, ""), out


@pytest.mark.parametrize("code", [HOLD, WORK, FEED], ids=["in hand", "waiting", "making"])
def test_a_script_whose_pipeline_is_killed_gets_an_error_and_lives(
    rig: Rig, scripts: Scripts, code: str
) -> None:
    run = rig.start("guests", ITEMS=1)
    run.open("count", 1 if code is HOLD else 0)
    script = scripts.start(run, code.replace("time.sleep(60)", "time.sleep(2)"))
    if code is WORK:
        attached(run, 1)
    else:
        says(script, "")
    run.signal(signal.SIGKILL)
    _, error = script.communicate(timeout=PATIENCE)
    assert script.returncode == 1
    sweep.sweep(str(rig.base))  # as the next start does
    last = error.strip().splitlines()[-1]
    assert last.startswith(
        "penstock.errors.NotRunning: guests has ended, or was killed, while this script"
    ), error


def test_a_script_that_takes_too_long_loses_its_seat_and_hears_why(rig: Rig, scripts: Scripts) -> None:
    run = rig.start("guests", ITEMS=10, LIMIT="1s")
    run.open("count")
    script = scripts.start(run, HOLD.replace("time.sleep(60)", "time.sleep(3)"))
    says(script, "has 0")
    run.until_said("work/0 died: timed out after 1 s")
    assert script.poll() is None, "it is not ours to kill"
    scripts.start(run, WORK)
    run.until(lambda: len(set(run.tape("record"))) == 10, "all have come out")
    _, error = script.communicate(timeout=PATIENCE)
    assert "guests goes on without this script as work/0: timed out after 1 s" in error
    run.type("drain")
    assert run.end()["totals"]["dead"] == 0


def test_a_stop_does_not_wait_for_a_script_and_does_not_kill_it(rig: Rig, scripts: Scripts) -> None:
    run = rig.start("guests", ITEMS=10)
    run.open("count")
    script = scripts.start(run, HOLD)
    says(script, "has 0")
    began = time.monotonic()
    run.type("stop", "--now")
    run.process.wait(PATIENCE)
    assert time.monotonic() - began < 9.0
    assert script.poll() is None
