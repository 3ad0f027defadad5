"""Runs in the supervisor: what the hub must have heard, said again until it has.

Who runs which groups, with which schedules, and that a group is to stand still. There may be no hub for a
while, and what is said meanwhile does not last: by then it may be wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from penstock.rabbitmq.talk import Halt, Heard, Hello


class Announcer:
    """That of one courier."""

    def __init__(
        self,
        groups: Sequence[str],
        *,
        hello: Callable[[str], Hello],
        tell: Callable[[str, Any], None],
    ) -> None:
        """``hello``: what is to be said of a group now; ``tell`` says something to the hub."""
        self._groups = groups
        self._hello, self._tell = hello, tell
        self._greeted: dict[str, float] = {}
        """Groups of which the hub has not answered, and since when (monotonic)."""
        self._halted: dict[str, tuple[float, Halt]] = {}

    def greet(self) -> None:
        """We are here (again), or the hub is."""
        for group in self._groups:
            self._greeted[group] = time.monotonic()
            self._tell(group, self._hello(group))

    def halt(self, group: str, why: str) -> None:
        """Nothing more of that group is to be begun, by anybody."""
        word = Halt(group, why)
        self._halted[group] = (time.monotonic(), word)
        self._tell(group, word)

    def heard(self, answer: Heard) -> None:
        """The hub has written it down."""
        if answer.halt:
            self._halted.pop(answer.group, None)
        else:
            self._greeted.pop(answer.group, None)

    def again(self, after: float) -> None:
        """Say again what has not been answered for so many seconds."""
        now = time.monotonic()
        for group, since in list(self._greeted.items()):
            if now - since >= after:
                self._greeted[group] = now
                self._tell(group, self._hello(group))
        for group, (since, word) in list(self._halted.items()):
            if now - since >= after:
                self._halted[group] = (now, word)
                self._tell(group, word)
