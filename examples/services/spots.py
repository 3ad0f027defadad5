"""Pictures of a spot in noise, and two ways to find it; nothing here knows of pipelines."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SIZE = 24
"""Pixels of a side."""
WIDTH = 1.5
"""Of the spot, in pixels."""
_AT = np.arange(SIZE)


class Picture(NamedTuple):
    """One picture."""

    image: np.ndarray
    """SIZE x SIZE, float32."""
    truth: tuple[int, int]
    """Row and column of the spot."""


def picture(number: int) -> Picture:
    """The picture with that number: always the same one."""
    chance = np.random.default_rng(number)
    row, column = (int(each) for each in chance.integers(2, SIZE - 2, 2))
    noise = chance.normal(scale=0.35, size=(SIZE, SIZE))
    return Picture((_spot(row, column) + noise).astype("f4"), (row, column))


def _spot(row: int, column: int) -> np.ndarray:
    away = (_AT[:, None] - row) ** 2 + (_AT - column) ** 2
    return np.exp(-away / (2 * WIDTH**2))


def brightest(images: np.ndarray) -> np.ndarray:
    """Where each picture is brightest: quick, and often wrong. (n, SIZE, SIZE) in, (n, 2) out."""
    flat = images.reshape(len(images), -1).argmax(axis=1)
    return np.stack(np.unravel_index(flat, (SIZE, SIZE)), axis=1)


def most_like(images: np.ndarray) -> np.ndarray:
    """Where a spot would explain each picture best. (n, SIZE, SIZE) in, (n, 2) out."""
    along = np.exp(-((_AT[:, None] - _AT) ** 2) / (2 * WIDTH**2)).astype("f4")
    return brightest(along @ images @ along)


def miss(found: np.ndarray, truth: tuple[int, int]) -> float:
    """By how many pixels that is wrong."""
    return float(np.hypot(found[0] - truth[0], found[1] - truth[1]))
