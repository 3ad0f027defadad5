"""Who calls, with a supervisor and replicas that do as they are told: what comes at a bad moment."""

from __future__ import annotations

import json
import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import EnvironmentFault, NotRunning
from penstock.link import callpeer
from penstock.link.ear import Ear
from penstock.runtime.calls.caller import Caller
from penstock.runtime.rundir import CONTROL
from penstock.runtime.worker.calls.counter import Counter


class Run:
    """With one replica, which holds two calls."""

    def __init__(self, path: Path) -> None:
        self.ear = Ear({})
        self.counter = Counter(time.monotonic)
        self.seat = [1, "judge/0", "1", f"unix://{path / 'replica'}", True, 2]
        self._door = callpeer.listen(f"unix://{path / 'replica'}", self.ear, self.counter.greet)
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(str(path / CONTROL))
            door.listen()
            told = threading.Thread(target=self._welcome, args=(door,))
            told.start()
            self.caller = Caller(str(path), "run")
            told.join()

    def _welcome(self, door: socket.socket) -> None:
        self._line, _ = door.accept()
        self._line.recv(1000)
        self.tell([self.seat])

    def tell(self, seats: list[Any]) -> None:
        """The directory is now that."""
        services = {"judge": {"max_failures": 0, "shares": {"1": 1.0}, "seats": seats}}
        told = {"ok": True, "result": {"services": services, "gone": {}, "curve": None}}
        self._line.sendall(json.dumps(told).encode() + b"\n")

    def answer(self) -> None:
        """All that has come."""
        while self.ear.turn(0):
            pass
        while (asked := self.counter.next()) is not None:
            self.counter.answer(asked, asked.body, [])

    def close(self) -> None:
        with self.caller.turnstile:
            self.caller.close()
            self.caller.release()
        self._line.close()
        while self.ear.turn(0):
            pass
        self._door.close()
        self.ear.close()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path)
    yield run
    run.close()


def test_a_replica_is_met_later_for_which_there_was_no_descriptor(run: Run) -> None:
    caller = run.caller
    with caller.turnstile:
        run.tell([])
        caller.read_directory()
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        try:
            run.tell([run.seat])
            caller.read_directory()
            with pytest.raises(EnvironmentFault, match=r"no replica of judge can be reached.*Too many open"):
                caller.begin("judge", 1, None)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        pending = caller.begin("judge", 1, None)
        run.answer()
        assert caller.wait(pending) == 1


def test_answers_that_are_read_after_their_replica_is_gone_send_nothing_to_it(run: Run) -> None:
    with run.caller.turnstile:
        calls = [run.caller.begin("judge", number, None) for number in range(3)]
    run.answer()
    run.tell([])
    with run.caller.turnstile:
        run.caller.read_directory()
    assert [each.done for each in calls] == [True, True, False]


def test_who_takes_what_is_there_is_not_kept_by_another_who_waits(run: Run) -> None:
    ended: list[object] = []

    def call() -> None:
        with run.caller.turnstile, pytest.raises(NotRunning):
            run.caller.wait(run.caller.begin("judge", 1, None))
        ended.append("call")

    other = threading.Thread(target=call)
    with run.caller.turnstile:
        other.start()
        while not run.caller.turnstile._gate.locked():
            time.sleep(0.001)
        run.caller.drain()  # for ever, if he leads meanwhile
        assert not ended
        run.caller.close()
    other.join()
