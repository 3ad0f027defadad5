"""One wire, as it was written: what a graph is made of."""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple

from penstock.pipeline.plan import By, OnFull


class Choice(NamedTuple):
    """Each value goes to one of these, and ``by`` says to which."""

    by: By
    targets: Tuple[str, ...]
    """Names of stages, in the order they were written."""


class Edge(NamedTuple):
    """What leaves ``port`` of ``source`` arrives at ``target``."""

    source: str
    target: str
    port: str = ""
    where: str = ""
    """``file:line`` of the wiring."""
    choice: Optional[Choice] = None
    """``None``: it is a copy. Else ``target`` is one of the choice's targets."""
    on_full: Optional[OnFull] = None
    """``None``: as the target says."""
    side: int = 0
    """Into a join: which of its flows it belongs to, from 0."""

    @property
    def ends(self) -> Tuple[str, str, str]:
        """What makes it another edge than others."""
        return self.source, self.port, self.target
