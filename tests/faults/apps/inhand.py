"""Many items in hand at once, among which one hurts: coroutines, or threads.

count -> work -> Record
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator

from gate import Gate
from tape import Tape

from penstock import Context, Pipeline, sink, source, stage

ITEMS = int(os.environ["ITEMS"])
BAD = int(os.environ.get("BAD", "-1"))
"""What this one does is ``HOW``."""
HOW = os.environ.get("HOW", "")
LANES = 16
TIMEOUT = "1s" if HOW in {"waits", "hangs", "clings"} else None


@source
def count() -> Iterator[int]:
    """Numbers, as far as the gate is open."""
    gate = Gate("count")
    for number in range(ITEMS):
        gate.wait(number)
        yield number


begun: set[int] = set()
"""In this process."""


def note(number: int, ctx: Context) -> None:
    """That it was begun; of the bad one, as which delivery."""
    begun.add(number)
    Tape("begun").note(number)
    if number == BAD:
        Tape("tries").note(ctx.attempt)


def hurt() -> None:
    """As ``HOW`` says."""
    if HOW == "raises":
        raise ValueError(f"{BAD} is more than I can bear")
    if HOW == "kills":
        os.kill(os.getpid(), signal.SIGKILL)
    if HOW == "hangs":
        time.sleep(3600)


def shut(number: int, attempt: int) -> bool:
    """Whether it has to wait: until the test opens the gate; the bad one also for company, the first time."""
    lonely = number == BAD and attempt == 1 and BAD + 1 not in begun
    return lonely or not os.path.exists(os.path.join(os.environ["DESK"], "work.gate"))


def pause(number: int) -> float:
    """Seconds that an item takes: the company outlasts the bad one."""
    return 0.3 if number == BAD + 1 else 0.0


@stage(name="work", concurrency=LANES, max_failures=1, max_restarts=100, timeout=TIMEOUT)
async def wait(number: int, ctx: Context) -> int:
    """Waits, as for an answer from afar."""
    note(number, ctx)
    while shut(number, ctx.attempt):  # noqa: ASYNC110  the test opens it by a file
        await asyncio.sleep(0.002)
    await asyncio.sleep(pause(number))
    if number == BAD:
        hurt()
        while HOW == "clings":
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                Tape("clung").note(number)
        if HOW == "waits":
            await asyncio.sleep(3600)
    return 2 * number


@stage(name="work", threads=LANES, max_failures=1, max_restarts=100, timeout=TIMEOUT)
def compute(number: int, ctx: Context) -> int:
    """Computes, as without the GIL."""
    note(number, ctx)
    while shut(number, ctx.attempt):
        time.sleep(0.002)
    time.sleep(pause(number))
    if number == BAD:
        hurt()
    return 2 * number


@sink
class Record:
    """On a tape before it is settled."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape = Tape("record")

    def __call__(self, number: int) -> None:
        """Noted."""
        self.tape.note(number)


work = wait if os.environ["KIND"] == "async" else compute
pipeline = Pipeline("inhand", count >> work >> Record)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
