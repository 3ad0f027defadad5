"""Small dicts from a source through two replicas of a stage to a sink that takes them in order."""

from __future__ import annotations

from penstock import Pipeline, Reject, sink
from penstock.bench.item import Reading
from penstock.bench.readings import Counter, correct, readings


@sink(ordered=True)
class Count(Counter):
    """Counts. A dead letter, if ever an item is not where it belongs: such a run has no reading."""

    def look(self, reading: Reading) -> None:
        """See that it is the one it should be."""
        if reading["number"] != self.count - 1:
            raise Reject(f"{reading['number']} came as number {self.count - 1}")
        super().look(reading)


pipeline = Pipeline("bench-ordered", readings >> correct >> Count)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
