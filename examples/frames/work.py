"""What producer and trainer do, whatever carries the batches between them: the same in every program here."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

import numpy as np

BATCHES = int(os.environ.get("FRAMES_BATCHES", "200"))
REPORT = os.environ.get("FRAMES_REPORT")
"""A file that gets the result as JSON; ``compare.py`` reads it."""
SHAPE = (32, 3, 224, 224)
PIXELS = math.prod(SHAPE)

Array = np.ndarray[Any, np.dtype[Any]]


def camera() -> Iterator[Array]:
    """Raw frames, as bytes. Four batches in turn stand for a camera or a folder of files."""
    random = np.random.default_rng(0)
    return islice(cycle([random.integers(0, 256, SHAPE, "u1") for _ in range(4)]), BATCHES)


def decode(raw: Array, out: Array | None = None) -> Array:
    """Bytes 0..255 as float32 0..1: into new memory, or straight into ``out``."""
    batch: Array = np.multiply(raw, np.float32(1 / 255), out=out, dtype="f4")
    return batch


class Trainer:
    """Looks at every number of a batch, and knows at the end how fast batches came."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.batches, self.total = 0, 0.0
        self.began = self.ended = 0.0

    def train(self, batch: Array) -> None:
        """Take one; the clock starts when the first has been taken."""
        self.total += float(batch.sum())
        self.batches += 1
        self.ended = time.monotonic()
        self.began = self.began or self.ended

    def report(self) -> None:
        """Print the rate."""
        rate = (self.batches - 1) / (self.ended - self.began) if self.batches > 1 else 0.0
        mean = self.total / (self.batches or 1) / PIXELS
        print(f"{self.batches} batches, {rate:.0f}/s, {rate * 4 * PIXELS / 1e9:.2f} GB/s, mean {mean:.4f}")
        if REPORT:
            with open(REPORT, "w", encoding="utf-8") as file:
                json.dump({"batches": self.batches, "rate": rate, "mean": mean}, file)
