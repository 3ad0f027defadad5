"""How a load is raised to the knee: what is offered next, from what became of what was offered before.

Each load is half as much again as the last, until one is too much twice; then the knee is looked for between
that and the last good one. Decides, and looks at nothing.
"""

from __future__ import annotations

from math import sqrt

FIRST = 2_000.0
"""Messages a second."""
GROWTH = 1.5
MOST = 10_000_000.0
"""Nobody sends more from Python."""
HALVINGS = 2
"""Looks between the last good load and the first bad one: it is then known to a tenth."""
CHANCES = 2
"""A load that is too much once may have met a busy moment of the machine."""


class Climb:
    """One way up."""

    def __init__(self, first: float = FIRST) -> None:
        """``first``: messages a second that are offered first."""
        self.load: float | None = first
        """Offered next; None: the knee is known."""
        self.knee = 0.0
        """The most that was not too much; 0: everything was."""
        self._ceiling: float | None = None
        self._failures = self._halvings = 0

    def told(self, *, good: bool) -> None:
        """What became of ``load``."""
        assert self.load is not None
        self._failures = 0 if good else self._failures + 1
        if 0 < self._failures < CHANCES:
            return
        self._failures = 0
        if good:
            self.knee = self.load
        else:
            self._ceiling = self.load
        self.load = self._next(self.load)

    def _next(self, load: float) -> float | None:
        if self._ceiling is None:
            return load * GROWTH if load * GROWTH <= MOST else None
        if not self.knee or self._halvings == HALVINGS:
            return None
        self._halvings += 1
        return sqrt(self.knee * self._ceiling)
