"""Runs in the supervisor: items of durable queues for the sources that draw from them.

A worker has no store. So its supervisor claims the items of a queue, as it claims jobs, hands them over by
the control line, and closes each when the worker says that all is settled that was made of it:

    Wish -> Claim -> Given to a worker -> into its links ... settled -> Told -> Close (done)
                                       -> cannot be read here         -> Told -> Close (failed)
                                       -> drain                       -> Told -> Close (given back)
                                       -> death                               -> Close (given back)

A source's worker runs no user code, and what it has sent fails at the stages it goes to, with their
``max_failures``: so its death is no failure of the items it had.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from penstock.observe import events
from penstock.runtime.jobs.book import Close, Request, Wish
from penstock.runtime.policy.roster import Goal
from penstock.runtime.queuewire import Given, Piece, Told, Unfit
from penstock.runtime.supervisor.crew import Member
from penstock.runtime.supervisor.supervisor import Supervisor
from penstock.tasks.job import Claim
from penstock.tasks.settle import Closing, Done, Failed, Outcome, Returned

MOST = 512
"""Items that one worker has in hand: more than a commit's worth, and no more to give back than a worker of
the next run is through with in a moment."""
FEW = MOST // 4
"""For fewer than these nobody asks the store, while some are in hand."""
HEAVY = 4 << 20
"""Bytes of items in one message."""


class Feed:
    """What one worker has in hand."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.held: dict[int, Claim] = {}
        self._number = 0

    def give(self, claims: list[Claim]) -> None:
        """Hand these over."""
        pieces: list[Piece] = []
        size = 0
        for claim in claims:
            self._number += 1
            self.held[self._number] = claim
            pieces.append(Piece(self._number, claim.seq, claim.id, claim.args, claim.args_path))
            size += len(claim.args)
            if size >= HEAVY:
                self.member.line.send(Given(pieces))
                pieces, size = [], 0
        if pieces:
            self.member.line.send(Given(pieces))


class Feeds:
    """Those of one run."""

    def __init__(self, supervisor: Supervisor) -> None:
        """Nothing happens before ``start``."""
        self._supervisor = supervisor
        self._ask: Callable[[Request], None]
        self._queues: Mapping[str, str] = supervisor.plan.queues
        self.queues = {
            stage.queue: stage.replicas for stage in supervisor.plan.stages if stage.name in self._queues
        }
        """Those that are drawn from, each with by how many workers."""
        self._feeds: dict[int, Feed] = {}
        self._wished: Counter[str] = Counter()
        self._is_dry = dict.fromkeys(self._queues, False)
        """The last time there was less than was wished for: until somebody rings, there is no more."""
        self._closed = False

    def start(self, ask: Callable[[Request], None]) -> None:
        """Begin. ``ask``: has something done in the store."""
        self._ask = ask
        if self._queues:
            self._supervisor.listeners.append(self._on_event)

    def close(self) -> None:
        """Give back what is in hand."""
        self._closed = True
        for number in list(self._feeds):
            self.died(number)

    def look(self) -> None:
        """There may be more than there was."""
        for source in self._queues:
            self._is_dry[source] = False
            self._wish(source)

    def heard(self, number: int, told: Told) -> None:
        """A worker says what became of some."""
        feed = self._feeds.get(number)
        if feed is None:
            return
        for outcome, each in _outcomes(told):
            claim = feed.held.pop(each, None)
            if claim is not None:
                self._close(feed, claim, outcome)
        self._wish(feed.member.stage)

    def died(self, number: int) -> None:
        """A worker has ended."""
        feed = self._feeds.pop(number, None)
        if feed is not None:
            for claim in feed.held.values():
                self._close(feed, claim, Returned("its worker has ended", begun=False))

    def _on_event(self, event: events.Event) -> None:
        if isinstance(event, events.WorkerReady) and event.stage in self._queues:
            self._feeds[event.number] = Feed(self._supervisor.crew[event.number])
            self._wish(event.stage)
        elif isinstance(event, events.StageResumed) and event.stage in self._queues:
            self._wish(event.stage)

    def _wish(self, source: str) -> None:
        """Ask for as many items as there is room for, unless that is too little to be worth it."""
        if self._closed or self._is_dry[source]:
            return
        feeds = list(self._of(source))
        missing = sum(map(self._room, feeds)) - self._wished[source]
        if missing >= FEW or (missing > 0 and not any(feed.held for feed in feeds)):
            self._wished[source] += missing
            self._ask(Wish(self._queues[source], missing, 0, self._claimed(source, missing)))

    def _claimed(self, source: str, wished: int) -> Callable[[list[Claim]], None]:
        def hand(claims: list[Claim]) -> None:
            self._wished[source] -= wished
            self._is_dry[source] = len(claims) < wished
            self._hand(source, claims)
            self._wish(source)

        return hand

    def _hand(self, source: str, claims: list[Claim]) -> None:
        """To those who have the most room; what nobody may have any more goes back."""
        for feed in sorted(self._of(source), key=self._room, reverse=True):
            room = self._room(feed)
            feed.give(claims[:room])
            claims = claims[room:]
        for claim in claims:
            self._close(None, claim, Returned(begun=False))

    def _of(self, source: str) -> Iterator[Feed]:
        return (feed for feed in self._feeds.values() if feed.member.stage == source)

    def _room(self, feed: Feed) -> int:
        """How many more items it may have."""
        roster = self._supervisor.roster
        worker = roster.workers.get(feed.member.number)
        told = roster.goal if worker is None else max(worker.told, roster.goal)
        if roster.stages[feed.member.stage].paused or told > Goal.WORK:
            return 0
        return MOST - len(feed.held)

    def _close(self, feed: Feed | None, claim: Claim, outcome: Outcome) -> None:
        label = f"{feed.member.stage}/{feed.member.replica}" if feed else ""
        closing = Closing(claim.id, claim.fence, outcome, worker=label, pid=_pid(feed))
        self._ask(Close(closing, lambda state: self._closed_as(feed, claim, outcome, state)))

    def _closed_as(self, feed: Feed | None, claim: Claim, outcome: Outcome, state: str | None) -> None:
        if isinstance(outcome, Failed) and feed is not None:
            kind = "dead" if state == "dead" else "failure"
            text = f"{claim.group}: item {claim.seq}: {outcome.error}"
            member = feed.member
            self._supervisor.report(
                events.Noticed(
                    stage=member.stage,
                    replica=member.replica,
                    number=member.number,
                    kind=kind,
                    text=text,
                    fields={},
                )
            )


def _pid(feed: Feed | None) -> Any:
    return feed.member.child.pid if feed else 0


def _outcomes(told: Told) -> Iterator[tuple[Outcome, int]]:
    for number in told.through:
        yield Done(), number
    for unfit in told.unfit:
        yield _failure(unfit), unfit.number
    for number in told.back:
        yield Returned(begun=False), number


def _failure(unfit: Unfit) -> Failed:
    cause = "unusable" if unfit.is_unusable else "error"
    return Failed(cause, unfit.error, unfit.kinds, unfit.traceback)  # type: ignore[arg-type]
