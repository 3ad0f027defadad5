"""Runs in the supervisor: jobs that go over a broker, to and fro.

    a copy is delivered -> Ask -> hub -> Run -> Claim for a worker
                                      -> Skip, Later: let go, put back
    an attempt has ended -> its next copy, confirmed -> word of it, confirmed -> the old copy let go

In this order nothing is lost, whoever dies between two steps: the old copy comes again, and by what the store
knows then it is worth nothing, or is the job. A connection may end under all of it. What runs goes on; the
new connection says to the hub what runs here; and of an attempt whose copy has gone with the old one, word is
enough.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import msgspec

from penstock import faultpoint
from penstock.errors import PenstockError, Unroutable
from penstock.rabbitmq import talk, topology
from penstock.rabbitmq.letters import Letter
from penstock.rabbitmq.message import Delivery
from penstock.rabbitmq.session import Session
from penstock.rabbitmq.talk import (
    Ask,
    End,
    Heard,
    Held,
    Hello,
    Later,
    Lost,
    RollCall,
    Run,
    Show,
    Skip,
    Standstill,
    Tell,
)
from penstock.rabbitmq.url import parse
from penstock.runtime.jobs.announcer import Announcer
from penstock.runtime.jobs.book import Close, Glance, Look, Pause, Request, Say, Wish
from penstock.runtime.jobs.employer import Employer
from penstock.runtime.jobs.intake import Copy, Intake
from penstock.runtime.jobs.logreader import LogReader
from penstock.runtime.jobs.postman import Postman
from penstock.runtime.jobs.settler import AGAIN, Hand, Settler
from penstock.tasks.job import Claim, new_id
from penstock.tasks.settle import Closing, Returned

ASKED_AGAIN = 10.0
"""Seconds after which the hub is asked again, or a job is begun without it where its group allows that."""
REMEMBERED = 20_000
"""Attempts that have ended here: a copy of theirs that comes late is let go without asking anybody."""
LAST = 10.0
"""Seconds at the end for what is still to be said."""


class Courier:
    """A ``keeper`` for a broker."""

    def __init__(self, employer: Employer, broker: str) -> None:
        """Nothing is reached before ``open``.

        Raises:
            UserError: ``broker`` is no address, or a group cannot be one there.
        """
        self._employer = employer
        self._url = parse(broker, where="the broker's address")
        first = min(employer.groups)
        id = new_id().replace("-", "")
        self._key = topology.worker_key(topology.check_group(first), id)
        self._inbox = topology.worker_inbox(first, id)
        self._host = socket.gethostname()
        self._intakes = {
            topology.check_group(group): Intake(
                group,
                slots,
                came=self._came,
                ask=self._asks,
                put_off=self._put_off,
                trouble=employer.on_trouble,
            )
            for group, slots in employer.groups.items()
        }
        self._hands: dict[str, Hand] = {}
        self._former: dict[str, int] = {}
        """The last attempt of a job that has ended here."""
        self._words: dict[str, list[Any]] = {}
        """For the hub, by group; gathered until what was said before is with the broker."""
        self._petitioning: set[str] = set()
        """Groups of which something is on its way to the hub."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_troubled = False
        name = f"penstock worker {self._host}"
        self._session = Session(self._url, name, begin=self._begin, lost=self._apart)
        self._announcer = Announcer(list(self._intakes), hello=self._hello, tell=self._tell)
        self._postman = Postman(self._session, employer.on_trouble)
        self._logs = LogReader(employer.home, goes_on=self._has_in_hand, report=self._postman.report)
        self._settler = Settler(
            self._hands,
            sender=self._key,
            host=self._host,
            home=employer.home,
            post=self._postman.post,
            report=self._postman.report,
            let_go=self._let_go,
        )

    async def open(self) -> None:
        """Connect, and begin.

        Raises:
            EnvironmentFault: the broker cannot be used.
        """
        await self._session.open()
        self._start(self._settler.work())
        self._start(self._ask_again())
        self._start(self._logs.sweep(self._employer.keeping))

    # What the supervisor wants ---------------------------------------------------------------------------

    def ask(self, request: Request) -> None:
        """Have it done, soon."""
        match request:
            case Wish(group):
                self._intakes[group].wish(request)
            case Close():
                self._settler.close(request)
            case Say(word):
                self._settler.say(word)
            case Pause(group, why, then):
                self._announcer.halt(group, why)
                asyncio.get_running_loop().call_soon(then, None)
            case Look(then):
                ending = [id for id, hand in self._hands.items() if hand.is_to_end]
                asyncio.get_running_loop().call_soon(then, Glance(ending, None, [], []))

    def hush(self, group: str) -> None:
        """No more of that group for now."""
        self._intakes[group].hush()

    async def close(self) -> None:
        """Finish what is asked for, and leave."""
        for intake in self._intakes.values():
            intake.hush()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST):
                await self._settler.through()
                await asyncio.gather(*(intake.close() for intake in self._intakes.values()))
        for task in self._tasks:
            task.cancel()
        await self._session.close()

    # The connection --------------------------------------------------------------------------------------

    async def _begin(self, session: Session) -> None:
        self._is_troubled = False
        for hand in self._hands.values():
            hand.copies.clear()
        channel = await session.channel()
        await channel.inbox(self._inbox)
        for key in (self._key, topology.ALL):
            await channel.bind(self._inbox, topology.CONTROL, key)
        await channel.consume(self._inbox, self._ordered, prefetch=0)
        self._announcer.greet()
        for intake in self._intakes.values():
            intake.begin(session)

    def _hello(self, group: str) -> Hello:
        holds = [(id, hand.claim.fence) for id, hand in self._hands.items() if hand.claim.group == group]
        known = self._employer.schedules
        schedules = None if known is None else [each for each in known if each.group == group]
        return Hello([group], holds, schedules, self._employer.gpus.get(group, 0))

    def _apart(self, why: str) -> None:
        if not self._is_troubled:
            self._is_troubled = True
            self._employer.on_trouble(f"the broker is away, and is looked for; what runs goes on: {why}")

    # Copies ----------------------------------------------------------------------------------------------

    def _came(self, copy: Copy) -> bool:
        """A copy was delivered: whether it has to be asked for."""
        id = copy.letter.job.id
        hand = self._hands.get(id)
        if hand is not None and copy.letter.after < hand.claim.fence:
            hand.keep(copy)  # the broker gives us again what we have, or has it twice
            return False
        if hand is not None:
            hand.followers.append(copy)  # the next attempt is here before the end of this one is told
            return False
        if copy.letter.after < self._former.get(id, 0):
            copy.settle()
            return False
        return True

    def _asks(self, copy: Copy) -> None:
        letter = copy.letter
        self._tell(letter.job.group, Ask(letter.job.id, letter.after, letter.failures, letter.preemptions))

    def _put_off(self, copy: Copy, pause: float) -> None:
        due = round((time.time() + pause) * 1000)
        self._start(self._pass_on(copy, msgspec.structs.replace(copy.letter, due=due)))

    async def _pass_on(self, copy: Copy, letter: Letter) -> None:
        while copy.is_here:
            try:
                await self._postman.post(letter)
                copy.settle()
                return
            except Unroutable:
                await asyncio.sleep(AGAIN)

    # The hub ---------------------------------------------------------------------------------------------

    def _tell(self, group: str, word: Any) -> None:
        """Say that to the hub, together with what else there is."""
        self._words.setdefault(group, []).append(word)
        if group not in self._petitioning:
            self._petitioning.add(group)
            self._start(self._petition(group))

    async def _petition(self, group: str) -> None:
        """One petition at a time: short jobs are asked for by the dozen while it is on its way, and each
        message costs here, there and in the hub what thirty words in one do."""
        try:
            while words := self._words.pop(group, None):
                petition = talk.encode(talk.Petition(self._key, words))
                with suppress(Unroutable):  # people know; what is asked is asked again
                    await self._postman.report(group, topology.CLAIM, petition)
        finally:
            self._petitioning.discard(group)

    async def _ask_again(self) -> None:
        while True:
            await asyncio.sleep(ASKED_AGAIN / 4)
            self._announcer.again(ASKED_AGAIN)
            for group, intake in self._intakes.items():
                late = [each for each in intake.asked.values() if _is_late(each)]
                for copy in late:
                    if group in self._employer.unfenced:
                        self._run_unfenced(intake, copy)
                    else:
                        copy.asked = time.monotonic()
                        self._asks(copy)

    def _ordered(self, delivery: Delivery) -> None:
        try:
            self._obey(talk.decode(delivery.message.body, talk.Orders))
        except Exception as error:
            self._employer.on_trouble(f"the hub has said what cannot be followed: {error}")

    def _obey(self, orders: talk.Orders) -> None:  # noqa: C901, PLR0912  one case for each word
        begun: dict[str, list[Claim]] = {}
        for word in orders.words:
            match word:
                case Run():
                    self._run(word, begun)
                case Skip(id, after):
                    if copy := self._passed_over(id, after):
                        copy.settle()
                case Later(id, after, seconds):
                    if copy := self._passed_over(id, after):
                        self._put_off(copy, seconds)
                case End(id, fence):
                    self._end(id, fence)
                case Held(id, fence):
                    self._deny(id, fence)
                case Heard():
                    self._announcer.heard(word)
                    self._settler.store = word.store or self._settler.store
                case Tell(id):
                    self._tell_all(id)
                case Show():
                    self._start(self._logs.show(word))
                case RollCall():
                    self._announcer.greet()
                case Standstill(groups):
                    for group, intake in self._intakes.items():
                        intake.pause(paused=group in groups)
        self._grant(begun)

    def _answered(self, id: str, after: int) -> Copy | None:
        found = (intake.answered(id, after) for intake in self._intakes.values())
        return next((copy for copy in found if copy is not None), None)

    def _passed_over(self, id: str, after: int) -> Copy | None:
        """That copy is not to be begun, if it is here still: there is room for another one."""
        copy = self._answered(id, after)
        if copy is not None:
            self._intakes[copy.letter.job.group].match()
        return copy

    def _run(self, order: Run, begun: dict[str, list[Claim]]) -> None:
        copy = self._answered(order.id, order.after)
        if copy is None:
            return  # the copy went with a connection: whoever gets it next asks again
        job = copy.letter.job
        claim = Claim(
            job.id,
            order.seq,
            job.group,
            job.task,
            order.fence,
            job.args,
            self._employer.home.depot.path(job.file, job.id) if job.file else "",
            job.rules,
            order.failures,
            order.preemptions,
            order.resume_uri,
            order.resume_step,
        )
        self._take_in_hand(claim, copy)
        begun.setdefault(job.group, []).append(claim)

    def _run_unfenced(self, intake: Intake, copy: Copy) -> None:
        """Nobody keeps the store, and the group does not wait for that. What the copy says must do."""
        letter = copy.letter
        order = Run(letter.job.id, letter.after, letter.after + 1, 0, letter.failures, letter.preemptions)
        begun: dict[str, list[Claim]] = {}
        resume = {"resume_uri": letter.resume_uri, "resume_step": letter.resume_step}
        self._run(msgspec.structs.replace(order, **resume), begun)
        self._grant(begun)

    def _take_in_hand(self, claim: Claim, copy: Copy) -> None:
        hand = self._hands[claim.id] = Hand(claim, copy.letter)
        hand.keep(copy)

    def _grant(self, begun: dict[str, list[Claim]]) -> None:
        if begun:
            faultpoint.reached("after_claim_before_start")
        for group, claims in begun.items():
            for claim in self._intakes[group].grant(claims):
                self._intakes[group].held += 1
                given_back = Closing(claim.id, claim.fence, Returned(begun=False))
                self._settler.close(Close(given_back, lambda _: None))
        if begun:
            self._employer.on_change()

    def _end(self, id: str, fence: int) -> None:
        hand = self._hands.get(id)
        if hand is not None and hand.claim.fence == fence:
            hand.is_to_end = True
            self._employer.on_change()

    def _tell_all(self, id: str) -> None:
        """What is known here of a job that the hub knows no more."""
        hand = self._hands.get(id)
        asked = (intake.asked.get(id) for intake in self._intakes.values())
        letters = [hand.letter] if hand else [copy.letter for copy in asked if copy is not None]
        for letter in letters:
            self._start(self._postman.give_back(letter))

    def _has_in_hand(self, id: str, fence: int) -> bool:
        hand = self._hands.get(id)
        return hand is not None and hand.claim.fence == fence

    def _deny(self, id: str, fence: int) -> None:
        if not self._has_in_hand(id, fence) and self._former.get(id) != fence:
            for group in self._intakes:
                self._tell(group, Lost(id, fence))

    def _let_go(self, hands: list[Hand]) -> None:
        """These have ended."""
        for hand in hands:
            self._former[hand.claim.id] = hand.claim.fence
            intake = self._intakes[hand.claim.group]
            intake.held -= 1
            for copy in hand.followers:
                intake.offer(copy)
        while len(self._former) > REMEMBERED:
            del self._former[next(iter(self._former))]
        for intake in self._intakes.values():
            intake.match()

    def _start(self, act: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(act)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, Unroutable):
            if not isinstance(error, PenstockError):
                raise error
            self._employer.on_trouble(str(error))


def _is_late(copy: Copy) -> bool:
    return time.monotonic() - copy.asked >= ASKED_AGAIN
