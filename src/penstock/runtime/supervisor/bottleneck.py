"""Which stage the others wait for, and why, in one sentence. A decision module: numbers in, words out.

Busy and waiting for room are apart, so the answer is in the numbers: what stands before the bottleneck waits
for room, what stands behind it is idle, and the bottleneck is busy. Where nobody is busy and nobody waits,
the source makes items slowly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from penstock.pipeline.plan import GROUP, SERVICE

BUSY = 0.7
"""From here on a stage has hardly time left."""
FELT = 0.1
"""Waiting or being busy for a smaller part of the time is not worth a word."""
FULL = 0.9
"""Of the machine's cores in use: another process would only take from its neighbours."""


class Load(NamedTuple):
    """How the replicas of a stage spend their time, each part a mean of those that are ready."""

    name: str
    kind: str
    """``source``, ``stage`` or ``sink``."""
    asked: int
    """Replicas."""
    busy: float
    waiting: float
    rate: float
    """Items a second, all of them together."""
    feeds: tuple[str, ...] = ()
    """The stages behind it."""


class Machine(NamedTuple):
    """How busy it is with this run."""

    cores: int
    used: float
    """Cores that the run's processes use: 1.5 is one and a half."""

    @property
    def full(self) -> bool:
        """Whether another process would find no core to run on."""
        return self.used >= FULL * self.cores


class Bottleneck(NamedTuple):
    """The answer."""

    stage: str
    sentence: str


def find(loads: Sequence[Load], machine: Machine) -> Bottleneck | None:
    """The stage that sets the pace; None where nothing flows, or nobody keeps anybody waiting."""
    loads = [load for load in loads if load.kind not in {GROUP, SERVICE}]  # nobody waits for those
    working = [load for load in loads if load.kind != "source"]
    busiest = max(working, key=lambda load: load.busy, default=None)
    if busiest is not None and busiest.busy >= BUSY:
        return Bottleneck(busiest.name, _busy(busiest, loads, machine))
    sources = [load for load in loads if load.kind == "source" and load.rate > 0]
    slowest = min(sources, key=lambda load: load.waiting, default=None)
    if busiest is None or slowest is None:
        return None
    if slowest.waiting < FELT:
        return Bottleneck(slowest.name, _source(slowest, busiest))
    if busiest.busy >= FELT:
        return Bottleneck(busiest.name, _busy(busiest, loads, machine))
    return None


def vacant(stage: str, items: int) -> Bottleneck:
    """An external stage that no script has taken."""
    return Bottleneck(stage, f"{stage} is the bottleneck: {_wait(items)} until a script is attached to it")


def paused(stage: str, items: int) -> Bottleneck:
    """A stage that begins nothing for now, as somebody has wished."""
    return Bottleneck(stage, f"{stage} is paused: {_wait(items)} until `penstock resume {stage}`")


def _wait(items: int) -> str:
    return "1 item waits" if items == 1 else f"{items:,} items wait"


def _busy(load: Load, loads: Iterable[Load], machine: Machine) -> str:
    parts = [f"{load.name} is the bottleneck: {_percent(load.busy)} busy"]
    held_up = [other for other in loads if load.name in other.feeds and other.waiting >= FELT]
    if held_up:
        parts.append(
            ", ".join(f"{each.name} waits for it {_percent(each.waiting)} of its time" for each in held_up)
        )
    return "; ".join([*parts, _advice(load, machine)])


def _advice(load: Load, machine: Machine) -> str:
    if machine.full:
        cores = f"{machine.used:.1f} of {machine.cores} cores are in use"
        return f"{cores}, so it needs less work an item, or another machine, rather than more replicas"
    return f"try `penstock scale {load.name}={load.asked + 1}`"


def _source(load: Load, busiest: Load) -> str:
    others = f"the busiest of the others, {busiest.name}, is busy {_percent(busiest.busy)} of its time"
    return (
        f"{load.name} is the bottleneck: it hardly ever waits, and {others}; move work from it into a stage"
    )


def _percent(part: float) -> str:
    return f"{part * 100:.0f} %"
