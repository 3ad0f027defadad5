"""Stages in environments of their own: what that costs when they start, and on the way of arrays."""

from __future__ import annotations

import time
from collections.abc import Mapping

from penstock.bench import abroad
from penstock.bench.case import Case, Measure
from penstock.bench.cases.arrays import BATCH
from penstock.bench.stand import APPS, Reading, Run, Stand

ALIKE = "all three in one environment"
THREE = {"batches": abroad.NEW, "forward": abroad.MIDDLE, "Train": abroad.OLD}


def later(stand: Stand) -> Reading:
    """How much later the first item comes where two of four workers run in an environment of Python 3.9."""
    with stand.run() as run:
        abroad_app = abroad.app(run.trial.path("app"), "start.py", {"through": abroad.OLD})
        foreign = _first(run, abroad_app)
    with stand.run() as run:
        return {"seconds": foreign - _first(run, str(APPS / "start.py"))}


def _first(run: Run, app: str) -> float:
    entered = time.monotonic()
    run.start(app)
    arrived = float(run.reading()["arrived"])
    run.finish()
    return arrived - entered


def through(stand: Stand, envs: Mapping[str, str]) -> Reading:
    """Two hops, each stage in the environment that is said."""
    with stand.run(shape=BATCH) as run:
        run.start(abroad.app(run.trial.path("app"), "passthrough.py", envs))
        reading = run.reading()
        run.finish()
        return reading


CASES = (
    Case(
        name="start-foreign",
        about="how much later the first item comes if 2 of 4 workers run in an environment of Python 3.9",
        ours=later,
        measures=(Measure(unit="s", reading="seconds", better="less", target=0.15),),
    ),
    Case(
        name="arrays-numpy",
        about="19.3 MB arrays from NumPy 2.4 through 2.0 to 1.24, every byte read",
        ours=lambda stand: through(stand, THREE),
        peers={ALIKE: lambda stand: through(stand, dict.fromkeys(THREE, abroad.OLD))},
        measures=(Measure(unit="arrays/s", peers=(ALIKE,), target=0.9),),
    ),
)
