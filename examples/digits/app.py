"""Handwritten digits: a source streams images, two processes distort them, a fourth learns from them.

    images  ->  Augment x2  ->  Train

Run it with ``penstock run app.py`` (or ``python app.py``); ``penstock logs Train`` shows it learn.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, TypedDict

import numpy as np

from penstock import Context, Pipeline, sink, source, stage

EPOCHS = int(os.environ.get("DIGITS_EPOCHS", "80"))
REPORT = os.environ.get("DIGITS_REPORT")
"""A file that gets one line of JSON each time the accuracy was measured; ``demo.py`` reads it."""
HELD_OUT = 5
"""Every fifth image is kept back to measure with."""
MINIBATCH = 32
LOOK = 10_000
"""Images between two measurements."""

Array = np.ndarray[Any, np.dtype[Any]]


class Sample(TypedDict):
    """What travels between the processes."""

    number: int
    """0, 1, 2 ... over all epochs: says which sample this is, also when it is delivered a second time."""
    image: Array
    """8 x 8: uint8 in 0..16 from the source, float32 around 0 from ``Augment``."""
    label: int


def digits() -> tuple[Array, Array, Array, Array]:
    """Images and labels to train with, images and labels to measure with."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    held = np.arange(len(images)) % HELD_OUT == 0
    images = images.reshape(-1, 8, 8).astype("u1")
    return images[~held], labels[~held], images[held], labels[held]


def normalise(image: Array) -> Array:
    """Pixels 0..16 as float32 in -0.5..0.5."""
    return image.astype("f4") / 16 - 0.5


@source
def images() -> Iterator[Sample]:
    """Each training image once per epoch, in a new order each time."""
    images, labels, _, _ = digits()
    random = np.random.default_rng(0)
    for epoch in range(EPOCHS):
        for place, at in enumerate(random.permutation(len(images))):
            yield {"number": epoch * len(images) + place, "image": images[at], "label": int(labels[at])}


@stage(replicas=2)
class Augment:
    """Turn, shift and blur the strokes a little, as another hand would have; then normalise."""

    def setup(self, ctx: Context) -> None:
        """Every replica draws its own luck."""
        from scipy import ndimage

        self.warp = ndimage.affine_transform
        self.random = np.random.default_rng(1 + ctx.replica)

    def __call__(self, sample: Sample) -> Sample:
        """One image in, one image out."""
        angle = self.random.normal(0, 0.12)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = np.array([3.5, 3.5])
        offset = centre - turn @ centre + self.random.normal(0, 0.4, 2)
        image = normalise(self.warp(sample["image"], turn, offset, output="f4", order=1))
        image += 0.05 * self.random.standard_normal((8, 8), "f4")
        return {**sample, "image": image}


# One thread is enough for matrices this small, and leaves the other cores to the others.
@sink(variables={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})
class Train:
    """Learn from each sample once, and say every now and then how well it goes."""

    def setup(self) -> None:
        """Make a fresh network, and the images it is measured with."""
        from network import Network

        trained, _, images, self.labels = digits()
        self.images = normalise(images).reshape(-1, 64)
        self.network = Network()
        self.waiting: list[Sample] = []
        self.seen = np.zeros(EPOCHS * len(trained), bool)
        self.distinct = self.again = 0

    def __call__(self, sample: Sample) -> None:
        """Take one sample. A killed worker's samples come again: the number tells which we know already."""
        if self.seen[sample["number"]]:
            self.again += 1
            return
        self.seen[sample["number"]] = True
        self.distinct += 1
        self.waiting.append(sample)
        if len(self.waiting) == MINIBATCH:
            self.learn()
        if self.distinct % LOOK == 0:
            self.report(finished=False)

    def learn(self) -> None:
        """One step from what has gathered."""
        if self.waiting:
            images = np.stack([sample["image"] for sample in self.waiting]).reshape(-1, 64)
            labels = np.array([sample["label"] for sample in self.waiting])
            self.network.learn(images, labels, left=1 - self.distinct / len(self.seen))
            self.waiting = []

    def report(self, *, finished: bool) -> None:
        """Measure on the images held out."""
        accuracy = self.network.accuracy(self.images, self.labels)
        print(f"{self.distinct:>7,} images   accuracy {accuracy:.1%}", flush=True)
        if REPORT:
            line = {"distinct": self.distinct, "of": len(self.seen), "again": self.again}
            with open(REPORT, "a", encoding="utf-8") as file:
                file.write(json.dumps({**line, "accuracy": accuracy, "finished": finished}) + "\n")

    def teardown(self) -> None:
        """Learn from the last few, and measure for the last time."""
        self.learn()
        self.report(finished=True)


pipeline = Pipeline("digits", images >> Augment >> Train)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
