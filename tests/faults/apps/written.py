"""Numbers into files by the ready-made sinks: lines with ids, and a file for each.

count -> Write
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from gate import Gate
from tape import Tape

from penstock import Context, Pipeline, sink, sinks, source

ITEMS = int(os.environ["ITEMS"])
DESK = os.environ["DESK"]


@source
def count() -> Iterator[int]:
    """0, 1, 2 ... as far as the gate is open."""
    gate = Gate("count")
    for number in range(ITEMS):
        gate.wait(number)
        yield number


@sink(max_restarts=100)
class Write:
    """Both for each item, and then a note."""

    def setup(self) -> None:
        """Open all."""
        self.lines = sinks.Lines(os.path.join(DESK, "out.jsonl"), ids=True)
        self.files = sinks.Files(os.path.join(DESK, "out"), ".txt")
        self.tape = Tape("record")

    def __call__(self, number: int, ctx: Context) -> None:
        """One number."""
        self.files.write("x" * number, ctx.id)
        self.lines.write(number, ctx.id)
        self.tape.note(number)


pipeline = Pipeline("written", count >> Write)
