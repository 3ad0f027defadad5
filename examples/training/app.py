"""A training service: three groups of workers, for data, for training and for answers.

penstock worker app.py                      all groups, in this terminal
penstock worker app.py --group train        one of them, here or on another machine
"""

from __future__ import annotations

import time
from typing import Any

import learning
import numpy as np

from penstock import Context, JobContext, Reject, task


@task(group="preprocess", unique=True)
def prepare(out: str) -> int:
    """Write the digits to the file ``out``; how many there are."""
    count: int = learning.write_digits(out)
    return count


@task(group="train", max_failures=2, backoff="200ms", timeout="20m")
def train(
    ctx: JobContext, data: str, model: str, epochs: int = 10, rate: float = 0.003, pace: float = 0.0
) -> dict[str, float]:
    """Train a network on the file ``data`` and save it as ``model``; what it reached.

    ``pace``: seconds that an epoch takes at least. So few digits are learnt before one could look.
    """
    with np.load(data) as file:
        digits = dict(file)
    done = ctx.resume.step if ctx.resume else 0
    network = learning.load(ctx.resume.uri) if ctx.resume else learning.begun(rate)
    print(f"attempt {ctx.attempt} begins after epoch {done}")
    score = learning.Score(0.0, 0.0)
    for epoch in range(done + 1, epochs + 1):
        began = time.monotonic()
        score = learning.learn(network, digits)
        learning.save(network, f"{model}.{epoch}")
        ctx.checkpoint(f"{model}.{epoch}", epoch)  # it lies there: the next attempt can count on it
        ctx.progress(epoch, epochs, loss=score.loss, accuracy=score.accuracy)
        print(f"epoch {epoch} of {epochs}   loss {score.loss:.3f}   accuracy {score.accuracy:.1%}")
        time.sleep(max(0.0, began + pace - time.monotonic()))
    learning.save(network, model)
    learning.remove_checkpoints(model)
    return {"accuracy": score.accuracy, "epochs_here": epochs - done}


@task(group="infer", max_failures=0)
class Read:
    """Reads digits. A worker loads a model once, for all the jobs that it does."""

    def setup(self, ctx: Context) -> None:
        """Nothing is loaded yet."""
        self.models: dict[str, Any] = {}

    def __call__(self, images: np.ndarray, model: str) -> list[int]:
        """The digits in ``images``, which are (n, 64) floats from 0 to 1."""
        if images.ndim != 2 or images.shape[1] != 64:
            raise Reject(f"images are (n, 64), and these are {images.shape}")
        if model not in self.models:
            self.models[model] = learning.load(model)
        return [int(digit) for digit in self.models[model].predict(images)]
