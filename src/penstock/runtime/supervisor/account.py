"""The ledger of a run: per link, what became of every item, at any time. A decision module: no I/O.

    sent = settled + dropped + dead + in flight + given back + unfinished + lost

Each sender counts on its status page. While it lives, what is neither settled, dropped nor dead is in
flight. When it has ended, that rest has a name: *given back* where the owners of what it was made from
deliver again, *unfinished* where nobody will in this run (the sender was a source, or told to stop), and
*lost* where the sender said that it had finished: there it must be 0, and anything else is a fault of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from penstock.observe import page
from penstock.pipeline.plan import LinkPlan, Plan, inlinks, outlets
from penstock.runtime.policy.action import Remains


class LinkCount(msgspec.Struct):
    """What became of the items of one link."""

    sent: int = 0
    """Items that wait no longer: they went out (further deliveries of the same one are ``again``), or were
    dropped, or nobody will send them any more (``unfinished``)."""
    settled: int = 0
    """Everything made from them is through."""
    dead: int = 0
    """Kept as dead letters."""
    dropped_full: int = 0
    """Dropped because their link was full, and may drop: ``on_full``."""
    dropped_too_old: int = 0
    """Dropped because they had outlived the ``max_age`` of their stage."""
    in_flight: int = 0
    given_back: int = 0
    unfinished: int = 0
    lost: int = 0
    again: int = 0
    """Deliveries beyond an item's first."""
    requeued: int = 0
    """Dead letters that were put back, and so were sent once more: part of ``sent``."""
    returning: int = 0
    """Of these, what is in flight."""
    duplicates: int = 0
    """Items that came again to a sink that remembers (``dedupe=``), and were settled without a call."""
    waiting: int = 0
    """Made, and not sent for want of credit."""
    held: int = 0
    """With receivers, not finished yet."""
    unmatched: int = 0
    """Those that a join has found no partner for: settled, and nothing was made of them. It says so when
    that is certain; if it is killed before their senders know, they come again, and may be counted again."""
    senders_lost: int = 0
    """Workers that went with their host. What they did in their last moments nobody has heard, so in
    ``sent`` and ``settled`` it is missing. (Whose items these were made from gave them to others, and the
    totals are right.)"""
    bytes: int = 0
    shared: int = 0
    """Of ``bytes``, what lay in shared memory."""

    def add(self, other: LinkCount) -> None:
        """Add ``other``, number by number."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Totals(NamedTuple):
    """The last line of a run; how it is counted is said at ``total``."""

    entered: int = 0
    """Items that sources have sent."""
    through: int = 0
    in_flight: int = 0
    unfinished: int = 0
    lost: int = 0
    dead: int = 0
    dropped_full: int = 0
    dropped_too_old: int = 0


class Reading(NamedTuple):
    """One worker's page, as numbers."""

    stage: str
    links: Sequence[Sequence[int]]
    """Its out-links, then its in-links, as its assignment lists them."""


class Account:
    """Counts of those that have ended, kept; counts of the living, added when asked."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.kept: dict[int, LinkCount] = {}
        """By link."""

    def keep(self, reading: Reading, remains: Remains, *, unheard: bool = False) -> None:
        """A worker has ended: these were its last numbers. ``unheard``: that we know of."""
        name = {Remains.NONE: "lost", Remains.GIVEN_BACK: "given_back", Remains.UNFINISHED: "unfinished"}[
            remains
        ]
        for link, count in self._sent(reading).items():
            take_back_returning(count)
            if remains is Remains.UNFINISHED:
                count.sent += count.waiting
                count.in_flight += count.waiting
            rest, count.in_flight, count.waiting = count.in_flight, 0, 0
            setattr(count, name, rest)
            count.senders_lost = int(unheard)
            self._add(self.kept, link, count)
        for link, count in self._received(reading).items():
            self._add(self.kept, link, LinkCount(unmatched=count.unmatched, duplicates=count.duplicates))

    def balance(self, living: Iterable[Reading]) -> dict[int, LinkCount]:
        """Every link's count now."""
        found = {link.id: LinkCount() for link in self.plan.links}
        for link, count in self.kept.items():
            self._add(found, link, count)
        for reading in living:
            for counts in (self._sent(reading), self._received(reading)):
                for link, count in counts.items():
                    self._add(found, link, count)
        return found

    def out_ids(self, stage: str) -> list[int]:
        """The links that ``stage`` feeds, in the order of its page."""
        return [link.id for outlet in outlets(self.plan, stage) for link in outlet.links]

    def _sent(self, reading: Reading) -> dict[int, LinkCount]:
        return dict(zip(self.out_ids(reading.stage), map(out_count, reading.links), strict=False))

    def _received(self, reading: Reading) -> dict[int, LinkCount]:
        behind = reading.links[len(self.out_ids(reading.stage)) :]
        fed = [link.id for link in inlinks(self.plan, reading.stage)]
        return {link: in_count(words) for link, words in zip(fed, behind, strict=False)}

    @staticmethod
    def _add(counts: dict[int, LinkCount], link: int, count: LinkCount) -> None:
        counts.setdefault(link, LinkCount()).add(count)


