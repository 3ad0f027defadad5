"""How much shared memory the workers of a run may use. A decision module: sizes in, sizes out.

Half of what is free at the start, shared by the workers that send: the other half is for other runs, and for
replicas that come later. Each block is reserved before it is used, so this bounds and does not occupy.
"""

from __future__ import annotations

from typing import NamedTuple

LOW = 256 * 2**20
"""Bytes below which people are told: a few batches of images fill it. Containers get 64 MB by default."""


class Budget(NamedTuple):
    """Shared memory for all workers of a run together."""

    total: int
    """Bytes."""

    @classmethod
    def of(cls, free: int, chosen: int | None) -> Budget:
        """What was ``chosen``, or half of what is ``free``."""
        return cls(free // 2 if chosen is None else min(chosen, free))

    def share(self, senders: int) -> int:
        """For one of so many workers that send: whole pages of 4 KiB."""
        return self.total // max(1, senders) // 4096 * 4096


def is_low(free: int) -> bool:
    """Whether so few bytes are worth a warning."""
    return free < LOW
