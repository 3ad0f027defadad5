"""Batches of images from a producer to a trainer: ordinary arrays in, read-only views out."""

from __future__ import annotations

from collections.abc import Iterator

import work

from penstock import Pipeline, sink, source


@source
def produce() -> Iterator[work.Array]:
    """Decode into new memory and yield it; Penstock copies it into shared memory once."""
    for raw in work.camera():
        yield work.decode(raw)


@sink
class Train:
    """Gets a view of the shared memory; nothing is copied on this side."""

    def setup(self) -> None:
        """Load the model, as one would."""
        self.trainer = work.Trainer()

    def __call__(self, batch: work.Array) -> None:
        """Take one batch."""
        self.trainer.train(batch)

    def teardown(self) -> None:
        """Say how fast it was."""
        self.trainer.report()


pipeline = Pipeline("frames", produce >> Train)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
