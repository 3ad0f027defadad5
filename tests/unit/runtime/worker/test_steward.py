"""A worker's duties never wait for user code; and while there are none, nobody does anything."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.observe import page
from penstock.runtime import control
from penstock.runtime.worker.steward import TICK, Guard, tick
from tests.unit.link.wire import LINK, PATIENCE, Receiving, until
from tests.unit.runtime.worker.desk import WorkerProcess

Source = Callable[..., WorkerProcess]
Receivers = Callable[..., Receiving]

STUCK = """
import threading
def run():
    yield from range(4)
    threading.Event().wait()
"""


BURSTS = """
import os, threading, time
def run():
    yield from range(20_000)
    while not os.path.exists("GO"):
        time.sleep(0.002)
    yield from range(20_000, 20_100)
    threading.Event().wait()
"""


class Duties:
    """Waits as a worker does, and counts; two at once would be one too many."""

    def __init__(self) -> None:
        self.turns = 0
        self.at_once = 0
        self.served = threading.Event()
        self.guard = Guard(self.turn)

    def turn(self) -> None:
        self.at_once += 1
        assert self.at_once == 1
        self.turns += 1
        self.served.set()
        select.select([self.guard.wake_fd], [], [], PATIENCE)
        self.guard.hear()
        self.at_once -= 1


def thread_time(name: str) -> float:
    """Seconds of processor time of this process's threads of that name."""
    total = 0
    for task in os.listdir("/proc/self/task"):
        at = Path("/proc/self/task", task)
        if (at / "comm").read_text().strip() == name[:15]:
            total += int((at / "schedstat").read_text().split()[0])
    return total / 1e9


def test_the_steward_serves_once_user_code_takes_its_time() -> None:
    duties = Duties()
    duties.guard.leave()
    assert duties.served.wait(PATIENCE)
    duties.guard.enter()
    assert duties.at_once == 0


def test_the_stewards_of_a_crowd_look_more_seldom() -> None:
    assert tick(1) == tick(30) == TICK
    assert tick(400) == pytest.approx(0.1)
    assert all(workers / tick(workers) < 4001 for workers in range(1, 1001))


def test_the_main_thread_has_the_sockets_back_at_once() -> None:
    duties = Duties()
    for _ in range(3):
        duties.served.clear()
        duties.guard.leave()
        assert duties.served.wait(PATIENCE)
        began = time.monotonic()
        duties.guard.enter()
        assert time.monotonic() - began < 1, "not when the next message comes"
        assert duties.at_once == 0


def test_never_two_threads_at_the_sockets() -> None:
    duties = Duties()
    for passage in range(1000):
        duties.guard.leave()
        if not passage % 100:
            duties.served.clear()
            assert duties.served.wait(PATIENCE)
        duties.guard.enter()
        assert duties.at_once == 0


def test_a_knock_makes_whoever_waits_look_around_and_costs_nothing_otherwise() -> None:
    duties = Duties()
    guard = duties.guard
    guard.wake()
    assert select.select([guard.wake_fd], [], [], 0)[0] == []
    guard.waiting = True
    for _ in range(100_000):  # more than the pipe holds: it must not block
        guard.wake()
    assert select.select([guard.wake_fd], [], [], 0)[0] == [guard.wake_fd]
    while select.select([guard.wake_fd], [], [], 0)[0]:
        guard.hear()
    guard.hear()


def test_a_parked_steward_uses_no_time_at_all() -> None:
    guard = Duties().guard
    guard.leave()
    guard.enter()
    limit = time.monotonic() + PATIENCE
    while guard._armed.is_set():
        assert time.monotonic() < limit, "it never parks"
        select.select([], [], [], TICK)
    others = thread_time("penstock-steward")
    select.select([], [], [], 0.2)
    assert thread_time("penstock-steward") - others < 0.02


# ------------------------------------------------------------------------------- in a real worker


