"""How far something long has come: told to whoever shows it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

EVERY = 2.0
"""Seconds between two lines about one phase."""


class Progress(Protocol):
    """Who shows how far one environment has come. Called from the thread that makes it."""

    def phase(self, name: str) -> None:
        """What is done from now on, in a word or two: ``solving``, ``installing``."""

    def step(self, done: int, total: int, what: str) -> None:
        """Of this phase, ``done`` of ``total`` are there; ``what`` was the last. 0: nobody knows how many."""

    def note(self, sentence: str) -> None:
        """Something that is not wrong, and may not be what was meant."""


class Silent:
    """Nobody looks."""

    def phase(self, name: str) -> None:
        """Say nothing."""

    def step(self, done: int, total: int, what: str) -> None:
        """Say nothing."""

    def note(self, sentence: str) -> None:
        """Say nothing."""


class Lines:
    """A line for each phase, and for a long one some on the way."""

    def __init__(self, name: str, say: Callable[[str], None]) -> None:
        """``name``: of the environment."""
        self._name = name
        self._say = say
        self._last = 0.0

    def phase(self, name: str) -> None:
        """Say that it begins."""
        self._say(f"{self._name}   {name}")
        self._last = time.monotonic()

    def step(self, done: int, total: int, what: str) -> None:
        """Say how far it is, now and then."""
        if time.monotonic() - self._last > EVERY:
            self._last = time.monotonic()
            self._say(f"{self._name}   {done}/{total or '?'}   {what}")

    def note(self, sentence: str) -> None:
        """Say it."""
        self._say(f"{self._name}   {sentence}")
