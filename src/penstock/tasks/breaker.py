"""Whether a group is to pause, because whatever it runs kills its worker. A decision module.

One job that crashes again and again is that job's affair: it ends in the dead letters. When several
different ones in a row kill their workers, something else is wrong (a driver, a library, the machine), and
to go on would only spend all their attempts.
"""

from __future__ import annotations

from typing import Tuple

import msgspec

LIMIT = 5
"""So many different jobs in a row."""


class Breaker(msgspec.Struct, frozen=True):
    """What a group has lately come to."""

    killers: Tuple[str, ...] = ()
    """The jobs that have killed their workers since one has not, each once."""

    def killed(self, job: str) -> Breaker:
        """That job has killed its worker."""
        return self if job in self.killers else Breaker((*self.killers, job))

    def survived(self) -> Breaker:
        """A job was run to an end, good or bad, and its worker lives."""
        return Breaker() if self.killers else self

    @property
    def is_open(self) -> bool:
        """Whether nothing more is to be begun until somebody has looked."""
        return len(self.killers) >= LIMIT

    @property
    def why(self) -> str:
        """In words for people."""
        return f"{len(self.killers)} different jobs in a row have killed their workers"
