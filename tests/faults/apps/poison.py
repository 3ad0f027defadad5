"""Items that hurt among items that do not: each in its own way.

count -> Touch -> record
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

from gate import Gate
from tape import Tape

from penstock import Context, Pipeline, Reject, Retry, sink, source, stage

ITEMS = int(os.environ["ITEMS"])
FAILURES = int(os.environ["FAILURES"])
HURTS = {int(number): how for number, _, how in (each.partition("=") for each in os.environ["HURTS"].split())}
"""What each poisonous item does to whoever touches it, from a text like ``700=segfault 1400=raise``."""
RETRIED_AFTER = "300ms"


@source
def count() -> Iterator[dict[str, int]]:
    """Numbers in dicts, as far as the gate is open."""
    gate = Gate("count")
    for number in range(ITEMS):
        gate.wait(number)
        yield {"number": number}


@stage(replicas=2, max_failures=FAILURES, max_restarts=100)
class Touch:
    """Passes on what does not hurt."""

    def setup(self) -> None:
        """A tape for each item that hurts."""
        self.tapes = {number: Tape(f"touch-{number}") for number in HURTS}

    def __call__(self, item: dict[str, int], ctx: Context) -> dict[str, int]:
        """One item."""
        how = HURTS.get(item["number"])
        if how is not None:
            self.tapes[item["number"]].note_time()
            hurt(how, ctx)
        return item


def hurt(how: str, ctx: Context) -> None:
    """An item that asks to be retried passes the second time; the others never."""
    if how == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "exit":
        os._exit(3)
    if how == "raise":
        raise ValueError("more than I can bear")
    if how == "reject":
        raise Reject("not wanted here")
    if how == "retry" and ctx.attempt == 1:
        raise Retry("not yet", after=RETRIED_AFTER)


@sink
class Record:
    """On a tape before it is settled."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape = Tape("record")

    def __call__(self, item: dict[str, int]) -> None:
        """One item."""
        self.tape.note(item["number"])


pipeline = Pipeline("poison", count >> Touch >> Record)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
