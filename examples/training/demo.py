"""Run the service, and see what a training job survives.

    python demo.py                                   jobs are kept here, in .penstock/jobs.db
    BROKER=amqp://localhost python demo.py           they travel over RabbitMQ

Ends with exit code 0 only if the model is trained, the killed attempt was gone on with where it was, and the
job with the wrong path ended in the dead letters and was done with the right one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BROKER = os.environ.get("BROKER", "")
KILLED_AT = 5
"""The epoch after which the process that trains is killed."""
os.environ.update({"PENSTOCK_BROKER": BROKER} if BROKER else {})
os.chdir(HERE)

import app  # noqa: E402  it is to be found here, and to know of the broker
import numpy as np  # noqa: E402

from penstock import Job, JobFailed  # noqa: E402


def main() -> None:
    """The story."""
    with tempfile.TemporaryDirectory(prefix="training-") as folder, service():
        data, model = f"{folder}/digits.npz", f"{folder}/digits.model"

        say("prepare the data")
        print(f"  {app.prepare.submit(data).result('2m'):,} digits")

        say(f"train, and kill -9 the process that does it after epoch {KILLED_AT}")
        job = app.train.submit(data, model, pace=0.5)
        watch(job)
        told = job.result("5m")
        print(*(f"  {line}" for line in job.logs().splitlines()), sep="\n")
        first, last = job.attempts
        print(f"  attempt 1: {first.error}; attempt 2: {last.outcome}, {told['epochs_here']:.0f} epochs")
        assert first.cause == "crash"
        assert told["epochs_here"] <= 10 - KILLED_AT, "it went on where it was"

        say("read digits that it has never seen")
        with np.load(data) as file:
            images, truth = file["test_x"], file["test_y"]
        parts = app.Read.submit_many(app.Read.call(part, model) for part in np.array_split(images, 8))
        read = np.concatenate(parts.results("2m"))
        right = float((read == truth).mean())
        print(f"  {len(read)} digits by {len(parts)} jobs, {right:.1%} right")
        assert right > 0.9

        say("train with a wrong path")
        wrong = app.train.submit(f"{folder}/digitz.npz", f"{folder}/second.model", epochs=2)
        try:
            wrong.result("2m")
        except JobFailed as error:
            print(f"  dead after {wrong.row.failures} failures: {error.traceback.splitlines()[-1]}")
        assert wrong.state == "dead"

        say("put it back with the right one")
        wrong.retry(data=data)
        print(f"  {wrong.result('2m')}")


def say(what: str) -> None:
    """What is done next."""
    print(f"\n{what}", flush=True)


def watch(job: Job[Any]) -> None:
    """Show how far it is, and kill who does it once."""
    for row in job:
        if row.state == "running" and row.resume_step >= KILLED_AT:
            pid = worker("train")
            os.kill(pid, signal.SIGKILL)
            print(f"  kill -9 {pid}", flush=True)
            return


def worker(group: str) -> int:
    """The process id of the one worker of a group."""
    told = penstock("ps", "--json")
    (found,) = [stage for run in told["pipelines"] for stage in run["stages"] if stage["name"] == group]
    return int(found["replicas"][0]["pid"])


def penstock(*words: str) -> Any:
    """What a command answers."""
    command = [sys.executable, "-m", "penstock", *words]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@contextmanager
def service() -> Iterator[None]:
    """`penstock worker app.py`; over a broker also the hub, which keeps the store."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> None:
        started.append(subprocess.Popen([sys.executable, "-m", "penstock", *words]))

    if BROKER:
        subprocess.run([sys.executable, "-m", "penstock", "broker", "init", BROKER, "app.py"], check=True)
        start("hub")
    start("worker", "app.py")
    try:
        yield
    finally:
        for process in reversed(started):
            process.send_signal(signal.SIGINT)
            process.wait()


if __name__ == "__main__":
    main()
