"""The examples of plain sockets do what they say, each role in a process of its own."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.security import Keyring
from penstock.security.curve import new_pair

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "patterns"
LONG = 60.0

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a role; those that serve are interrupted at the end, and have to end well."""
    started: list[subprocess.Popen[str]] = []

    def begin(program: str, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(EXAMPLES / f"{program}.py"), *words]
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=LONG)
        assert process.returncode in {0, -signal.SIGINT} and "Error" not in said, said


def printed(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=LONG)
    assert process.returncode == 0, err
    return out


def test_hello_world(start: Start) -> None:
    client = start("hello_world", "client")
    start("hello_world", "server")
    assert printed(client) == "Hello, world!\n"


def test_the_clock_tells_the_time_to_who_comes_late(start: Start) -> None:
    start("clock_server", "server")
    assert printed(start("clock_server", "client")).startswith("It is ")


def test_the_weather_of_the_places_asked_for(start: Start) -> None:
    start("weather_topics", "station")
    lines = printed(start("weather_topics", "client")).splitlines()
    assert len(lines) == 5 and all(line.startswith("weather.no.") for line in lines)


def test_tasks_are_handed_out_and_their_results_taken_in(start: Start) -> None:
    sink = start("task_ventilator", "sink")
    for _ in range(2):
        start("task_ventilator", "worker")
    start("task_ventilator", "ventilator")
    assert printed(sink) == f"sum of squares: {sum(number**2 for number in range(1000))}\n"


def test_the_echo_is_for_those_who_are_trusted(start: Start, tmp_path: Path) -> None:
    server, client = Keyring(tmp_path / "server-keys"), Keyring(tmp_path / "client-keys")
    for keyring in (server, client):
        keyring.keep(new_pair())
    server.trust(client.own.public, "client", "me")
    client.trust(server.own.public, "server", "server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        endpoint = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    start("secure_echo", "server", endpoint)
    assert printed(start("secure_echo", "client", endpoint, "client-keys", "hush")) == "hush\n"


def test_a_pair_notices_that_the_other_end_is_gone(start: Start) -> None:
    one, other = start("heartbeat_pair", "one"), start("heartbeat_pair", "other")
    assert other.stdout is not None
    assert other.stdout.readline() == "the other end is there\n"
    other.send_signal(signal.SIGINT)
    assert printed(one) == "the other end is there\nthe other end is silent\n"
