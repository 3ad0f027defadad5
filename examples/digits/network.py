"""A small neural network in plain NumPy, trained one minibatch at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float32]]
Labels = np.ndarray[Any, np.dtype[np.int64]]


class Network:
    """64 pixels, one hidden layer, ten digits; cross-entropy, momentum."""

    def __init__(self, hidden: int = 96, rate: float = 0.03, momentum: float = 0.9, seed: int = 0) -> None:
        """Weights start random, but the same in every run."""
        random = np.random.default_rng(seed)
        first, second = (random.standard_normal(shape) for shape in ((64, hidden), (hidden, 10)))
        self.parts: list[Floats] = [
            (first * np.sqrt(2 / 64)).astype("f4"),
            np.zeros(hidden, "f4"),
            (second * np.sqrt(2 / hidden)).astype("f4"),
            np.zeros(10, "f4"),
        ]
        self.speeds = [np.zeros_like(part) for part in self.parts]
        self.rate, self.momentum = rate, momentum

    def learn(self, images: Floats, labels: Labels, *, left: float = 1.0) -> None:
        """One step down the gradient of one minibatch; ``images`` is (n, 64), ``labels`` is (n,). ``left`` is
        the part of the training that is still to come: steps become smaller, or the last ones decide."""
        hidden, scores = self.forward(images)
        error = softmax(scores)
        error[np.arange(len(labels)), labels] -= 1
        error /= len(labels)
        behind = (error @ self.parts[2].T) * (hidden > 0)
        self.step([images.T @ behind, behind.sum(0), hidden.T @ error, error.sum(0)], self.rate * left)

    def forward(self, images: Floats) -> tuple[Floats, Floats]:
        """The hidden layer and the ten scores of each image."""
        hidden = np.maximum(images @ self.parts[0] + self.parts[1], 0)
        return hidden, hidden @ self.parts[2] + self.parts[3]

    def step(self, gradients: list[Floats], rate: float) -> None:
        """Roll on, pulled by the gradients."""
        pairs = zip(self.speeds, gradients, strict=True)
        self.speeds = [self.momentum * speed - rate * gradient for speed, gradient in pairs]
        self.parts = [part + speed for part, speed in zip(self.parts, self.speeds, strict=True)]

    def accuracy(self, images: Floats, labels: Labels) -> float:
        """The share of images whose digit is recognised."""
        _, scores = self.forward(images)
        return float((scores.argmax(1) == labels).mean())


def softmax(scores: Floats) -> Floats:
    """Scores as probabilities, row by row."""
    exponents = np.exp(scores - scores.max(1, keepdims=True))
    chances: Floats = exponents / exponents.sum(1, keepdims=True)
    return chances
