"""Runs in the hub: one transaction of its registrar, from what came to what is to be said."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from penstock.errors import EnvironmentFault
from penstock.rabbitmq import answers, asks, letters, talk
from penstock.rabbitmq.letters import Letter, Unreadable
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.talk import (
    Ask,
    End,
    Ending,
    Halt,
    Heard,
    Hello,
    Later,
    Lost,
    Petition,
    Run,
    Saying,
    Skip,
    Tell,
)
from penstock.rabbitmq.topology import CONTROL, GROUP, LATER
from penstock.tasks import steering, timetable, transit
from penstock.tasks.admission import Elsewhere, Over, Pending, Unknown
from penstock.tasks.schema import attempting
from penstock.tasks.settle import Closing
from penstock.tasks.store import Word
from penstock.tasks.transit import Accepted, Outgoing, Transit

Kind = Literal["submitted", "report", "dead", "petition", "ask", "log"]
ORDER: tuple[Kind, ...] = ("submitted", "report", "dead", "petition", "ask", "log")
DISK = (sqlite3.OperationalError, OSError)
"""What is nobody's fault who has sent something: it may work a moment later."""
ORDERS = "penstock.orders/1"
PARKED = 1000
"""Milliseconds for which a claim waits for other words."""
UNKNOWN = 10.0
"""Seconds before a copy of a job that nobody has heard of is looked at again."""
SOON = 1.0
"""Seconds before one is looked at again of which the supervisor says what he knows."""
GIVEN_UP = "the broker has delivered it too often without hearing what became of it"


class Parcel(NamedTuple):
    """What came."""

    kind: Kind
    key: str
    message: Message

    @property
    def group(self) -> str:
        """Whose it is: the broker has seen to it that nobody else can say so."""
        return (
            self.key.rpartition(".")[2] if self.kind in {"submitted", "dead"} else self.key.partition(".")[0]
        )


class Post(NamedTuple):
    """What is to be published."""

    exchange: str
    key: str
    message: Message
    job: str = ""
    """The job of the outbox that it is."""
    otherwise: Post | None = None
    """What is published instead where nobody takes it."""


class Contested(NamedTuple):
    """A copy of a job of which somebody else has the last attempt, if he is still there."""

    group: str
    sender: str
    ask: Ask
    fence: int
    owner: str

    @property
    def is_next(self) -> bool:
        """That attempt must have ended, as this copy follows it; and word of that has not come."""
        return self.ask.after >= self.fence


class Parked(NamedTuple):
    """A claim that waits for other words to come first."""

    since: int
    group: str
    sender: str
    ask: Ask