def out_count(words: Sequence[int]) -> LinkCount:
    """What one sender's page says of a link."""
    sent, settled, dead = words[page.SENT], words[page.SETTLED], words[page.DEAD]
    full, too_old = words[page.DROPPED_FULL], words[page.DROPPED_TOO_OLD]
    return LinkCount(
        sent=sent,
        settled=settled,
        dead=dead,
        dropped_full=full,
        dropped_too_old=too_old,
        in_flight=sent - settled - dead - full - too_old,
        again=words[page.AGAIN],
        requeued=words[page.REQUEUED],
        returning=words[page.RETURNING],
        waiting=words[page.WAITING],
        bytes=words[page.SENT_BYTES],
        shared=words[page.SHARED_BYTES],
    )


def take_back_returning(count: LinkCount) -> None:
    """Its sender has ended. The letters that it had put back and not seen through are files still: they count
    with whoever sends them next, in this run or another."""
    back, count.returning = count.returning, 0
    count.sent -= back
    count.requeued -= back
    count.in_flight -= back


def in_count(words: Sequence[int]) -> LinkCount:
    """What one receiver's page says of a link."""
    held, unmatched, doubles = words[page.HELD], words[page.UNMATCHED], words[page.DUPLICATES]
    return LinkCount(held=held, unmatched=unmatched, duplicates=doubles)


def total(plan: Plan, counts: dict[int, LinkCount]) -> Totals:
    """The run in one line: entered = through + in flight + unfinished + lost + dead + dropped.

    What enters is counted at the sources; where a source copies to several links, once. A dead letter that is
    put back enters once more, wherever it does. Settling is end to
    end, so what is settled there is through, less the items that were dropped further down, or for which a
    letter was written there.
    So it adds up while one item stays one. (A link with twice as many items as entered carries parts of
    items: a dead part is no dead item, and a dropped one no dropped item.) What a worker had dropped comes
    again if it dies before its inputs are settled, and may be dropped again; but no more than came through
    the source's links can have been dropped behind them.
    """
    ours = {stage.name for stage in plan.stages if stage.kind == "source"}
    first = LinkCount()
    for stage in ours:
        for outlet in outlets(plan, stage):
            group = [counts[link.id] for link in outlet.links]
            first.add(group_count(group, copied=outlet.by is None))
    behind = [counts[link.id] for link in plan.links if link.source not in ours]
    entered = first.sent - first.given_back
    whole = [count for count in behind if _is_whole(count, entered)]
    back, returning = sum(count.requeued for count in whole), sum(count.returning for count in whole)
    alive = max(0, first.settled + back - returning - sum(count.dead for count in whole))
    full = min(alive, sum(count.dropped_full for count in whole))
    too_old = min(alive - full, sum(count.dropped_too_old for count in whole))
    return Totals(
        entered=entered + back,
        through=alive - full - too_old,
        in_flight=first.in_flight + returning,
        unfinished=first.unfinished,
        lost=sum(count.lost for count in counts.values()),
        dead=sum(count.dead for count in counts.values()),
        dropped_full=first.dropped_full + full,
        dropped_too_old=first.dropped_too_old + too_old,
    )


def _is_whole(count: LinkCount, entered: int) -> bool:
    """Whether what a link carries are items as they entered, and not parts of them."""
    made = count.sent - count.given_back - count.requeued
    return made < 2 * entered or not made


def group_count(group: Sequence[LinkCount], *, copied: bool) -> LinkCount:
    """Several links that leave one outlet as one: of copies the slowest tells, of a route all add up."""
    found = LinkCount()
    if copied:
        return min(group, key=lambda count: count.settled + count.returning - count.requeued, default=found)
    for count in group:
        found.add(count)
    return found


def items_for(plan: Plan, counts: Mapping[int, LinkCount], stage: str) -> int:
    """What the feeders of a stage have for it that is not done."""
    into = (counts[link.id] for link in plan.links if link.target == stage)
    return sum(count.in_flight + count.waiting for count in into)


def rows(plan: Plan, counts: dict[int, LinkCount]) -> list[dict[str, object]]:
    """The ledger as plain data, a row a link."""
    return [_row(link, counts[link.id]) for link in plan.links]


def _row(link: LinkPlan, count: LinkCount) -> dict[str, object]:
    return {"link": link.label, "source": link.source, "target": link.target, **msgspec.structs.asdict(count)}
