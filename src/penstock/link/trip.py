"""How long a word takes to another host and back. A decision module: no sockets, no clock.

One word at a time is timed, from when it is said until something says that it was heard. That may be long
after it came, where there was nothing else to say; so the shortest of these times is believed.
"""

from __future__ import annotations


class Trip:
    """Of one receiver."""

    __slots__ = ("_number", "_since", "least")

    def __init__(self) -> None:
        self.least = 0.0
        """Seconds of the shortest so far on this connection; 0: not known."""
        self._number = 0
        self._since = 0.0

    def said(self, number: int, now: float) -> None:
        """A word goes out under that number."""
        if not self._number:
            self._number, self._since = number, now

    def heard(self, number: int, now: float) -> None:
        """The other end has heard all up to that one."""
        if 0 < self._number <= number:
            took = max(1e-9, now - self._since)
            self.least = min(self.least or took, took)
            self._number = 0

    def renew(self) -> None:
        """There is a new connection, which may go another way."""
        self.least, self._number = 0.0, 0
