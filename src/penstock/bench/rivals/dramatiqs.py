"""Dramatiq on RabbitMQ, with confirmed publishes; it acknowledges after the work by itself.

python -m penstock.bench.rivals dramatiq submit|fill
dramatiq penstock.bench.rivals.dramatiqs -p 2
"""

from __future__ import annotations

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from penstock.bench.rivals.pace import pace
from penstock.bench.trial import Trial

QUEUE = "bench-dramatiq"

trial = Trial.here()
broker = RabbitmqBroker(url=trial.plain_broker, confirm_delivery=True)
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name=QUEUE)
def nothing() -> None:
    """Do nothing."""


def main(role: str) -> None:
    """Submit for as long as is measured, or as many as are to be run."""
    if role == "submit":
        trial.report(rate=pace(nothing.send, trial))
        return
    for _ in range(trial.jobs):
        nothing.send()
    trial.report(jobs=trial.jobs)
