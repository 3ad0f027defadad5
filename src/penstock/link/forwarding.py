"""The receiving end of a stage between a source and one that takes its items in order: passed ids go on."""

from __future__ import annotations

from typing import Any, Callable, Optional

from penstock.link.receiver import Inbound, Receiver


class Forwarding(Receiver):
    """What never came goes on at once; what came is worked on as ever."""

    forward: Callable[[Inbound], None]
    """Says further down what a batch of passed ids says; set once user code is loaded."""

    def next(self) -> Optional[Inbound]:
        """The next batch of items."""
        while True:
            inbound: Any = super().next()
            if inbound is None or inbound.passed is None:
                return inbound  # type: ignore[no-any-return]
            self.forward(inbound)
            inbound.finished = True
            self.settled(inbound, 0)
