"""In the worker of a window or a join: what went out together, until that is settled."""

from __future__ import annotations

from typing import List

from penstock.link.receiver import Inbound, Receiver


class Group:
    """What went out together: the parent of one item, as far as links are concerned."""

    __slots__ = ("emitted", "inbounds", "settled")

    def __init__(self, inbounds: List[Inbound]) -> None:
        self.inbounds = inbounds
        self.emitted = 0
        self.settled = 0


class Groups:
    """Tells the senders that what went out together is settled. With the worker's lock held."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def settled(self, group: Group, count: int) -> None:
        """``count`` items made of it are settled."""
        group.settled += count
        if group.settled == group.emitted:
            for inbound in group.inbounds:
                self._receiver.settled(inbound, 1)
