"""In whoever calls services: one of them."""

from __future__ import annotations

from collections import deque
from typing import Deque, Dict, Optional

from penstock.link.picker import Picker
from penstock.runtime.calls.directory import Seat
from penstock.runtime.calls.pending import Pending


class Desk:
    """One service, as this process knows it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.picker = Picker()
        self.waiting: Deque[Pending] = deque()
        """Calls for which no replica has room."""
        self.max_failures = 0
        self.unmet: Dict[int, Seat] = {}
        """Replicas that are there, by number; but we had no descriptor for them, or they no room."""
        self.fault: Optional[OSError] = None
        """Why, of the last of them."""
