"""The receiving end of a stage that takes its items in order: finishes early, settles late.

What cannot be begun yet is *finished* all the same: its credit goes back, for the item that has to come
first may stand behind a full window. And nothing is *settled* before all that precedes it (see
``settling``), so a death loses nothing. An item that fails when its turn has come is told of by FAULT: its
batch is finished, but not settled.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, List

from penstock.link.receiver import Inbound, Receiver
from penstock.message import envelope
from penstock.observe import page


class Holding(Receiver):
    """Nothing that came is settled before ``settle`` says so."""

    def __init__(self, **receiver: Any) -> None:
        super().__init__(**receiver)
        self.through: Deque[Inbound] = deque()
        """Everything in these is done, and what was made from it settled; to be looked at."""
        self.stuck = False
        """Nothing more will be done here with what is held."""

    def next(self) -> Any:
        """The next batch; it is held until ``settle``."""
        inbound = super().next()
        if inbound is not None:
            inbound.emitted += 1
        return inbound

    def settled(self, inbound: Inbound, count: int) -> None:
        """``count`` items made from a batch have been settled."""
        inbound.settled += count
        self._look(inbound)

    def end(self, inbound: Inbound) -> None:
        """All its items are done, or have failed."""
        inbound.ended = True
        self._look(inbound)

    def _look(self, inbound: Inbound) -> None:
        if inbound.ended and inbound.settled == inbound.emitted - 1:
            self.through.append(inbound)

    def settle(self, inbound: Inbound) -> None:
        """All that comes before it is settled, too."""
        self.unsettled -= 1
        if inbound.connection.open:
            inbound.connection.settles.append(inbound.number)

    def fault(self, inbound: Inbound, failures: List[envelope.Failure]) -> None:
        """These items have failed after their batch was finished."""
        self._words[inbound.connection.word + page.DONE] -= len(failures)
        if inbound.connection.open:
            inbound.connection.say(envelope.Fault(inbound.number, failures))

    @property
    def leaving(self) -> bool:
        """Whether, after ``leave``, nothing more comes."""
        return self._leaving and self.parted and not self.queued

    @property
    def left(self) -> bool:
        """Whether, after ``leave``, nothing more is to be done here."""
        return self.leaving and (self.stuck or not self.unsettled)
