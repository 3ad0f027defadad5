"""Small dicts from a source through a small step to a sink; the step in the sink's process or its own."""

from __future__ import annotations

import penstock
from penstock import Pipeline
from penstock.bench.item import corrected
from penstock.bench.readings import Count, readings, trial

step = penstock.map(corrected, fuse=trial.style != "apart")
pipeline = Pipeline("bench-fused", readings >> step >> Count)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
