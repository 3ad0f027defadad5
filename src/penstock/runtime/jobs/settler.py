"""Runs in the supervisor: how jobs get on that came over a broker, and what becomes of them.

All that has ended since the last time is one batch, and each step is done for all of it before the next: the
copies of what is to be tried again, word to the hub, the old copies. What the broker has no queue for at the
moment steps aside, and comes again with a later batch.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import msgspec

from penstock import faultpoint
from penstock.errors import Unroutable, UserError
from penstock.rabbitmq import talk
from penstock.rabbitmq.letters import Letter
from penstock.rabbitmq.talk import Ending, Report, Saying
from penstock.runtime.jobs.book import Close
from penstock.runtime.jobs.closing import Settled, parts, prepared, waits_for_disk
from penstock.runtime.jobs.intake import Copy
from penstock.tasks.home import Home
from penstock.tasks.job import Claim
from penstock.tasks.settle import Again, Closing, Standing, verdict
from penstock.tasks.store import Word

SAID = 0.25
"""Seconds between two reports of how far jobs are."""
AGAIN = 1.0
"""Seconds before something is said again for which there was no queue."""


class Hand:
    """An attempt that runs here."""

    def __init__(self, claim: Claim, letter: Letter) -> None:
        self.claim = claim
        self.letter = letter
        self.copies: list[Copy] = []
        """What is let go when it has ended: usually one; none, if the connection by which it came is no
        more."""
        self.followers: list[Copy] = []
        """Copies for its next attempt that have come already."""
        self.is_to_end = False

    def keep(self, copy: Copy) -> None:
        """A copy of what runs here. One that the broker has besides would keep others away for as long."""
        if any(each.is_here for each in self.copies):
            copy.settle()
        else:
            self.copies.append(copy)


class Verdict(NamedTuple):
    """What is asked for, and what becomes of the job."""

    request: Close
    settled: Settled


class Settler:
    """That of one courier."""

    def __init__(
        self,
        hands: dict[str, Hand],
        *,
        sender: str,
        host: str,
        home: Home,
        post: Callable[[Letter], Awaitable[None]],
        report: Callable[[str, str, bytes], Awaitable[None]],
        let_go: Callable[[list[Hand]], None],
    ) -> None:
        """``hands``: what runs here, by the ids of the jobs. ``post`` publishes a copy; ``report`` tells the
        hub something of a group; ``let_go`` is told what has ended, when all of that is said."""
        self._hands = hands
        self._sender, self._host, self._home = sender, host, home
        self._post, self._report, self._let_go = post, report, let_go
        self.store = ""
        """The id of the hub's, once that has said it."""
        self._closings: list[Close] = []
        self._aside: list[Verdict] = []
        """Of these the broker has not taken all."""
        self._sayings: dict[str, Saying] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._stir = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def close(self, request: Close) -> None:
        """An attempt has ended."""
        self._closings.append(request)
        self._wake()

    def say(self, word: Word) -> None:
        """One is so far, or has saved something."""
        hand = self._hands.get(word.id)
        if hand is None:
            return
        said = Saying(
            word.id, word.fence, word.progress, dict(word.numbers), word.resume_uri, word.resume_step
        )
        self._sayings[word.id] = _together(self._sayings.get(word.id), said)
        if word.resume_uri:
            saved = {"resume_uri": word.resume_uri, "resume_step": word.resume_step}
            hand.letter = msgspec.structs.replace(hand.letter, **saved)
        self._wake_in(SAID)

    async def through(self) -> None:
        """Until nothing is left to be said that the broker would take."""
        await self._idle.wait()

    async def work(self) -> None:
        """For as long as there is a connection, or one may come back."""
        while True:
            await self._stir.wait()
            self._stir.clear()
            closings, self._closings = self._closings, []
            aside, self._aside = self._aside, []
            await self._tell_sayings()
            if closings or aside:
                await self._settle([*aside, *await self._decided(closings)])
            if not self._closings:
                self._idle.set()

    def _wake(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._idle.clear()
        self._stir.set()

    def _wake_in(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._wake)

    async def _tell_sayings(self) -> None:
        """What is saved must not be lost; how far somebody is may be, and is said again soon."""
        sayings, self._sayings = self._sayings, {}
        by_key: dict[tuple[str, str], list[Saying]] = {}
        for each in sayings.values():
            hand = self._hands.get(each.id)
            if hand is not None:
                kind = talk.CHECKPOINT if each.resume_uri else talk.PROGRESS
                by_key.setdefault((hand.claim.group, kind), []).append(each)
        for (group, kind), words in by_key.items():
            try:
                await self._report(group, kind, talk.encode(Report(self._sender, [*words])))
            except Unroutable:
                if kind == talk.CHECKPOINT:
                    self._keep(words)  # else nobody keeps the store at the moment

    def _keep(self, sayings: Sequence[Saying]) -> None:
        """They are to be said again."""
        for each in sayings:
            newer = self._sayings.get(each.id)
            self._sayings[each.id] = _together(each, newer) if newer else each
        self._wake_in(AGAIN)

    async def _decided(self, closings: Sequence[Close]) -> list[Verdict]:
        """What becomes of these."""
        ready = [each.closing for each in closings]
        if any(map(waits_for_disk, ready)):
            ready = await asyncio.get_running_loop().run_in_executor(
                None, lambda: [prepared(each.closing, self._home, self.store) for each in closings]
            )
        faultpoint.reached("after_run_before_copy")
        return [Verdict(*each) for each in zip(closings, map(self._decide, ready), strict=True)]

    async def _settle(self, verdicts: Sequence[Verdict]) -> None:
        """The ends of some attempts."""
        is_copied = await self._are_copied([each.settled.copy for each in verdicts])
        copied = [
            Verdict(request, settled._replace(copy=None))  # what steps aside now has been copied
            for request, settled in self._only(verdicts, is_copied)
        ]
        faultpoint.reached("after_copy_before_word")
        by_group: dict[str, list[Ending]] = {}
        for each in copied:
            by_group.setdefault(each.settled.group, []).append(each.settled.ending)
        groups = list(by_group)
        is_told = await asyncio.gather(*(self._is_told(group, by_group[group]) for group in groups))
        told_groups = dict(zip(groups, is_told, strict=True))
        told = self._only(copied, [told_groups[each.settled.group] for each in copied])
        faultpoint.reached("after_word_before_ack")
        hands = [self._hands.pop(each.settled.ending.id) for each in told]
        for hand in hands:
            for copy in hand.copies:
                copy.settle()
        self._let_go(hands)
        for each in told:
            each.request.then(each.settled.state)

    def _only(self, verdicts: Sequence[Verdict], taken: Sequence[bool]) -> list[Verdict]:
        """Those that the broker has taken; the others step aside."""
        if not all(taken):
            self._aside += [each for each, is_taken in zip(verdicts, taken, strict=True) if not is_taken]
            self._wake_in(AGAIN)
        return [each for each, is_taken in zip(verdicts, taken, strict=True) if is_taken]

    async def _are_copied(self, copies: Sequence[Letter | None]) -> list[bool]:
        """Where there is nothing to copy, that is so."""
        needed = [copy for copy in copies if copy is not None]
        taken = iter(await asyncio.gather(*map(self._is_copied, needed)))
        return [copy is None or next(taken) for copy in copies]

    async def _is_copied(self, copy: Letter) -> bool:
        try:
            await self._post(copy)
        except UserError:  # there is no queue for it; or it cannot be written, and the others go on
            return False
        return True

    async def _is_told(self, group: str, endings: Sequence[Ending]) -> bool:
        reports = (talk.encode(Report(self._sender, [*part])) for part in parts(endings))
        try:
            await asyncio.gather(*(self._report(group, talk.SETTLED, each) for each in reports))
        except Unroutable:
            return False
        return True

    def _decide(self, ended: Closing) -> Settled:
        """What becomes of the job."""
        hand = self._hands[ended.id]
        claim = hand.claim
        standing = Standing(claim.failures, claim.preemptions, hand.is_to_end, claim.rules)
        decided = verdict(standing, ended.outcome, random.random())  # noqa: S311
        log = f"{self._host}:{ended.log}" if ended.log else ""
        where = f"{ended.worker}@{self._host}" if ended.worker else ""
        ending = Ending(ended.id, ended.fence, ended.outcome, 0, where, ended.pid, log, ended.tail, ended.env)
        if not isinstance(decided, Again):
            return Settled(claim.group, ending, None, decided.state)
        due = round((time.time() + decided.after) * 1000) if decided.after > 0 else 0
        copy = msgspec.structs.replace(
            hand.letter,
            after=claim.fence,
            failures=decided.failures,
            preemptions=decided.preemptions,
            due=due,
        )
        state = "scheduled" if due else "ready"
        return Settled(claim.group, msgspec.structs.replace(ending, due=due), copy, state)


def _together(before: Saying | None, word: Saying) -> Saying:
    """The newer of each, where both say something."""
    if before is None:
        return word
    return Saying(
        word.id,
        word.fence,
        before.progress if word.progress is None else word.progress,
        word.numbers or before.numbers,
        word.resume_uri or before.resume_uri,
        word.resume_step if word.resume_uri else before.resume_step,
    )
