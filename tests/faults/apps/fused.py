"""Small steps before and behind a stage of two replicas, and before the sink, all in its process.

count -> [add + is_odd + Touch + mirrored] x2 -> [back + Record]
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

from gate import Gate
from tape import Tape

import penstock
from penstock import Context, Pipeline, sink, source, stage

ITEMS = int(os.environ["ITEMS"])
BAD = int(os.environ.get("BAD", "-1"))
"""What this one does to the step that gets it is ``HOW``."""
HOW = os.environ.get("HOW", "")


@source(max_restarts=100)
def count() -> Iterator[int]:
    """0, 1, 2 ... as far as the gate is open."""
    gate = Gate("count")
    for number in range(ITEMS):
        gate.wait(number)
        yield number


def add(number: int) -> int:
    """One more, or the end."""
    if number == BAD and HOW == "kills":
        os.kill(os.getpid(), signal.SIGKILL)
    if number == BAD and HOW == "hangs":
        signal.pause()
    if number == BAD and HOW == "raises":
        raise ValueError(f"{BAD} is more than I can bear")
    return number + 1


def is_odd(number: int) -> bool:
    """Every second one."""
    return number % 2 == 1


@stage(replicas=2, max_failures=1, max_restarts=100, timeout="1s" if HOW == "hangs" else None)
class Touch:
    """Passes on what comes."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape = Tape("touched")

    def __call__(self, number: int) -> int:
        """One number."""
        self.tape.note(number)
        return number


def mirrored(number: int) -> list[int]:
    """The number and its opposite."""
    return [number, -number]


def back(number: int, ctx: Context) -> int:
    """What ``add`` has added, taken away."""
    origin, _, place = ctx.id.rpartition(":")
    assert place == ("0" if number > 0 else "1"), ctx.id
    assert origin.endswith(f":{abs(number) - 1}"), ctx.id
    return number - 1 if number > 0 else number + 1


@sink(max_restarts=100)
class Record:
    """On a tape before it is settled."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape = Tape("record")

    def __call__(self, number: int) -> None:
        """One number."""
        self.tape.note(number)


front = count >> penstock.map(add) >> penstock.filter(is_odd) >> Touch
pipeline = Pipeline("fused", front >> penstock.split(mirrored) >> penstock.map(back) >> Record)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
