"""Float32 arrays from a source to four sinks, each of which gets every one."""

from __future__ import annotations

from penstock import Pipeline, sink
from penstock.bench.batch import Batch, first
from penstock.bench.batches import Trainer, batches


@sink
class Train(Trainer):
    """Looks at the first element, and counts."""

    def look(self, batch: Batch) -> None:
        """See that it is there."""
        first(batch)


@sink
def preview(batch: Batch) -> None:
    """Look at the first element."""
    first(batch)


@sink
def archive(batch: Batch) -> None:
    """Look at the first element."""
    first(batch)


@sink
def watch(batch: Batch) -> None:
    """Look at the first element."""
    first(batch)


pipeline = Pipeline("bench-fanout", batches >> (Train, preview, archive, watch))

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
