"""Huey on SQLite, with every commit on the disk before the call returns.

python -m penstock.bench.rivals huey submit|fill
huey_consumer penstock.bench.rivals.hueys.huey -w 2 -k process
"""

from __future__ import annotations

from huey import SqliteHuey

from penstock.bench.rivals.pace import pace
from penstock.bench.trial import Trial

trial = Trial.here()
huey = SqliteHuey("bench", filename=trial.path("huey.db"), fsync=True)


@huey.task()
def nothing() -> int:
    """A job that does nothing; with ``None`` Huey would keep no result."""
    return 0


def results() -> int:
    """How many are there."""
    found: int = huey.storage.result_store_size()
    return found


def main(role: str) -> None:
    """Submit for as long as is measured, or as many as are to be run."""
    if role == "submit":
        trial.report(rate=pace(nothing, trial))
        return
    for _ in range(trial.jobs):
        nothing()
    trial.report(jobs=trial.jobs)
