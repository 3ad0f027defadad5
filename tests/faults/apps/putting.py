"""The first half of a durable link: numbers, and an array now and then, into a queue.

count -> (numbers)
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
from gate import Gate

from penstock import Pipeline, source, to_queue
from penstock.pipeline.at import at

ITEMS = int(os.environ["ITEMS"])


@source(max_restarts=100)
def count(start: int = 0) -> Iterator[object]:
    """Goes on where it was, so a death of it loses and repeats nothing that is settled."""
    gate = Gate("count")
    for number in range(start, ITEMS):
        gate.wait(number)
        size = 10_000 if number % 200 == 0 else 3
        yield at(number + 1, {"number": number, "array": np.full(size, number)})


pipeline = Pipeline("putting", count >> to_queue("numbers", max_restarts=100))
