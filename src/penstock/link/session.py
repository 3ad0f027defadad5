"""A conversation that outlives its connections. A decision module: no sockets, no clock.

Between hosts a connection may break, and what was on its way is gone: in either direction, and neither end
knows how much. So each end numbers what it says, and keeps it until the other has heard it. Whoever connects
says on each new connection up to where it has heard (RESUME); the other says again what is missing, and up to
where it has heard itself. What comes twice, or before what is missing, is passed over. So everything
is heard once, in order, and the link above knows of no cut: nothing is settled twice, and nothing is lost.

(Without this, a receiver would have to be asked what it holds, what it has finished and what it
has said of that, for each kind of message and each state of a batch.)
"""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, List, Tuple

from penstock.errors import PeerError


class Session:
    """One end of it."""

    def __init__(self) -> None:
        self.said = 0
        """The number of the last message that was said."""
        self.heard = 0
        """That of the last one that was heard, as were all before it."""
        self._kept: Deque[Tuple[int, Any]] = deque()

    def say(self, message: Any) -> int:
        """The number that ``message`` has; it is kept until the other end has heard it."""
        self.said += 1
        self._kept.append((self.said, message))
        return self.said

    def hear(self, number: int, heard: int) -> bool:
        """A message has come, from somebody who has heard all up to ``heard``: whether it is the next one.

        Raises:
            PeerError: that was never said.
        """
        self.heard_up_to(heard)
        if number != self.heard + 1:
            return False
        self.heard = number
        return True

    def heard_up_to(self, number: int) -> None:
        """The other end has heard so much, and will not ask for it again.

        Raises:
            PeerError: that was never said.
        """
        if number > self.said:
            raise PeerError(f"word {number} was heard, of {self.said} that were said")
        while self._kept and self._kept[0][0] <= number:
            self._kept.popleft()

    def missing(self) -> List[Tuple[int, Any]]:
        """What is to be said again on a new connection, with its numbers."""
        return list(self._kept)
