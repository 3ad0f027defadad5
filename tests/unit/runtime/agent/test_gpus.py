"""Workers have the GPUs of the host on which they are, each its own."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from penstock.errors import EnvironmentFault, UserError
from penstock.pipeline.plan import Plan, StagePlan
from penstock.pipeline.reference import Reference
from penstock.runtime.agent.gpus import Gpus, check, found


def a_group(name: str = "gpu", devices: Sequence[str] = "0123") -> StagePlan:
    return StagePlan(
        name=name, kind="task", code=Reference("", "app", "work"), replicas=2, devices=list(devices)
    )


def test_a_worker_has_as_many_as_on_the_first_host_of_those_that_are_here() -> None:
    gpus = Gpus(found({"CUDA_VISIBLE_DEVICES": "4, GPU-5,6"}))
    assert gpus.take(7, a_group()) == {"CUDA_VISIBLE_DEVICES": "4,GPU-5"}
    with pytest.raises(EnvironmentFault, match="it needs 2 GPUs, and 1 are free on this host"):
        gpus.take(8, a_group())
    gpus.free(7)
    gpus.free(8)
    assert gpus.take(9, a_group()) == {"CUDA_VISIBLE_DEVICES": "4,GPU-5"}
    assert gpus.take(10, a_group(name="cpu", devices=[])) == {}


def test_a_host_brings_no_more_workers_than_it_has_gpus_for() -> None:
    plan = Plan(pipeline="p", stages=[a_group(), a_group(name="cpu", devices=[])], links=[])
    check(plan, {"gpu": 1, "cpu": 9}, ["0", "1"])
    check(plan, {"cpu": 9}, [])
    with pytest.raises(UserError, match="workers of gpu need 4 GPUs, and this host has 3"):
        check(plan, {"gpu": 2, "cpu": 1}, found({"CUDA_VISIBLE_DEVICES": "0,1,2"}))
