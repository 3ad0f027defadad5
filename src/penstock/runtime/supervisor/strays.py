"""Runs in the supervisor: dead letters that were put back, and that nobody in this run can send.

A letter goes back by the link it came by. Wired or fused otherwise, a run may have no such link: then it
would wait for ever, and nobody would see it. So it is a dead letter again, and that is said. (It is not sent
by the link that looks most like the old one: what comes by that may be of another shape.)
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import PenstockError
from penstock.message import letter
from penstock.observe.events import LettersStranded
from penstock.pipeline.plan import Plan
from penstock.runtime import control
from penstock.runtime.policy.roster import Goal

if TYPE_CHECKING:
    from penstock.runtime.supervisor.supervisor import Supervisor


def keep(state: str, plan: Plan) -> list[LettersStranded]:
    """Make dead letters again of those that were put back to links that ``plan`` does not have; how many, by
    link."""
    links = {link.label for link in plan.links}
    kept: Counter[str] = Counter()
    for path, found in _returning(Path(state, "dead")):
        if found.pipeline == plan.pipeline and found.link not in links:
            kept[found.link] += _keep(path)
    return [LettersStranded(link=link, count=count) for link, count in sorted(kept.items()) if count]


def _returning(folder: Path) -> Iterator[tuple[Path, letter.Letter]]:
    for path in letter.list_requeued(folder):
        try:
            yield path, letter.read(path)
        except (PenstockError, OSError):
            continue  # it is over, or cannot be read: the worker that would take it says so


def _keep(path: Path) -> bool:
    """Whether it was still there to be kept. One that another run has out stays as it is."""
    fd = letter.claim(path)
    if fd is None:
        return False
    try:
        letter.keep(path)
    except FileNotFoundError:
        return False
    finally:
        os.close(fd)
    return True


def requeue(supervisor: Supervisor, links: Collection[int]) -> list[int]:
    """Dead letters were put back: have those look for them who feed these links; the links that somebody
    feeds now, or will in this run."""
    for member in supervisor.crew.values():
        if not set(links).isdisjoint(supervisor.account.out_ids(member.stage)):
            member.line.send(control.Requeue())
    if supervisor.hosts is not None:
        supervisor.hosts.lend()
    mine = (link for link in supervisor.plan.links if link.id in links)
    return [link.id for link in mine if _works(supervisor, link.source)]


def _works(supervisor: Supervisor, stage: str) -> bool:
    """Whether it begins something new in this run, now or when it is there again."""
    roster = supervisor.roster
    waits = any(name == stage and seat.due is not None for (name, _), seat in roster.seats.items())
    working = (one for one in roster.members(stage) if one.takes)
    dry = {"draining", "finished"}
    return roster.goal == Goal.WORK and (
        waits or any(supervisor.crew[one.number].state not in dry for one in working)
    )
