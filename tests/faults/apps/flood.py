"""A source that could fill any memory, before a sink that takes what the test lets it.

flood -> sip
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from gate import Gate
from tape import Tape

from penstock import Pipeline, sink, source

KIND = os.environ["KIND"]
MB = 1_000_000


def made(kind: str, number: int) -> Any:
    """An item."""
    if kind == "items":
        return {"number": number, "name": f"item {number}", "weight": number / 7}
    if kind == "arrays":
        return np.full(MB, number % 256, "u1")
    return number.to_bytes(8, "little") * (MB // 8)


@source
def flood() -> Iterator[Any]:
    """Without end. ``swelling``: many small items, and then large ones."""
    number = 0
    while True:
        small = KIND == "swelling" and number < 100_000
        yield number if small else made(KIND, number)
        number += 1


@sink
class Sip:
    """Takes as many as the gate lets through."""

    def setup(self) -> None:
        """Lay the tape in."""
        self.tape, self.gate = Tape("sip"), Gate("sip")
        self.sipped = 0

    def __call__(self, item: Any) -> None:
        """One item."""
        self.gate.wait(self.sipped)
        self.sipped += 1
        self.tape.note(self.sipped)


pipeline = Pipeline("flood", flood >> Sip)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
