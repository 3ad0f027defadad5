"""Float32 arrays from a source through a stage that passes them on to a sink."""

from __future__ import annotations

from penstock import Pipeline, sink, stage
from penstock.bench.batch import Batch
from penstock.bench.batches import Trainer, batches


@stage
def forward(batch: Batch) -> Batch:
    """What a router, a filter or a look at the shape does to an array."""
    return batch


@sink
class Train(Trainer):
    """Reads all of what comes."""


pipeline = Pipeline("bench-passthrough", batches >> forward >> Train)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