def test_a_source_that_blocks_still_has_its_settlements_taken(source: Source, receiving: Receivers) -> None:
    worker = source(STUCK)
    worker.hear(control.Ready)
    end = receiving(10, window=1)
    end.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)
    got: list[int] = []

    def all_settled() -> bool:
        got.extend(end.work())
        return worker.page.link(0)[page.SETTLED] == 4

    until(all_settled, end)
    assert got == [0, 1, 2, 3]


def test_a_source_that_blocks_still_sends_again_what_a_dead_receiver_held(
    source: Source, receiving: Receivers
) -> None:
    worker = source(STUCK)
    worker.hear(control.Ready)
    dying, other = receiving(10, window=2), receiving(11, window=1)
    dying.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)
    until(lambda: dying.words[page.link_word(0, page.RECEIVED)] == 2, dying)
    dying.close()
    other.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)
    got: list[tuple[int, int]] = []
    blame = control.Blame(1, LINK, 1, 0)
    worker.say(control.Gone(10, "work/0", "killed (SIGKILL)", blame))
    told = time.monotonic()

    def all_elsewhere() -> bool:
        while (inbound := other.receiver.next()) is not None:
            got.append((inbound.id_at(0)[1], inbound.attempt))
            other.finish(inbound)
        return worker.page.link(0)[page.SETTLED] == 4

    until(all_elsewhere, other)
    assert time.monotonic() - told < 20, "user code never comes back"
    assert sorted(got) == [(0, 2), (1, 2), (2, 1), (3, 1)]
    assert worker.page.link(0)[page.TAKEN_BACK] == 2


def test_a_burst_between_two_waits_is_sent_though_it_is_short(
    source: Source, receiving: Receivers, tmp_path: Path
) -> None:
    worker = source(BURSTS.replace("GO", str(tmp_path / "go")))
    worker.hear(control.Ready)
    end = receiving(10)
    end.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)
    until(lambda: (end.work(), worker.page.link(0)[page.SETTLED])[1] == 20_000, end)
    select.select([], [], [], 0.1)  # the steward has stepped in, and waits
    (tmp_path / "go").touch()
    until(lambda: (end.work(), worker.page.link(0)[page.SETTLED])[1] == 20_100, end)


def test_a_source_that_waits_is_drained_at_once(source: Source, receiving: Receivers) -> None:
    worker = source(STUCK)
    end = receiving(10)
    end.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)
    until(lambda: (end.work(), worker.page.link(0)[page.SETTLED])[1] == 4, end)
    worker.say(control.Drain())
    worker.hear(control.Finished)
    assert worker.process.wait(PATIENCE) == 0


def test_a_worker_whose_supervisor_is_gone_ends_though_user_code_blocks(source: Source) -> None:
    worker = source(STUCK)
    worker.hear(control.Ready)
    worker._socket.close()
    assert worker.process.wait(PATIENCE) == 1


def test_a_worker_that_waits_uses_no_time(source: Source, receiving: Receivers) -> None:
    """Also with an item that is due again and nobody to take it."""
    worker = source(STUCK)
    worker.hear(control.Ready)
    dying = receiving(10, window=2)
    dying.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)
    until(lambda: dying.words[page.link_word(0, page.RECEIVED)] == 2, dying)
    dying.close()
    worker.say(control.Gone(10, "work/0", "killed (SIGKILL)"))
    limit = time.monotonic() + PATIENCE
    while worker.page.link(0)[page.TAKEN_BACK] < 2:
        assert time.monotonic() < limit
        select.select([], [], [], 0.01)
    before = worker.busy()
    select.select([], [], [], 0.5)
    assert worker.busy() - before < 0.025


def test_an_idle_stage_uses_no_time(sink: Source) -> None:
    worker = sink("def run(item): pass")
    worker.hear(control.Ready)
    select.select([], [], [], 0.3)  # until the steward has parked
    before = worker.busy()
    select.select([], [], [], 0.5)
    assert worker.busy() - before < 0.01
