"""A case: one thing people do, how we do it, how the peers do it, and what has to come out.

Pure declarations; ``cases/`` fills them in, ``suite`` runs them, ``result`` judges them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from penstock.bench.stand import Reading, Stand

Runner = Callable[[Stand], Reading]
"""One run in fresh processes; what it measured, by name."""

Better = Literal["more", "less"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One line of the report: a number of ours, beside that of a peer or beside a fixed target."""

    unit: str
    reading: str = "rate"
    """Which number of a reading."""
    better: Better = "more"
    peers: tuple[str, ...] = ()
    """Names of peers, of which the best counts; empty: the target is a number in ``unit``."""
    target: float
    """With peers: the least ratio (above 1 is better for us). Without: the least or the most, in ``unit``."""

    beside: tuple[str, ...] = ()
    """What else is told: each is the reading ``<reading> <name>``, and no target is set for it."""
    steps: str = ""
    """Of a ramp: the reading that has its steps."""

    @property
    def peer_name(self) -> str | None:
        """What the report calls the peer: the same in every run, whichever of several was the best."""
        if not self.peers:
            return None
        return self.peers[0] if len(self.peers) == 1 else f"the best of {', '.join(self.peers)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case of the benchmark."""

    name: str
    about: str
    """One line for people."""
    ours: Runner
    peers: Mapping[str, Runner] = field(default_factory=dict)
    """By the name the report gives them."""
    measures: tuple[Measure, ...]
