"""The learning itself, which knows nothing of jobs: a scikit-learn network, and digits to learn from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

Network = Any
"""What scikit-learn makes, and has no types for."""


class Score(NamedTuple):
    """After one epoch."""

    loss: float
    accuracy: float
    """Of the digits that it never learns from."""


def write_digits(path: str, seed: int = 0) -> int:
    """Write the 1,797 digits, four fifths to learn from and one to measure with; how many there are."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(images))
    measure, learn = np.split(order, [len(order) // 5])
    images = (images / 16).astype("f4")
    with Partial(path) as partial, open(partial, "wb") as file:
        np.savez(file, x=images[learn], y=labels[learn], test_x=images[measure], test_y=labels[measure])
    return len(order)


def begun(rate: float) -> Network:
    """A network that knows nothing yet."""
    return MLPClassifier((64,), learning_rate_init=rate, random_state=0)


def learn(network: Network, digits: Any) -> Score:
    """One epoch."""
    network.partial_fit(digits["x"], digits["y"], classes=np.arange(10))
    return Score(float(network.loss_), float(network.score(digits["test_x"], digits["test_y"])))


def save(network: Network, path: str) -> None:
    """Write it, whole or not at all."""
    with Partial(path) as partial:
        joblib.dump(network, partial)


def load(path: str) -> Network:
    """Read it. Only what you have written yourself: a pickle is a program."""
    return joblib.load(path)


def remove_checkpoints(path: str) -> None:
    """The model is there: what lies beside it of its epochs is not needed any more."""
    whole = Path(path)
    for each in whole.parent.glob(f"{whole.name}.*"):
        if each.suffix[1:].isdigit():
            each.unlink()


class Partial:
    """A file beside ``path`` that takes its place when all is written."""

    def __init__(self, path: str) -> None:
        """Makes the directory, if need be."""
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._partial = self._path.with_name(f".{self._path.name}.{os.getpid()}")

    def __enter__(self) -> Path:
        return self._partial

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._partial.replace(self._path)
        else:
            self._partial.unlink(missing_ok=True)
