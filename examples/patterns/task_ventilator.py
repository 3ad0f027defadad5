"""Hand out and take in: a ventilator has numbers, workers square them, a sink adds them up."""

import sys
from contextlib import suppress

from penstock.patterns import Puller, Pusher

TASKS = 1000


def ventilator(tasks: str = "ipc://tasks.sock") -> None:
    """Hand out the numbers."""
    with Pusher(tasks, bind=True, timeout=None) as pusher:
        for number in range(TASKS):
            pusher.send(number)


def worker(tasks: str = "ipc://tasks.sock", results: str = "ipc://results.sock") -> None:
    """Square what comes."""
    with (
        Puller(tasks, bind=False, timeout=None) as puller,
        Pusher(results) as pusher,
        suppress(KeyboardInterrupt),
    ):
        for number in puller:
            pusher.send(number * number)


def sink(results: str = "ipc://results.sock") -> None:
    """Add up."""
    with Puller(results, timeout=30) as puller:
        print("sum of squares:", sum(puller.receive() for _ in range(TASKS)))


if __name__ == "__main__":
    role, *words = sys.argv[1:] or sys.exit("say which role: ventilator, worker or sink")
    {"ventilator": ventilator, "worker": worker, "sink": sink}[role](*words)
