"""The arrays that are sent, and how they are read: one and the same for ours and for the peers."""

from __future__ import annotations

import numpy as np

from penstock.bench.trial import Trial

Batch = np.ndarray[tuple[int, ...], np.dtype[np.float32]]

STACK = 32
"""Small arrays in one stack."""


def prepared(trial: Trial) -> list[Batch]:
    """Four in turn, so that a large array is not still in the cache from being sent just before."""
    return [np.random.default_rng(seed).random(trial.shape, "float32") for seed in range(4)]


def read(batch: Batch) -> int:
    """Look at every byte, as fast as memory gives them: adding 64-bit words is bound by nothing else."""
    return int(batch.reshape(-1).view(np.uint64).sum())


def first(batch: Batch) -> float:
    """Look at one element: that it has come is all that counts."""
    return float(batch[(0,) * batch.ndim])
