"""A stage of three replicas that is set up once for its host, by one that dies of it the first time.

count -> Work -> record
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

from tape import Tape

from penstock import Context, Pipeline, sink, source, stage

MODEL = os.path.join(os.environ["DESK"], "model")


@source
def count() -> Iterator[int]:
    """0, 1, 2 ..."""
    yield from range(100)


@stage(replicas=3)
class Work:
    """Needs what is made once."""

    def setup_host(self, ctx: Context) -> None:
        """Die at the first try, with the file half written."""
        tape = Tape("host")
        tape.note(os.getpid())
        first = not os.path.exists(MODEL)
        with open(MODEL, "w", encoding="ascii") as file:
            file.write("half")
        if first:
            os.kill(os.getpid(), signal.SIGKILL)
        with open(MODEL, "w", encoding="ascii") as file:
            file.write("whole")

    def setup(self) -> None:
        """Find it whole."""
        with open(MODEL, encoding="ascii") as file:
            assert file.read() == "whole"
        Tape("setup").note(os.getpid())

    def __call__(self, number: int) -> int:
        """Pass it on."""
        return number


@sink
class Record:
    """On a tape before it is settled."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape = Tape("record")

    def __call__(self, number: int) -> None:
        """One item."""
        self.tape.note(number)


pipeline = Pipeline("hostwide", count >> Work >> Record)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
