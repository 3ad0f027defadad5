"""The cases: those that were promised, with their targets, and the arithmetic inside them."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from penstock.bench.cases import CASES
from penstock.bench.cases.idle import cpu_seconds
from penstock.bench.cases.recovery import Begun, resumed
from penstock.bench.peers import ROLES, in_order
from penstock.bench.stand import APPS
from penstock.errors import PipelineFailed

SPENDS = """
import sys, time
while time.process_time() < 0.2: pass
print(time.process_time(), flush=True)
sys.stdin.read()
"""
PROMISED = {
    "stream-items": [1.0],
    "pipeline-items": [4.0],
    "ordered": [1.0],
    "fused": [1.3, 0.1],
    "array-19mb": [15.0, 2.5],
    "array-19mb-inplace": [10_000.0],
    "array-64k": [1.2],
    "array-400k": [1.2],
    "curve-19mb": [0.8],
    "tcp-19mb": [0.8],
    "relay-19mb": [0.5],
    "fanout": [5.0],
    "passthrough": [3.0, 0.5],
    "batched": [3.0],
    "latency-small": [1 / 1.3, 1 / 2.5],
    "latency-asleep": [1 / 4, 1 / 4],
    "start": [1.0],
    "start-foreign": [0.15],
    "arrays-numpy": [0.9],
    "idle": [1.0],
    "recovery": [200.0],
    "publish": [1.0, 0.5],
    "call": [1 / 1.4, 1 / 2.5, 1 / 1.4],
    "call-ray": [5.0, 5.0],
    "tasks-sqlite-submit": [1.0],
    "tasks-sqlite-run": [1.0],
    "tasks-recovery": [100.0],
    "tasks-latency": [5.0],
    "tasks-backlog": [1 / 2],
    "call-8b": [1 / 1.4, 0.4, 1 / 1.4],
    "call-1mb": [1.0, 0.1],
    "call-19mb": [1.0, 0.25],
    "call-1mb-ray": [1.0, 1.0],
    "tasks-idle": [1.0],
    "tasks-rabbitmq-submit": [1.0],
    "tasks-rabbitmq-submit-many": [5.0],
    "tasks-rabbitmq-run": [1.5, 0.7],
    "tasks-rabbitmq-latency": [10.0],
    **{
        f"patterns-{pattern}-{transport}": [0.8] * (5 if pattern == "reqrep" else 4)
        for pattern in ("reqrep", "pushpull", "pubsub", "dealerrouter", "pair")
        for transport in ("inproc", "ipc", "tcp", "curve")
    },
    **{f"patterns-ramp-{transport}": [0.8] for transport in ("ipc", "tcp", "curve")},
    "net-ramp": [0.8, 0.05],
    **{
        f"net-{pattern}{squeezed}": [0.8] * 4 + [0.05] * 4
        for pattern in ("reqrep", "pushpull")
        for squeezed in ("", "-lz4", "-zstd")
    },
}


def test_every_promised_case_has_its_targets() -> None:
    assert {name: [measure.target for measure in case.measures] for name, case in CASES.items()} == PROMISED


@pytest.mark.parametrize("name", CASES)
def test_every_peer_of_a_measure_is_run_and_every_run_is_measured(name: str) -> None:
    case = CASES[name]
    assert {peer for measure in case.measures for peer in measure.peers} == set(case.peers)


def test_every_entry_can_be_told_from_the_others() -> None:
    keys = [
        (case.name, measure.unit, measure.peer_name) for case in CASES.values() for measure in case.measures
    ]
    assert len(keys) == len(set(keys))


def test_apps_and_roles_are_there() -> None:
    apps = {path.stem for path in APPS.glob("*.py")} - {"__init__"}
    assert apps == {
        "stream",
        "chain",
        "ordered",
        "arrays",
        "fanout",
        "passthrough",
        "batched",
        "fused",
        "latency",
        "start",
        "idle",
        "publish",
        "call",
        "jobs",
        "recovery",
    }
    assert {"push", "pull", "push_json", "pull_json", "push_arrays", "pull_arrays"} <= set(ROLES)


def test_the_peer_of_the_ordered_case_restores_the_order() -> None:
    come = iter([1, 3, 0, 2, 4, 7, 6, 5])
    take = in_order(lambda: {"number": next(come)})
    assert [take() for _ in range(8)] == [{"number": number} for number in range(8)]


def test_recovery_ends_when_the_last_of_the_victims_items_is_in_work_elsewhere() -> None:
    victim, other = 10, 11
    begun = [
        Begun(100, 1, 1, victim),
        Begun(101, 2, 1, other),
        Begun(110, 1, 2, other),
        Begun(111, 3, 1, other),
        Begun(130, 4, 2, other),
        Begun(150, 4, 3, other),  # a second time for another reason: the first is what counts
    ]
    assert resumed(begun, victim) == 130


def test_a_victim_that_held_nothing_measures_nothing() -> None:
    with pytest.raises(PipelineFailed, match="nothing was delivered again"):
        resumed([Begun(100, 1, 1, 10)], 10)


def test_cpu_time_is_that_of_the_whole_family() -> None:
    child = subprocess.Popen([sys.executable, "-c", SPENDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with child:
        assert child.stdout
        spent = float(child.stdout.readline())
        before = time.process_time()
        assert cpu_seconds(os.getpid()) >= before + spent - 0.05
        assert cpu_seconds(child.pid) == pytest.approx(spent, abs=0.05)


def test_a_family_that_has_ended_costs_nothing() -> None:
    assert cpu_seconds(1 << 30) == 0.0
