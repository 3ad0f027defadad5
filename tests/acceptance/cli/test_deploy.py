"""Another version of a service: it gets its share of the calls, then all or none, and no call is lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

import penstock
from penstock.runtime import client
from tests.acceptance.cli.terminal import LIMIT, Terminal, finish
from tests.conftest import WorkerPython

APP = """
import time
from penstock import Context, Pipeline, service

@service(replicas=2, max_failures=9)
def classify(number: int, ctx: Context) -> list:
    time.sleep(0.001)
    return [number, "classify"]

@service(replicas=2, max_failures=9, window=200)
def v2(number: int, ctx: Context) -> list:
    if number < 0:
        raise ValueError("below")
    time.sleep(0.001)
    return [number, "v2"]

@service
class Broken:
    def setup(self) -> None:
        raise ImportError("no such weights")

    def __call__(self, number: int) -> int:
        return number

def plain(number: int) -> int:
    return number

pipeline = Pipeline("models", classify)
"""
LATER = """
import sys
from penstock import service

@service(window=100, env="old")
def classify(number: int) -> list:
    return [number, "later" if sys.version_info[:2] == (3, 9) else sys.version]
"""
"""In an environment of its own, of which the run has needed nothing so far."""
CALLS = 400
STRAYS = 2 * (4 + 3)
"""Calls by which a count of answers may be off its share, at its begin and at its end: what the account of a
version lets it be ahead or behind, and what each of three callers has under way."""


class Traffic:
    """Somebody who calls all the time; every call has to be answered."""

    def __init__(self) -> None:
        self._service = penstock.connect_service(client.find().pipeline, "classify")
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(3)]
        self._lock = threading.Lock()
        self._seen: Counter[str] = Counter()
        self.wrong: list[Any] = []

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join(LIMIT)
        assert kind or self.wrong == []

    @property
    def seen(self) -> Counter[str]:
        """The answers so far, by version."""
        with self._lock:
            return self._seen.copy()

    def await_version(self, version: str) -> None:
        """Until it answers."""
        limit = time.monotonic() + LIMIT
        while not self.seen[version]:
            assert time.monotonic() < limit and not self.wrong, self.wrong
            time.sleep(0.001)

    def _work(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            try:
                answer = self._service.call(number)
            except Exception as error:  # noqa: BLE001  any is wrong
                self.wrong.append(error)
                return
            with self._lock:
                self._seen[answer[1]] += 1
            if answer[0] != number:
                self.wrong.append(answer)


def answers(count: int = CALLS) -> Counter[str]:
    service = penstock.connect_service(client.find().pipeline, "classify")
    found = list(service.map(range(count)))
    assert [number for number, _ in found] == list(range(count))
    return Counter(version for _, version in found)


def assert_share(traffic: Traffic, version: str, share: float) -> None:
    """Over all calls of this process: of what one caller gets beside others, a version may have more."""
    traffic.await_version(version)
    before = traffic.seen
    found = answers() + (traffic.seen - before)
    assert abs(found[version] - found.total() * share) <= STRAYS, found


def fails_once() -> bool:
    """Which version gets a call is a matter of shares: until the one that raises."""
    service = penstock.connect_service(client.find().pipeline, "classify")
    while True:
        try:
            service.call(-1)
        except penstock.RemoteError as error:
            return "below" in str(error)


@pytest.fixture
def models(terminal: Terminal, tmp_path: Path, worker_python: WorkerPython) -> Iterator[Terminal]:
    name = tmp_path.name.replace("_", "-")[-20:].lstrip("-")  # connections are kept, by name
    terminal.write("app.py", APP.replace("models", name))
    terminal.write("later.py", LATER)
    terminal.write("penstock.toml", f'[envs.old]\npython = "{worker_python("3.9")}"\n')
    process = terminal.run()
    terminal.type("wait", "--for", "ready")
    yield terminal
    terminal.type("drain")
    finish(process)


def versions(terminal: Terminal) -> dict[str, dict[str, Any]]:
    [service] = terminal.ask("deploy", "--json")["services"]
    return {each["version"]: each for each in service["versions"]}


def pids(stage: str) -> list[int]:
    stages = client.call(client.find(), "ps")["stages"]
    return [
        one["pid"] for each in stages if each["name"] == stage for one in each["replicas"] if "pid" in one
    ]


def test_a_version_gets_its_share_then_all_while_replicas_are_killed(models: Terminal) -> None:
    with Traffic() as traffic:
        models.type("deploy", "classify=v2", "--share", "20%")
        models.type("wait", "--for", "ready")
        assert_share(traffic, "v2", 0.2)
        assert fails_once()

        shown = versions(models)
        assert list(shown) == ["classify", "classify@v2"]
        assert [each["share"] for each in shown.values()] == pytest.approx([0.8, 0.2])
        assert shown["classify@v2"]["failed"] == 1 and shown["classify@v2"]["calls"] >= CALLS * 0.2 - STRAYS
        assert 0.001 < shown["classify@v2"]["p50"] <= shown["classify@v2"]["p99"]
        assert "classify@v2 gets 20% of the calls of classify" in models.type("ps").stdout

        models.type("deploy", "classify", "--share", "100%")
        os.kill(pids("classify@v2")[0], signal.SIGKILL)
        assert sum(answers(50).values()) == 50
        for pid in pids("classify@v2"):
            os.kill(pid, signal.SIGKILL)
        assert sum(answers(50).values()) == 50
        models.type("wait", "--for", "ready")
        models.type("deploy", "classify", "--all")
        assert answers(50) == {"v2": 50}
        models.type("scale", "classify@v2=1", "--wait")
        assert list(versions(models)) == ["classify@v2"]
    assert traffic.seen.keys() == {"classify", "v2"}


def test_a_version_is_taken_back_by_hand_or_because_it_cannot_run(models: Terminal) -> None:
    with Traffic() as traffic:
        models.type("deploy", "classify=later.py:classify", "--share", "50%")
        models.type("wait", "--for", "ready")
        assert_share(traffic, "later", 0.5)
        models.type("deploy", "classify", "--none")
        assert answers(50) == {"classify": 50}

        models.type("deploy", "classify=Broken", "--share", "50%")
        retired = (
            one for one in client.follow(client.find()) if one["event"] == "version_retired" and one["cause"]
        )
        assert "no such weights" in next(retired)["cause"]
        assert answers(50) == {"classify": 50}

        models.type("deploy", "classify=v2", "--share", "0%")
        for arguments, said in (
            (["nobody=v2"], "no service is called nobody; there are classify"),
            (["classify=plain"], "plain in app.py is no service"),
            (["classify=v3"], "app.py has no 'v3'"),
            (["classify=later:classify"], "classify@v2 is being deployed"),
            (["classify=v2", "--all"], "--all ends that"),
        ):
            assert said in models.type("deploy", *arguments, code=4 if "v3" not in arguments[0] else 3).stderr
        assert "from 0% to 100%" in models.type("deploy", "classify", "--share", "120%", code=2).stderr
