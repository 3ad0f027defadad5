"""Small dicts from a source through two replicas of a stage to a sink."""

from __future__ import annotations

from penstock import Pipeline
from penstock.bench.readings import Count, correct, readings

pipeline = Pipeline("bench-chain", readings >> correct >> Count)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
