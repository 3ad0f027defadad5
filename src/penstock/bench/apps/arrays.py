"""Float32 arrays from a source to a sink: yielded as they are, or written in place."""

from __future__ import annotations

from collections.abc import Iterator

from penstock import Context, Pipeline, sink, source
from penstock.bench.batch import Batch, prepared
from penstock.bench.batches import Trainer, trial

IN_PLACE = trial.style == "in place"
FIRST = (0,) * len(trial.shape)
"""The index of the one element that is written and read in place."""


@source
def batches(ctx: Context) -> Iterator[Batch]:
    """Ordinary arrays in turn, or memory of the arena of which one element is written."""
    made = prepared(trial)
    while not trial.over():
        yield from in_place(ctx, 64) if IN_PLACE else made * 16


def in_place(ctx: Context, number: int) -> Iterator[Batch]:
    """As many arrays in the arena's own memory."""
    for _ in range(number):
        batch: Batch = ctx.empty(trial.shape, "float32")
        batch[FIRST] = 1.0
        yield batch


@sink
class Train(Trainer):
    """Reads what comes: all of it, or the one element that was written."""

    def look(self, batch: Batch) -> None:
        """See that it is there."""
        if IN_PLACE:
            batch[FIRST]
        else:
            super().look(batch)


pipeline = Pipeline("bench-arrays", batches >> Train)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
