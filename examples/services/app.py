"""A model that is called by a stage and by anybody beside it, and what people want to see of it.

    penstock run app.py

Pictures flow by wires. The model is a service: its replicas take calls of whoever asks, in batches. How well
it does is published.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator

import numpy as np
import spots

from penstock import Context, Pipeline, service, sink, source, stage, subscriber


@source
def camera(ctx: Context) -> Iterator[spots.Picture]:
    """A picture every other millisecond, until somebody drains."""
    number = 0
    while not ctx.stopping:
        yield spots.picture(number)
        number += 1
        time.sleep(0.002)


@service(replicas=2, batch=16, batch_wait="2ms")
def locate(images: np.ndarray) -> np.ndarray:
    """Where the spots are: what waits is done together, a stack of up to 16."""
    found: np.ndarray = spots.brightest(images)
    return found


@stage(threads=8)
def judge(picture: tuple[np.ndarray, tuple[int, int]], ctx: Context) -> float:
    """By how much the model is wrong; eight pictures at once, so that there are batches."""
    image, truth = picture
    miss: float = spots.miss(locate.call(image), truth)
    ctx.publish("spots.miss", miss)
    return miss


@sink
class Mean:
    """The mean of the last misses, kept for who comes late."""

    def setup(self) -> None:
        """Nothing is known yet."""
        self.last: deque[float] = deque(maxlen=500)

    def __call__(self, miss: float, ctx: Context) -> None:
        """One more."""
        self.last.append(miss)
        ctx.publish("spots.mean", sum(self.last) / len(self.last), last=True)


@subscriber("spots.mean", conflate=True)
def show(mean: float) -> None:
    """A line a second, of the newest: it is no matter that this is slow."""
    print(f"off by {mean:.2f} pixels", flush=True)
    time.sleep(1.0)


pipeline = Pipeline("spots", camera >> judge >> Mean, locate, show)
