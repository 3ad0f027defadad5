"""Runs in the supervisor: how jobs get on that came over a broker, and what becomes of them.

All that has ended since the last time is one batch, and each step is done for all of it before the next: the
copies of what is to be tried again, word to the hub, the old copies.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from penstock import faultpoint
from penstock.errors import Unroutable
from penstock.rabbitmq import talk
from penstock.rabbitmq.letters import Letter
from penstock.rabbitmq.talk import Ending, Report, Saying
from penstock.runtime.book import Close
from penstock.runtime.closing import Settled, parts, prepared
from penstock.runtime.intake import Copy
from penstock.tasks.home import Home
from penstock.tasks.job import Claim
from penstock.tasks.settle import Again, Standing, verdict
from penstock.tasks.store import Closing, Word

SAID = 0.25
"""Seconds between two reports of how far jobs are."""


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
        self._closings: list[Close] = []
        self._sayings: dict[str, Saying] = {}
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
        before = self._sayings.get(word.id, Saying(word.id, word.fence))
        self._sayings[word.id] = Saying(
            word.id,
            word.fence,
            before.progress if word.progress is None else word.progress,
            dict(word.numbers) or before.numbers,
            word.resume_uri or before.resume_uri,
            word.resume_step if word.resume_uri else before.resume_step,
        )
        if word.resume_uri:
            saved = {"resume_uri": word.resume_uri, "resume_step": word.resume_step}
            hand.letter = msgspec.structs.replace(hand.letter, **saved)
        if self._idle.is_set():
            asyncio.get_running_loop().call_later(SAID, self._wake)

    async def through(self) -> None:
        """Until nothing is left to be said."""
        await self._idle.wait()

    async def work(self) -> None:
        """For as long as there is a connection, or one may come back."""
        while True:
            await self._stir.wait()
            self._stir.clear()
            closings, self._closings = self._closings, []
            await self._tell_sayings()
            if closings:
                await self._settle(closings)
            if not self._closings:
                self._idle.set()

    def _wake(self) -> None:
        self._idle.clear()
        self._stir.set()

    async def _tell_sayings(self) -> None:
        """What is saved must not be lost; how far somebody is may be, and is said again soon."""
        sayings, self._sayings = self._sayings, {}
        by_key: dict[tuple[str, str], list[Saying | Ending]] = {}
        for each in sayings.values():
            hand = self._hands.get(each.id)
            if hand is not None:
                kind = talk.CHECKPOINT if each.resume_uri else talk.PROGRESS
                by_key.setdefault((hand.claim.group, kind), []).append(each)
        for (group, kind), words in by_key.items():
            try:
                await self._report(group, kind, talk.encode(Report(self._sender, words)))
            except Unroutable:
                pass  # nobody keeps the store at the moment

    async def _settle(self, closings: Sequence[Close]) -> None:
        """The ends of some attempts."""
        ready = await asyncio.get_running_loop().run_in_executor(
            None, lambda: [prepared(each.closing, self._home) for each in closings]
        )
        faultpoint.reached("after_run_before_copy")
        settled = [self._decide(each) for each in ready]
        await asyncio.gather(*(self._post(each.copy) for each in settled if each.copy is not None))
        faultpoint.reached("after_copy_before_word")
        by_group: dict[str, list[Ending]] = {}
        for each in settled:
            by_group.setdefault(each.group, []).append(each.ending)
        reports = [
            self._report(group, talk.SETTLED, talk.encode(Report(self._sender, [*part])))
            for group, endings in by_group.items()
            for part in parts(endings)
        ]
        await asyncio.gather(*reports)
        faultpoint.reached("after_word_before_ack")
        hands = [self._hands.pop(each.ending.id) for each in settled]
        for hand in hands:
            for copy in hand.copies:
                copy.settle()
        self._let_go(hands)
        for request, each in zip(closings, settled, strict=True):
            request.then(each.state)

    def _decide(self, ended: Closing) -> Settled:
        """What becomes of the job."""
        hand = self._hands[ended.id]
        claim = hand.claim
        standing = Standing(claim.failures, claim.preemptions, hand.is_to_end, claim.rules)
        decided = verdict(standing, ended.outcome, random.random())  # noqa: S311
        log = f"{self._host}:{ended.log}" if ended.log else ""
        where = f"{ended.worker}@{self._host}" if ended.worker else ""
        ending = Ending(ended.id, ended.fence, ended.outcome, 0, where, ended.pid, log, ended.tail)
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
