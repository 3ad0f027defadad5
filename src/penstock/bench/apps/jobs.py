"""Jobs that do nothing, or next to nothing, in one group.

python -m penstock.bench.apps.jobs submit|many|fill|latency
penstock worker jobs.py
"""

from __future__ import annotations

import os
import statistics
import sys
import time

from penstock import task
from penstock.bench.rivals.pace import pace
from penstock.bench.trial import Trial

MANY = 1000
"""Jobs of one ``submit_many``."""
NAP = 0.02
"""Seconds after a job: then its worker is idle again."""


@task(group="bench", backoff="0s")
def nothing() -> int:
    """Do nothing."""
    return 0


@task(group="bench")
def begun() -> int:
    """When that was: CLOCK_MONOTONIC, ns."""
    return time.monotonic_ns()


@task(group="bench", backoff="0s")
def held(log: str) -> None:
    """Say who has begun it and when, and go on for longer than anybody waits."""
    with open(log, "a", encoding="ascii") as file:
        file.write(f"{time.monotonic_ns()} {os.getpid()}\n")
    time.sleep(600)


def many() -> None:
    """A thousand at once."""
    _ = nothing.submit_many(nothing.call() for _ in range(MANY))


def fill(trial: Trial) -> float:
    """As many as are to be run."""
    for at in range(0, trial.jobs, MANY):
        _ = nothing.submit_many(nothing.call() for _ in range(min(MANY, trial.jobs - at)))
    return float(trial.jobs)


def latency(trial: Trial) -> float:
    """From the call of ``submit`` to the first line of the job, in milliseconds; the median."""
    begun.submit().result("60s")
    delays = []
    for _ in range(trial.samples // 10):
        time.sleep(NAP)
        submitted = time.monotonic_ns()
        delays.append((begun.submit().result("60s") - submitted) / 1e6)
    return statistics.median(delays)


def main(role: str) -> None:
    """One reading."""
    trial = Trial.here()
    match role:
        case "submit":
            trial.report(rate=pace(nothing.submit, trial))
        case "many":
            trial.report(rate=MANY * pace(many, trial))
        case "fill":
            trial.report(jobs=fill(trial))
        case "latency":
            trial.report(milliseconds=latency(trial))


if __name__ == "__main__":
    main(sys.argv[1])
