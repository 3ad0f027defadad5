"""A source that makes a burst of items and then blocks; one of them its stage holds on to until it is killed.

burst -> Hold x2 -> record
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from tape import Tape

from penstock import Context, Pipeline, sink, source, stage

ITEMS = 20
HELD = 7
"""The item that is held, the first ``ATTEMPTS`` times it comes."""
ATTEMPTS = int(os.environ["ATTEMPTS"])
A_MINUTE = 60


@source
def burst() -> Iterator[int]:
    """A burst, and nothing for a minute."""
    yield from range(ITEMS)
    time.sleep(A_MINUTE)


@stage(replicas=2, max_failures=100, max_restarts=100)
class Hold:
    """Notes when the held item comes, and to whom."""

    def setup(self) -> None:
        """Lay the tapes in."""
        self.when, self.who = Tape("when"), Tape("who")

    def __call__(self, number: int, ctx: Context) -> int:
        """One item."""
        if number == HELD:
            self.who.note(os.getpid())
            self.when.note_time()
            if ctx.attempt <= ATTEMPTS:
                time.sleep(A_MINUTE)
        return number


@sink
class Record:
    """On a tape before it is settled."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape = Tape("record")

    def __call__(self, number: int) -> None:
        """One number."""
        self.tape.note(number)


pipeline = Pipeline("burst", burst >> Hold >> Record)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
