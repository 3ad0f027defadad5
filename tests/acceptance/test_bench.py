"""`penstock bench` runs real pipelines and real peers, and answers with the promised document."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

FIELDS = {"case", "unit", "ours", "peer", "peer_name", "ratio", "target", "met", "runs"}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "penstock", "bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


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


def test_what_needs_a_broker_is_left_out_without_one() -> None:
    answer = bench("tasks-rabbitmq-submit", "--quick", "--json")
    assert json.loads(answer.stdout)["results"] == []
    assert "tasks-rabbitmq-submit  is left out: it needs --broker" in answer.stderr


def test_an_unknown_case_is_a_mistake_of_the_command_line() -> None:
    assert bench("steam-items").returncode == 2
