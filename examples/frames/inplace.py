"""The same, but the producer decodes straight into shared memory: nothing is ever copied."""

from __future__ import annotations

from collections.abc import Iterator

import work

from penstock import Context, Pipeline, sink, source


@source
def produce(ctx: Context) -> Iterator[work.Array]:
    """``ctx.empty`` is memory the trainer will see; what is written there need not be sent."""
    for raw in work.camera():
        batch = ctx.empty(work.SHAPE, "f4")
        work.decode(raw, out=batch)
        yield batch


pipeline = Pipeline("frames-inplace", produce >> sink("app.py:Train"))

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
