"""`penstock bench` runs real pipelines and real peers, and answers with the promised document."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FIELDS = {"case", "unit", "ours", "peer", "peer_name", "ratio", "target", "met", "runs"}
FIELDS |= {"beside", "steps"}
BESIDE = ["us CPU", "MB", "us p50", "us p90", "us p99", "us p99.9"]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "penstock", "bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def family(parent: int) -> list[int]:
    """The children of a process, once there are those of both networks and of both ends."""
    path = Path(f"/proc/{parent}/task/{parent}/children")
    children = [int(pid) for pid in path.read_text().split()]
    return children if len(children) >= (4 if os.geteuid() == 0 else 2) else []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(true: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while not (answer := true()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return answer


def entries(answer: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert answer.returncode in (0, 1), answer.stderr  # how fast this machine is today is not tested here
    document = json.loads(answer.stdout)
    assert document["schema"] == "penstock.bench/1"
    found: list[dict[str, Any]] = document["results"]
    assert all(set(entry) == FIELDS for entry in found)
    assert all(entry["ours"] is not None for entry in found), answer.stderr
    assert (answer.returncode == 0) == all(entry["met"] for entry in found)
    return found


def test_every_entry_has_a_measurement_of_ours_and_of_its_peer() -> None:
    found = entries(bench("stream-items", "array-64k", "latency-small", "--quick", "--json"))
    assert [entry["unit"] for entry in found] == ["items/s", "arrays/s", "us p50", "us p99"]
    for entry in found:
        assert entry["ours"] > 0
        assert entry["peer"] > 0
        assert entry["runs"] == [[entry["ours"], entry["peer"]]]


@pytest.mark.slow
def test_a_case_without_a_peer_is_measured_against_its_target() -> None:
    found = entries(bench("array-19mb-inplace", "start", "idle", "recovery", "--quick", "--json"))
    assert [entry["case"] for entry in found] == ["array-19mb-inplace", "start", "idle", "recovery"]
    assert all(entry["peer"] is None and entry["peer_name"] is None for entry in found)
    assert all(entry["ratio"] > 0 for entry in found if entry["ratio"] is not None)


@pytest.mark.slow
def test_jobs_are_measured_beside_another_queue() -> None:
    submitted, again = entries(bench("tasks-sqlite-submit", "tasks-recovery", "--quick", "--json"))
    assert (submitted["peer_name"], again["peer_name"]) == ("Huey, fsync", None)
    assert submitted["peer"] > 0


def test_plain_sockets_are_measured_beside_pyzmq_in_every_size() -> None:
    found = entries(bench("patterns-pushpull-ipc", "--quick", "--json"))
    assert [entry["unit"] for entry in found] == [
        f"messages/s of {size}" for size in ("8 B", "4 KB", "1 MB", "40 MB")
    ]
    assert all(entry["peer_name"] == "pyzmq" for entry in found)
    for entry in found:
        assert list(entry["beside"]) == BESIDE
        assert all(ours > 0 and peer > 0 for ours, peer in entry["beside"].values())


def test_a_load_is_raised_between_two_hosts_with_keys_and_told_on_a_page(tmp_path: Path) -> None:
    page = tmp_path / "net.html"
    found = entries(bench("net-ramp", "--quick", "--json", "--html", str(page)))
    assert [entry["peer_name"] for entry in found] == ["pyzmq with CURVE", "pyzmq in the clear"]
    assert found[0]["steps"] is not None
    ours, peer = found[0]["steps"]
    assert found[0]["ours"] in [0, *(step["load"] for step in ours)]
    assert all(step["us p50"] <= step["us p99"] for step in [*ours, *peer])
    text = page.read_text()
    assert all(text.count(f"{entry['unit']} <") == 2 for entry in found)
    assert "http" not in text


def test_ctrl_c_tells_what_there_is_and_leaves_nothing() -> None:
    command = [
        sys.executable,
        "-m",
        "penstock",
        "bench",
        "net-ramp",
        "patterns-reqrep-tcp",
        "--quick",
        "--json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None and running.stderr is not None
        for line in running.stderr:
            if line.startswith("patterns-reqrep-tcp"):
                break
        running.send_signal(signal.SIGINT)
        answer = json.loads(running.stdout.read())
    assert running.returncode == 130
    assert answer["cut"]
    assert {entry["case"] for entry in answer["results"]} >= {"net-ramp"}


def test_killed_it_leaves_no_process_and_no_network(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "penstock", "bench", "net-reqrep"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("net-reqrep"):
                break
        started = eventually(lambda: family(running.pid))
        running.kill()
    eventually(lambda: not any(alive(pid) for pid in started))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["net", "--latency", "5"], "'5' is not written like 5ms"),
        (["net", "--rate", "fast"], "'fast' is not written like 100mbit"),
        (["net", "--loss", "0.1"], "'0.1' is not written like 1%"),
        (["patterns-pair-ipc", "--loss", "1%"], "are for the cases of net"),
    ],
)
def test_weather_that_cannot_be_is_a_mistake_of_the_command_line(arguments: list[str], sentence: str) -> None:
    answer = bench(*arguments)
    assert answer.returncode == 2
    assert sentence in answer.stderr


def test_what_needs_a_broker_is_left_out_without_one() -> None:
    answer = bench("tasks-rabbitmq-submit", "--quick", "--json")
    assert json.loads(answer.stdout)["results"] == []
    assert "tasks-rabbitmq-submit  is left out: it needs --broker" in answer.stderr


def test_an_unknown_case_is_a_mistake_of_the_command_line() -> None:
    assert bench("steam-items").returncode == 2
