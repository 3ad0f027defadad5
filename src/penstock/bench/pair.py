"""Two ends of a pattern, near and far, ours or plain pyzmq's: how fast messages come, how long each takes,
and what they cost.

Run as ``python -m penstock.bench.pair <contender> <pattern> <transport> <side>``; the trial comes by
environment. Over ``inproc`` both ends are in one thread, in turns: two threads would measure how Python
shares its lock.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from penstock.bench import ramp
from penstock.bench.ends import BIND, INPROC, OURS, SIDES, End, asks, squeezed
from penstock.bench.histogram import Histogram
from penstock.bench.meeting import START, await_far, greet, introduce, meet, place
from penstock.bench.meter import Meter
from penstock.bench.squeeze import readings
from penstock.bench.trial import Trial
from penstock.bench.turns import Stamp, Turns

SIZES = {"8 B": 8, "4 KB": 4_000, "1 MB": 1_000_000, "40 MB": 40_000_000}
RATES = {"8 B": 150_000, "4 KB": 80_000, "1 MB": 800, "40 MB": 20}
"""Messages in a second, about: how many are sent."""
TURNS = 5_000
"""Round trips in a second, about, of what is small."""
BURST = {"8 B": 100, "4 KB": 100, "1 MB": 10, "40 MB": 1}
ALONE = {"8 B": 1, "4 KB": 1, "1 MB": 10, "40 MB": 400}
"""Of how many samples one message is sent on an idle connection."""
SHARE = 6
"""Each size gets that part of the seconds of a run."""
FEWEST, HURRIED = 3, 1
"""Messages of a size; and where a second is too long."""
PATIENCE = 2.0
"""Seconds that a message may take on a narrow road; larger ones are left out."""


def fewest(trial: Trial) -> int:
    """How many messages of a size there are at least."""
    return FEWEST if trial.seconds >= 1 and not trial.rate else HURRIED


def count(trial: Trial, size: str, *, turns: bool) -> int:
    """How many messages of a size are sent; 0: they would take too long."""
    wanted = trial.seconds / SHARE * (min(TURNS, RATES[size] // 4) if turns else RATES[size])
    if trial.rate:
        if SIZES[size] / trial.rate > PATIENCE:
            return 0
        wanted = min(wanted, trial.seconds * trial.rate / SIZES[size])
    return max(fewest(trial), int(wanted))


def alone(trial: Trial, size: str) -> int:
    """How many are sent each by itself."""
    return max(fewest(trial), min(trial.samples // ALONE[size], count(trial, size, turns=True)))


def messages(trial: Trial, *, turns: bool) -> Iterator[tuple[str, int, bytes]]:
    """Each size, how many, and the bytes."""
    for size, length in SIZES.items():
        if number := count(trial, size, turns=turns):
            yield size, number, readings(length) if trial.squeeze else bytes(length)


def of(size: str, reading: dict[str, float]) -> dict[str, float]:
    """What was read, with the size before its name."""
    return {f"{size} {name}": value for name, value in reading.items()}


# ---------------------------------------------------------------------------------- both in one thread


def within(trial: Trial, near: End, far: End) -> None:
    """Over ``inproc``: in bursts, the near end first; then one by one. The rate is that of the median burst:
    a neighbour that takes the processor away in between is no part of it."""
    reading, meter = dict[str, float](), Meter([os.getpid()])
    for size, number, data in messages(trial, turns=False):
        burst = BURST[size]
        rounds = max(fewest(trial), number // burst)
        meter.begin()
        bursts = timed(partial(pass_on, near, far, data, burst), rounds)
        reading[size] = burst * 1e9 / bursts.quantile(0.5)
        reading |= of(size, meter.read(rounds * burst))
        reading |= of(size, timed(partial(pass_on, near, far, data, 1), alone(trial, size)).spread())
    trial.report(**reading)


def pass_on(near: End, far: End, data: bytes, burst: int) -> None:
    """So many messages."""
    for _ in range(burst):
        near.send(data)
    for _ in range(burst):
        far.receive()


def timed(act: Callable[[], Any], number: int) -> Histogram:
    """How long it takes, so many times, in nanoseconds."""
    spread = Histogram()
    for _ in range(number):
        before = time.perf_counter_ns()
        act()
        spread.count(time.perf_counter_ns() - before)
    return spread


# ------------------------------------------------------------------------------ each in its process


def push(trial: Trial, near: End) -> None:
    """Send all sizes, one after the other, once the far end is there: many, and then one by one."""
    greet(trial, near.send)
    stamp, turns = Stamp(trial), Turns(trial)
    for size, number, data in messages(trial, turns=False):
        for _ in range(number + 1):
            near.send(data)
        turns.wait()
        for _ in range(alone(trial, size)):
            stamp.now()
            near.send(data)
            turns.wait()
    await_far(trial)


def pull(trial: Trial, far: End) -> None:
    """Receive them, and see how long each size took."""
    meter = meet(trial, far.receive)
    stamp, turns, reading = Stamp(trial), Turns(trial), dict[str, float]()
    for size, number, data in messages(trial, turns=False):
        while len(far.receive()) != len(data):
            """A start that came late."""
        meter.begin()
        begun = time.perf_counter()
        for _ in range(number):
            far.receive()
        reading[size] = number / (time.perf_counter() - begun)
        reading |= of(size, meter.read(number))
        turns.arrived()
        spread = Histogram()
        for _ in range(alone(trial, size)):
            far.receive()
            spread.count(stamp.age())
            turns.arrived()
        reading |= of(size, spread.spread())
    trial.report(**reading)
    trial.finish()


def ask(trial: Trial, request: Callable[[bytes], Any], pids: list[int]) -> None:
    """Round trips of all sizes."""
    request(START)
    reading, meter = dict[str, float](), Meter(pids)
    for size, number, data in messages(trial, turns=True):
        meter.begin()
        begun = time.perf_counter()
        spread = timed(partial(request, data), number)
        reading[size] = number / (time.perf_counter() - begun)
        reading |= of(size, meter.read(number)) | of(size, spread.spread())
    trial.report(**reading)
    trial.finish()


def answer(far: End) -> None:
    """Send back what came."""
    while True:
        far.send(far.receive())


def main(contender: str, pattern: str, transport: str, side: str) -> None:
    """Play one side (over ``inproc`` both), until there is a reading or somebody ends it."""
    trial = Trial.here()
    if transport == "inproc":
        together(trial, contender, pattern)
    else:
        apart(trial, contender, pattern, transport, side)


def end(trial: Trial, contender: str, pattern: str, side: str, endpoint: str) -> End:
    """That end, with compression where the trial has it. (Imported is only what makes it: memory counts.)"""
    if contender == OURS:
        from penstock.bench.ownends import end
    else:
        from penstock.bench.plainzmq import end
    made = end(trial, pattern, side, endpoint)
    return squeezed(made, trial.squeeze) if trial.squeeze else made


def together(trial: Trial, contender: str, pattern: str) -> None:
    """Both sides in this process."""
    if pattern == "reqrep":
        replier = threading.Thread(
            target=lambda: answer(end(trial, contender, pattern, "far", INPROC)), daemon=True
        )
        replier.start()
        near = end(trial, contender, pattern, "near", INPROC)
        ask(trial, asks(contender, near), [os.getpid()])
        return
    first, second = sorted(SIDES, key=lambda each: each != BIND[pattern])
    ends = {each: end(trial, contender, pattern, each, INPROC) for each in (first, second)}
    if pattern == "pubsub":
        time.sleep(0.1)  # the subscription: both wait as long, and neither is measured meanwhile
    within(trial, ends["near"], ends["far"])


def apart(trial: Trial, contender: str, pattern: str, transport: str, side: str) -> None:
    """One side, in a process of its own, which ends with the one that has started it."""
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
    if trial.stand and os.getppid() != trial.stand:
        return  # it has ended already
    kind = ramp.PATTERN if pattern == ramp.NAME else pattern
    binds = BIND[kind] == side
    made = end(trial, contender, kind, side, place(trial, transport, binds=binds))
    pids = introduce(trial, side, made.endpoint, binds=binds)
    if pattern == ramp.NAME:
        ramp.offer(trial, made, pids()) if side == "near" else ramp.take(trial, made)
    elif pattern == "reqrep":
        ask(trial, asks(contender, made), pids()) if side == "near" else answer(made)
    else:
        push(trial, made) if side == "near" else pull(trial, made)


if __name__ == "__main__":
    main(*sys.argv[1:])
