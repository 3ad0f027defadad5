"""Small dicts from a source to a sink, as fast as they go."""

from __future__ import annotations

from penstock import Pipeline
from penstock.bench.readings import Count, readings

pipeline = Pipeline("bench-stream", readings >> Count)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