class Turn:
    """One transaction, from what came to what goes."""

    def __init__(self, transit: Transit, now: int, *, recovers: bool = False) -> None:
        """``recovers``: jobs that are not known were known once."""
        self._transit = transit
        self._recovers = recovers
        self._store = transit.store
        self.now = now
        self.touched: set[str] = set()
        self.orders: dict[str, list[Any]] = {}
        self.posts: list[Post] = []
        self.contested: list[Contested] = []
        self.parked: list[Parked] = []
        """Claims that are to be looked at again once there is news of their jobs."""
        self.greeted = False
        self.steered = False
        """Whether a client has changed anything."""

    def order(self, to: str, word: Any) -> None:
        """Say that to a supervisor."""
        self.orders.setdefault(to, []).append(word)

    def take(self, parcels: Sequence[Parcel], lost: Sequence[Contested], *, apart: bool) -> None:
        """All that came. ``apart``: each by itself, and what raises anything is refused."""
        for kind in ORDER:
            found = [each for each in parcels if each.kind == kind]
            if kind == "petition":
                self.lost(lost)
            if not apart:
                self._act(kind, found)
            for each in found if apart else ():
                self._join(self._alone(each))

    def _act(self, kind: Kind, parcels: Sequence[Parcel]) -> None:
        acts: dict[Kind, Callable[[Sequence[Parcel]], None]] = {
            "submitted": self.submitted,
            "report": self.reported,
            "dead": self.given_up,
            "petition": self.petitioned,
            "ask": self.asked,
            "log": self.shown,
        }
        acts[kind](parcels)

    def _alone(self, parcel: Parcel) -> Turn:
        turn = Turn(self._transit, self.now, recovers=self._recovers)
        try:
            with attempting(self._store.db):
                turn._act(parcel.kind, [parcel])
        except DISK:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the next try would raise it again
            turn = Turn(self._transit, self.now)
            turn._refuse(parcel, ascii(error))
        return turn

    def _refuse(self, parcel: Parcel, why: str) -> None:
        if parcel.kind == "ask":
            fault = EnvironmentFault(f"the hub cannot do that: {why}")
            message = parcel.message
            self.posts.append(_answer(message.reply_to, message.correlation, asks.reply_to(error=fault)))
        elif parcel.kind not in {"petition", "log"}:  # these carry no job
            self._bury(parcel, why)

    def _join(self, part: Turn) -> None:
        self.touched |= part.touched
        for to, words in part.orders.items():
            self.orders.setdefault(to, []).extend(words)
        self.posts += part.posts
        self.contested += part.contested
        self.parked += part.parked
        self.greeted |= part.greeted
        self.steered |= part.steered

    # Submissions -----------------------------------------------------------------------------------------

    def submitted(self, parcels: Sequence[Parcel]) -> None:
        """Jobs that are new, or come twice."""
        accepted = []
        for parcel in parcels:
            letter = self._opened(parcel)
            if letter is not None:
                self.touched.add(letter.job.id)
                accepted.append(Accepted(letter.job, not parcel.key.startswith(f"{LATER}.")))
        if accepted:
            self._reports(self._transit.accept(accepted, trusting=self._recovers))

    def _opened(self, parcel: Parcel) -> Letter | None:
        try:
            return letters.opened(parcel.message, parcel.key)
        except Unreadable as error:
            self._bury(parcel, str(error))
            return None

    def _bury(self, parcel: Parcel, why: str) -> None:
        self._transit.bury(transit.Letter(parcel.group, parcel.message.body, f"a message was no job: {why}"))

    # What became of attempts -----------------------------------------------------------------------------

    def reported(self, parcels: Sequence[Parcel]) -> None:
        """How far attempts are, and how they ended."""
        for parcel in parcels:
            if parcel.key.endswith(f".{talk.RETURNED}"):
                self._restore(parcel)
                continue
            try:
                self._report(parcel.group, talk.decode(parcel.message.body, talk.Report))
            except Unreadable as error:
                self._bury(parcel, str(error))

    def _report(self, group: str, report: talk.Report) -> None:
        for word in report.words:
            self.touched.add(word.id)
            if isinstance(word, Ending):
                self._ended(group, report.sender, word)
            else:
                self._said(group, report.sender, word)

    def _restore(self, parcel: Parcel) -> None:
        if self._recovers:
            letter = letters.opened(parcel.message, parcel.group)
            standing = (letter.after, letter.failures, letter.preemptions, letter.resume_uri)
            self._reports(
                self._transit.restore(
                    Outgoing(letter.job, letter.submitted_at, *standing, letter.resume_step)
                )
            )

    def _reports(self, early: Sequence[bytes]) -> None:
        """What was said of jobs before they were known."""
        for body in early:
            group, _, report = body.partition(b"\0")
            self._report(group.decode(), talk.decode(report, talk.Report))

    def _ended(self, group: str, sender: str, word: Ending) -> None:
        closing = Closing(
            word.id,
            word.fence,
            word.outcome,
            word.worker,
            word.pid,
            word.log,
            word.tail,
            word.due,
            env=word.env,
        )
        try:
            self._transit.record(group, closing)
        except KeyError:
            early = talk.encode(talk.Report(sender, [word]))
            self._transit.keep_early(word.id, word.fence, group.encode() + b"\0" + early)

    def _said(self, group: str, sender: str, word: Saying) -> None:
        place = self._transit.place(word.id)
        if place is None or place.group != group:
            return
        noted = Word(word.id, word.fence, word.progress, word.numbers, word.resume_uri, word.resume_step)
        if self._store.note([noted]):
            self.order(sender, End(word.id, word.fence))

    # What the broker gave up -----------------------------------------------------------------------------

    def given_up(self, parcels: Sequence[Parcel]) -> None:
        """Copies that nobody could read, or that were delivered too often."""
        for parcel in parcels:
            letter = self._opened(parcel)
            if letter is not None:
                self.touched.add(letter.job.id)
                self._transit.come_back(letter.job, letter.after, GIVEN_UP)

    def lost(self, contested: Sequence[Contested]) -> None:
        """Who ran these is gone."""
        for each in contested:
            self._fail(each.ask.id, each.fence, "its supervisor was killed, or cut off")
            self._claimed(each.group, each.sender, each.ask)

    def _fail(self, id: str, fence: int, why: str) -> None:
        """The next attempt is published from here: of the copies that there are each follows another one, and
        whoever has one may die before he could put it right."""
        self.touched.add(id)
        due = self._transit.fail(id, fence, why)
        if due is not None:
            self._transit.post(id, due)

    # Claims ----------------------------------------------------------------------------------------------

    def petitioned(self, parcels: Sequence[Parcel]) -> None:
        """What supervisors want."""
        for parcel in parcels:
            try:
                petition = talk.decode(parcel.message.body, Petition)
            except Unreadable:
                continue  # it carries no job: who has sent it keeps what it is about
            if not GROUP.fullmatch(parcel.group):
                continue  # an account that may say anything has said it: no group is called so
            for word in petition.words:
                self._petition(parcel.group, petition.sender, word)

    def _petition(self, group: str, sender: str, word: Any) -> None:
        match word:
            case Ask():
                self._claimed(group, sender, word)
            case Hello(_, holds, schedules, gpus):
                self.greeted = True
                steering.equip(self._store, group, gpus)
                if schedules is not None:
                    mine = [each for each in schedules if each.group == group]
                    timetable.declare(self._store, [group], mine, self.now)
                for id, fence in holds:
                    self._hold(group, sender, id, fence)
                self.order(sender, Heard(group, store=self._store.id))
            case Lost(id, fence):
                place = self._transit.place(id)
                if place is not None and place.owner == sender:
                    self._fail(id, fence, "its supervisor has lost it")
            case Halt(_, why):
                self._store.pause(group, why)
                self.greeted = True
                self.order(sender, Heard(group, halt=True))

    def _hold(self, group: str, sender: str, id: str, fence: int) -> None:
        """They were apart, and it runs there: still, or another has taken its place."""
        place = self._transit.place(id)
        if place is None and self._recovers:
            self.order(sender, Tell(id))
        if place is None or place.group != group or self._store.is_running(id, fence):
            return
        if fence > place.fence and place.state in {"ready", "scheduled"}:
            self._transit.take(group, id, fence - 1, sender)
        else:
            self.order(sender, End(id, fence))

    def _claimed(self, group: str, sender: str, ask: Ask) -> None:
        decided, claim = self._transit.take(group, ask.id, ask.after, sender)
        if claim is not None:
            standing = (claim.failures, claim.preemptions, claim.resume_uri, claim.resume_step)
            self.order(sender, Run(claim.id, ask.after, claim.fence, claim.seq, *standing))
        elif isinstance(decided, Over):
            self.order(sender, Skip(ask.id, ask.after, decided.why))
        elif isinstance(decided, Elsewhere):
            self.contested.append(Contested(group, sender, ask, decided.fence, decided.owner))
        elif isinstance(decided, (Pending, Unknown)):
            self.parked.append(Parked(self.now, group, sender, ask))

    def unpark(self, claims: Sequence[Parked]) -> None:
        """Look again at these. What is not known now is looked for, or put off."""
        for since, group, sender, ask in claims:
            decided, _ = self._transit.take(group, ask.id, ask.after, sender)
            if self.now - since < PARKED or not isinstance(decided, (Pending, Unknown)):
                self._claimed(group, sender, ask)
            elif isinstance(decided, Pending):
                self.contested.append(Contested(group, sender, ask, decided.fence, decided.owner))
            elif self._recovers:
                self.order(sender, Tell(ask.id))
                self.order(sender, Later(ask.id, ask.after, SOON))
            else:
                self.order(sender, Later(ask.id, ask.after, UNKNOWN))

    # Questions -------------------------------------------------------------------------------------------

    def asked(self, parcels: Sequence[Parcel]) -> None:
        """What clients want to know, or to have done."""
        for _, _, message in parcels:
            if message.reply_to.startswith("reply."):
                answered = answers.answer(self._store, message.body)
                self.steered |= answered.changed
                answer = _answer(message.reply_to, message.correlation, answered.body)
                self.posts.append(_passed_on(answered.passed, answer) if answered.passed else answer)

    def shown(self, parcels: Sequence[Parcel]) -> None:
        """What supervisors have read in logs, for who has asked."""
        for parcel in parcels:
            with suppress(Unreadable):  # whoever has asked asks again
                said = talk.decode(parcel.message.body, talk.Shown)
                reply_to, _, correlation = said.question.partition(" ")
                if reply_to.startswith("reply."):
                    self.posts.append(_answer(reply_to, correlation, asks.reply_to(said.piece)))


def _answer(reply_to: str, correlation: str, body: bytes) -> Post:
    return Post(CONTROL, reply_to, Message(type=asks.ANSWER_TYPE, body=body, correlation=correlation))


def _passed_on(passed: answers.Passed, answer: Post) -> Post:
    """The question to who can answer it; ``answer``: if he is gone."""
    question = f"{answer.key} {answer.message.correlation}"
    show = talk.Show(question, passed.group, passed.id, passed.fence, passed.begin)
    order = Message(type=ORDERS, body=talk.encode(talk.Orders([show])))
    return Post(CONTROL, passed.supervisor, order, otherwise=answer)
