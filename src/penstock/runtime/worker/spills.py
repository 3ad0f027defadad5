"""In the worker: arrays that found no room in shared memory, and went by socket instead."""

from __future__ import annotations

from typing import Any, Callable, Dict

from penstock.link.link import Link
from penstock.message.arena import Arena
from penstock.observe import page
from penstock.runtime.control import Assignment

OFTEN = 16
"""So many are worth a word, one now and then is not."""


class Spills:
    """Counts them, and tells people once: or who keeps the memory from having room."""

    def __init__(
        self,
        arena: Arena,
        links: Dict[int, Link],
        assignment: Assignment,
        *,
        words: Any,
        notice: Callable[[str, str], None],
    ) -> None:
        self._arena = arena
        self._links = links
        self._assignment = assignment
        self._words = words
        self._notice = notice
        self._told_who_holds = False

    def count(self, count: int) -> None:
        """There were ``count`` of them so far."""
        self._words[page.SPILLED] = count
        if count & (count - 1):
            return  # who holds what changes slowly: a look at the 1st, 2nd, 4th, 8th ... is enough
        held = self._arena.held()
        label, size = self._assignment.label, self._assignment.arena_bytes >> 20
        slower = "arrays without room go by socket: slower, and nothing is lost"
        if held and not self._told_who_holds:
            self._told_who_holds = True
            most = max(held, key=held.__getitem__)
            stage = next((link.target for link in self._links.values() if most in link.credit), "a receiver")
            keeps = "passes on arrays that are kept" if most in self._arena.passers else "keeps arrays"
            what = f"{stage} {keeps}, {held[most] >> 20} of the {size} MiB of shared memory of {label}"
            self._notice("kept", f"{what}; {slower}. To keep an array for long, keep a copy")
        elif count == OFTEN and not held:
            often = f"{label}: its {size} MiB of shared memory are often in use"
            self._notice("pool", f"{often}; {slower}")
