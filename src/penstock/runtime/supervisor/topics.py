"""Runs in the supervisor: who publishes, who subscribes, and what became of all that was published.

It introduces them to each other, as policy does with links; what is published goes from process to process.
Whoever does either from outside (``penstock topic``, a notebook) has a line on ``control.sock`` for as long:
its end is seen by the kernel, however it comes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from penstock.observe import tally
from penstock.observe.events import Event, WorkerDied, WorkerEnded, WorkerReady
from penstock.observe.tally import Row, Tally
from penstock.runtime import control
from penstock.runtime.control import Hearer
from penstock.runtime.supervisor.assignment import hearers
from penstock.runtime.supervisor.crew import Member

if TYPE_CHECKING:
    from penstock.runtime.supervisor.supervisor import Supervisor

Tell = Callable[[dict[str, Any]], None]

_NAMES = {
    "offered": tally.OFFERED,
    "delivered": tally.DELIVERED,
    "full": tally.FULL,
    "replaced": tally.REPLACED,
    "gone": tally.GONE,
    "unsure": tally.UNSURE,
}


class Speaker(NamedTuple):
    """One who publishes."""

    number: int
    """In the run; of somebody outside, below 0."""
    label: str
    endpoint: str
    tell: Tell | None = None
    """To somebody outside."""


class Topics:
    """Those of one run."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._speakers: dict[int, Speaker] = {}
        self._listeners: dict[str, tuple[Hearer, Tell]] = {}
        """Outside, by name."""
        self._kept: dict[tuple[str, str], list[int]] = {}
        """Rows of those who have ended, by subscriber and topic."""
        supervisor.listeners.append(self._on_event)
        self._ears = {stage.name for stage in supervisor.plan.stages if stage.ear is not None}

    def _on_event(self, event: Event) -> None:
        """A worker is there, or is no more: that is told while it still has its place in the crew."""
        if isinstance(event, (WorkerReady, WorkerDied, WorkerEnded)):
            member = self._supervisor.crew.get(event.number)
            if member is not None:
                (self._welcome if isinstance(event, WorkerReady) else self._gone)(member)

    # Of the run ------------------------------------------------------------------------------------------

    def begin(self, member: Member) -> None:
        """A worker publishes."""
        path, _ = control.topic_paths(self._supervisor.run_dir.path, member.number)
        self._introduce(Speaker(member.number, f"{member.stage}/{member.replica}", f"ipc://{path}"))

    def _welcome(self, member: Member) -> None:
        """A worker is there: a subscriber is told of all who publish."""
        if member.stage in self._ears:
            for speaker in self._speakers.values():
                self._tell_of(speaker, member)

    def _gone(self, member: Member) -> None:
        """A worker has ended."""
        if member.number in self._speakers:
            self._end(member.number, member.number)
        if member.stage in self._ears:
            roster, seat = self._supervisor.roster, (member.stage, member.replica)
            empty = roster.seats.get(seat)
            sits = any(one.seat == seat for one in roster.workers.values())
            name = f"{member.stage}/{member.replica}"
            again = sits or (empty is not None and empty.due is not None)
            self._deafen(control.Deaf(name, f"{name}#{member.number}", again))

    def _introduce(self, speaker: Speaker) -> None:
        self._speakers[speaker.number] = speaker
        for member in self._supervisor.crew.values():
            if member.stage in self._ears:
                self._tell_of(speaker, member)
        for _, tell in self._listeners.values():
            tell({"hear": _said(speaker)})

    def _tell_of(self, speaker: Speaker, member: Member) -> None:
        if speaker.number != member.number:  # who publishes and subscribes does not talk to itself
            member.line.send(control.Hear(speaker.number, speaker.label, speaker.endpoint))

    def _end(self, number: int, name: object) -> None:
        """It publishes no more: what its tally says is kept."""
        del self._speakers[number]
        for row in self._read(name):
            self._keep(row)
        for member in self._supervisor.crew.values():
            if member.stage in self._ears:
                member.line.send(control.Mute(number))
        for _, tell in self._listeners.values():
            tell({"mute": number})

    def _deafen(self, word: control.Deaf) -> None:
        for speaker in self._speakers.values():
            if speaker.tell is None:
                self._supervisor.send(speaker.number, word)
            else:
                speaker.tell({"deaf": msgspec.structs.asdict(word)})

    # Outside ---------------------------------------------------------------------------------------------

    def listen(self, hearer: Hearer, tell: Tell) -> tuple[str, list[dict[str, Any]]]:
        """Somebody outside subscribes: what it is called, and who publishes; ``tell`` of those who come."""
        name = next(found for n in count() if (found := f"outside/{n}") not in self._listeners)
        self._listeners[name] = hearer, tell
        return name, [_said(speaker) for speaker in self._speakers.values()]

    def leave(self, name: str) -> None:
        """It has hung up."""
        del self._listeners[name]
        self._deafen(control.Deaf(name, f"{name}#0", again=False))

    def claim(self) -> tuple[int, str]:
        """A number and a name for somebody outside who is to publish."""
        taken = min([0, *self._speakers])
        return taken - 1, f"outside{taken - 1}"

    def hearers(self) -> dict[str, Hearer]:
        """All subscribers there are, for whom what is published waits."""
        asked = {name: stage.asked for name, stage in self._supervisor.roster.stages.items()}
        outside = {name: hearer for name, (hearer, _) in self._listeners.items()}
        return {**hearers(self._supervisor.plan, asked), **outside}

    def speak(self, number: int, name: str, tell: Tell) -> None:
        """It has bound its socket."""
        path, _ = control.topic_paths(self._supervisor.run_dir.path, name)
        self._introduce(Speaker(number, name, f"ipc://{path}", tell))

    def silence(self, number: int, name: str) -> None:
        """It has hung up."""
        if number in self._speakers:
            self._end(number, name)
        for path in control.topic_paths(self._supervisor.run_dir.path, name):
            with suppress(FileNotFoundError):
                os.unlink(path)

    # What became of it -----------------------------------------------------------------------------------

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Topics, and what each subscriber has got of them."""
        found = {key: list(words) for key, words in self._kept.items()}
        for number, speaker in self._speakers.items():
            for row in self._read(number if number > 0 else speaker.label):
                _add(found, row.subscriber, row.topic, row.words)
        topics = [_topic(topic, words) for (who, topic), words in sorted(found.items()) if not who]
        heard = [_heard(who, topic, words) for (who, topic), words in sorted(found.items()) if who]
        return {"topics": topics, "subscriptions": heard}

    def _read(self, name: object) -> list[Row]:
        _, path = control.topic_paths(self._supervisor.run_dir.path, str(name))
        try:
            page = Tally(path)
        except OSError:
            return []
        try:
            return list(page.rows())
        finally:
            page.close()

    def _keep(self, row: Row) -> None:
        """Its publisher has ended: what was on its way may have come, and what waited has not."""
        words = row.words
        if row.subscriber:
            on_way = words[tally.SENT] - words[tally.DELIVERED] - words[tally.UNSURE]
            words[tally.UNSURE] += on_way
            words[tally.GONE] += _in_flight(words)
        _add(self._kept, row.subscriber, row.topic, words)


def _add(rows: dict[tuple[str, str], list[int]], subscriber: str, topic: str, words: list[int]) -> None:
    before = rows.setdefault((subscriber, topic), [0] * len(words))
    latest = max(before[tally.AT], words[tally.AT])
    rows[subscriber, topic] = added = [one + other for one, other in zip(before, words, strict=True)]
    if not subscriber:
        added[tally.AT] = latest


def _in_flight(words: list[int]) -> int:
    return words[tally.OFFERED] - sum(words[each] for name, each in _NAMES.items() if name != "offered")


def _topic(topic: str, words: list[int]) -> dict[str, Any]:
    published, size, at = words[tally.PUBLISHED], words[tally.BYTES], words[tally.AT]
    return {"topic": topic, "published": published, "bytes": size, "at": at / 1e9}


def _heard(subscriber: str, topic: str, words: list[int]) -> dict[str, Any]:
    counts = {name: words[each] for name, each in _NAMES.items()}
    return {"subscriber": subscriber, "topic": topic, **counts, "in_flight": _in_flight(words)}


def _said(speaker: Speaker) -> dict[str, Any]:
    return {"number": speaker.number, "label": speaker.label, "endpoint": speaker.endpoint}
