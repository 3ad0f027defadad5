"""Celery on RabbitMQ, as careful as it can be set: confirmed publishes, acknowledged after the work.

python -m penstock.bench.rivals celery submit|fill
celery -A penstock.bench.rivals.celerys worker -c 2
"""

from __future__ import annotations

from celery import Celery

from penstock.bench.rivals.pace import pace
from penstock.bench.trial import Trial

QUEUE = "bench-celery"
AHEAD = 32
"""Jobs that each process of a worker has been given."""

trial = Trial.here()
app = Celery("bench", broker=trial.plain_broker)
app.conf.update(
    broker_transport_options={"confirm_publish": True},
    task_default_queue=QUEUE,
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=AHEAD,
)


@app.task
def nothing() -> None:
    """Do nothing."""


def main(role: str) -> None:
    """Submit for as long as is measured, or as many as are to be run."""
    if role == "submit":
        trial.report(rate=pace(nothing.delay, trial))
        return
    for _ in range(trial.jobs):
        nothing.delay()
    trial.report(jobs=trial.jobs)
