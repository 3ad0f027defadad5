"""A rehearsal whose workers let turns go by, and of whom some are killed: as the dice of a seed say.

Who is killed waits (for an item, for room, for a coroutine that sleeps), or is a sink that has done an item
of which nobody has heard yet. What a ``kill -9`` leaves of a worker is what it had sent; nothing comes after.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from penstock import Pipeline
from penstock.message import envelope
from penstock.runtime import control
from penstock.runtime.worker.channel import SupervisorLost
from penstock.testing import rehearsal
from penstock.testing.wires import Router

CHANCE = 0.03
"""That somebody whose turn it is is killed instead."""


@dataclass
class Fate:
    """What the dice say, and what came of it."""

    seed: int
    kills: int = 0
    """How many are killed at most."""
    cuts: list[int] = field(default_factory=list)
    """How many items the sink had had at each of its deaths."""

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def skips(self) -> bool:
        """Whether the next one lets its turn go by."""
        return self._dice.random() > 0.7

    def strikes(self) -> bool:
        """Whether the next one dies now."""
        strikes = self.kills > 0 and self._dice.random() < CHANCE
        self.kills -= strikes
        return strikes


class Tape(list[Any]):
    """What a sink has taken; to write it down may be the last thing it does."""

    def __init__(self, dies: Callable[[], bool]) -> None:
        super().__init__()
        self._dies = dies

    def extend(self, items: Iterable[Any]) -> None:
        """These it has taken."""
        super().extend(items)
        if self._dies():
            raise SupervisorLost


class Deadly(rehearsal.Rehearsal):
    """One run in which some die. Sources live: one that begins anew makes other items."""

    fate: Fate

    def __init__(self, *plan: Any, **place: Any) -> None:
        super().__init__(*plan, **place)
        self._dying: set[int] = set()
        for name in self._script.taken:
            self._script.taken[name] = Tape(lambda name=name: self._dies(name))  # type: ignore[misc]

    def _dies(self, sink: str) -> bool:
        """Whether a sink dies of what it has just done. (An async one dies while it waits.)"""
        (part,) = [each for each in self._parts if each.assignment.stage == sink]
        dies = not sink.endswith("async") and self.fate.strikes()
        if dies:
            self._dying.add(part.assignment.number)
        return dies

    def _go(self, part: Any) -> None:
        # As a real supervisor, it has all meet before the first item is made.
        together = all(each.bound for each in self._parts)
        if together and part.assignment.kind != "source" and self.fate.strikes():
            self._cut_off(part)
            part.seat.abandon()
            self._replace(part)
        elif not together or not self.fate.skips():
            super()._go(part)

    def _cut_off(self, part: Any) -> None:
        """Nothing that it says from now on is heard."""
        number = part.assignment.number
        self._wires.router(f"ipc://{control.paths(self._folder, number)[0]}").peers.clear()
        names = {envelope.identity(number, link.id) for link in self._plan.links}
        for router in list(self._wires._routers.values()):
            for name in names & router.peers.keys():
                router.peers[name]._router = Router()

    def _tell_of(self, gone: Any) -> None:
        if gone.assignment.number in self._dying:
            self._replace(gone)
        else:
            super()._tell_of(gone)

    def _replace(self, dead: Any) -> None:
        """The others hear of its death, and another sits down in its place."""
        old = dead.assignment
        taken = self._script.taken.get(old.stage)
        if taken is not None:
            self.fate.cuts.append(len(taken))
        self._parts.remove(dead)
        for part in self._parts:
            if not part.over:
                part.seat.mailbox.append(control.Gone(old.number, old.label, "killed (SIGKILL)"))
        number = 1 + max(old.number, *(part.assignment.number for part in self._parts))
        successor = self._part(self._plan.stage(old.stage), old.replica, number)
        self._parts.append(successor)
        if old.stage in self._drained:
            successor.seat.mailbox.append(control.Drain())


def play(flow: Any, items: dict[str, Any], sink: str, fate: Fate) -> list[list[Any]]:
    """What ``sink`` gets, by its lives."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Deadly, "fate", fate, raising=False)
        patch.setattr(rehearsal, "Rehearsal", Deadly)
        found = Pipeline("demo", flow).test(items).sinks[sink]
    ends = [*fate.cuts, len(found)]
    return [list(found[begin:end]) for begin, end in zip([0, *ends], ends, strict=False)]
