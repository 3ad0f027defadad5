"""The end of an attempt, as it is written down."""

from __future__ import annotations

from typing import NamedTuple

from penstock.tasks.settle import Outcome


class Closing(NamedTuple):
    """The end of an attempt, to be written down."""

    id: str
    fence: int
    outcome: Outcome
    worker: str = ""
    pid: int = 0
    log: str = ""
    tail: str = ""
    due: int = 0
    """When the next attempt may begin (ms since 1970), as who ran this one has decided; 0: nobody has."""
    wrote: bool = True
    """It may have made its own directory."""
    env: str = ""
    """The hash of the environment that it ran in, if its group has named one."""
