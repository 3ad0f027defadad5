"""More and more messages a second, until they are late: the knee, and the delays on the way there.

The load does not wait for the far end: messages leave in bursts, one each millisecond, and the delay of each
counts from when its burst was due, whether or not the sender came to it. So what a slow moment holds up is
late as well, as it would be for those who wait for it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from penstock.bench.climb import Climb
from penstock.bench.ends import End
from penstock.bench.histogram import Histogram
from penstock.bench.meeting import greet, meet, write
from penstock.bench.meter import Meter
from penstock.bench.trial import Trial
from penstock.bench.turns import Turns

NAME, PATTERN = "ramp", "pushpull"
SIZE = 64
"""Bytes of a message; the first eight say when it was due."""
PERIOD = 1_000_000
"""Nanoseconds from burst to burst."""
LATE = 10_000.0
"""Microseconds: a load is too much when a hundredth of its messages takes longer. (A scheduler that has other
things to do takes some.)"""
STEPS = 10
"""Each load is offered for that part of the seconds of a run."""
OVER = b"over"


def offer(trial: Trial, near: End, pids: list[int]) -> None:
    """Climb."""
    greet(trial, near.send)
    turns, meter, climb, steps = Turns(trial), Meter(pids), Climb(), list[dict[str, float]]()
    while (load := climb.load) is not None:
        meter.begin()
        sent = pour(trial, near, load)
        near.send(OVER)
        turns.wait()
        with open(trial.path("step"), encoding="utf-8") as file:
            step = {"load": load, **meter.read(sent), **json.load(file)}
        climb.told(good=step["us p99"] <= LATE)
        steps.append(step)
    at_knee = [each for each in steps if each["load"] == climb.knee] or steps[:1]
    knee = min(at_knee, key=lambda each: each["us p99"])
    trial.report(knee=climb.knee, steps=steps, **{f"knee {name}": value for name, value in knee.items()})
    trial.finish()


def pour(trial: Trial, near: End, load: float) -> int:
    """Offer a load; how many messages it was."""
    sent, rest = 0, bytes(SIZE - 8)
    for due, number in bursts(time.monotonic_ns(), load, trial.seconds / STEPS):
        early = due - time.monotonic_ns()
        if early > 0:
            time.sleep(early / 1e9)
        message = due.to_bytes(8, "little") + rest
        for _ in range(number):
            near.send(message)
        sent += number
    return sent


def bursts(begun: int, load: float, seconds: float) -> Iterator[tuple[int, int]]:
    """When each burst is due (ns), and how many messages it has: all together as many as the load says."""
    before = 0
    for number in range(1, max(1, int(seconds * 1e9 / PERIOD)) + 1):
        after = int(load * number * PERIOD / 1e9)
        yield begun + (number - 1) * PERIOD, after - before
        before = after


def take(trial: Trial, far: End) -> None:
    """Receive, and tell of each load how late its messages were."""
    meet(trial, far.receive)
    turns, spread = Turns(trial), Histogram()
    while True:
        message = far.receive()
        if len(message) == SIZE:
            spread.count(time.monotonic_ns() - int.from_bytes(message[:8], "little"))
        elif message == OVER:
            write(trial, "step", json.dumps(spread.spread()))
            spread = Histogram()
            turns.arrived()
