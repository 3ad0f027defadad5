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
    files: str
    """What its socket and its tally are called in the run directory of its host."""
    host: str = ""
    tcp: str = ""
    """Where it is found from other hosts."""
    tell: Tell | None = None
    """To somebody outside."""


class Listener(NamedTuple):
    """One outside who subscribes."""

    peer: str
    """What its sockets are called; nobody else's are, ever."""
    hearer: Hearer
    tell: Tell


class Topics:
    """Those of one run."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._speakers: dict[int, Speaker] = {}
        self._listeners: dict[str, Listener] = {}
        """Outside, by name."""
        self._outside = count()
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

    def begin(self, member: Member, tcp: str = "") -> None:
        """A worker publishes; ``tcp``: other hosts find it there."""
        label = f"{member.stage}/{member.replica}"
        self._introduce(Speaker(member.number, label, str(member.number), member.child.host, tcp))

    def _welcome(self, member: Member) -> None:
        """A worker is there: a subscriber is told of all who publish."""
        if member.stage in self._ears:
            for speaker in self._speakers.values():
                self._tell_of(speaker, member)

    def _gone(self, member: Member) -> None:
        """A worker has ended."""
        if member.number in self._speakers:
            self._end(member.number)
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
        for listener in self._listeners.values():
            listener.tell({"hear": self._said(speaker)})

    def _tell_of(self, speaker: Speaker, member: Member) -> None:
        if speaker.number != member.number:  # who publishes and subscribes does not talk to itself
            endpoint = self._endpoint(speaker, member.child.host)
            member.line.send(control.Hear(speaker.number, speaker.label, endpoint))

    def _endpoint(self, speaker: Speaker, host: str) -> str:
        """Where it is found from that host."""
        return self._supervisor.endpoint(
            lambda run_dir: f"ipc://{control.topic_paths(run_dir, speaker.files)[0]}",
            speaker.tcp,
            home=speaker.host,
            host=host,
        )

    def _end(self, number: int) -> None:
        """It publishes no more: what its tally says is kept."""
        for row in self._read(self._speakers.pop(number)):
            self._keep(row)
        for member in self._supervisor.crew.values():
            if member.stage in self._ears:
                member.line.send(control.Mute(number))
        for listener in self._listeners.values():
            listener.tell({"mute": number})

    def _said(self, speaker: Speaker) -> dict[str, Any]:
        endpoint = self._endpoint(speaker, "")
        return {"number": speaker.number, "label": speaker.label, "endpoint": endpoint}

    def _deafen(self, word: control.Deaf) -> None:
        for speaker in self._speakers.values():
            if speaker.tell is None:
                self._supervisor.send(speaker.number, word)
            else:
                speaker.tell({"deaf": msgspec.structs.asdict(word)})

    # Outside ---------------------------------------------------------------------------------------------

    def listen(self, hearer: Hearer, tell: Tell) -> dict[str, Any]:
        """Somebody outside subscribes: what it and its sockets are called, who publishes, and the key for
        those of other hosts; ``tell`` of those who come."""
        name = next(found for n in count() if (found := f"outside/{n}") not in self._listeners)
        peer = f"{name}#{next(self._outside)}"
        self._listeners[name] = Listener(peer, hearer, tell)
        publishers = [self._said(speaker) for speaker in self._speakers.values()]
        hosts = self._supervisor.hosts
        return {"name": name, "peer": peer, "publishers": publishers, "curve": hosts and hosts.lodging.curve}

    def leave(self, name: str) -> None:
        """It has hung up."""
        self._deafen(control.Deaf(name, self._listeners.pop(name).peer, again=False))

    def claim(self) -> tuple[int, str]:
        """A number and a name for somebody outside who is to publish."""
        taken = min([0, *self._speakers])
        return taken - 1, f"outside{taken - 1}"

    def terms(self) -> dict[str, Any]:
        """How somebody outside publishes: where, for whom, and so that other hosts hear it, too."""
        hosts = self._supervisor.hosts
        return {
            "hearers": {name: msgspec.to_builtins(hearer) for name, hearer in self._hearers().items()},
            "run_dir": self._supervisor.run_dir.path,
            "listen": hosts.lodging.listening("") if hosts else "",
            "curve": hosts and hosts.lodging.curve,
        }

    def _hearers(self) -> dict[str, Hearer]:
        """All subscribers there are, for whom what is published waits."""
        asked = {name: stage.asked for name, stage in self._supervisor.roster.stages.items()}
        outside = {name: listener.hearer for name, listener in self._listeners.items()}
        return {**hearers(self._supervisor.plan, asked), **outside}

    def speak(self, number: int, name: str, tell: Tell, tcp: str) -> None:
        """It has bound its sockets; ``tcp``: other hosts find it there."""
        self._introduce(Speaker(number, name, name, "", tcp, tell))

    def silence(self, number: int, name: str) -> None:
        """It has hung up."""
        if number in self._speakers:
            self._end(number)
        for path in control.topic_paths(self._supervisor.run_dir.path, name):
            with suppress(FileNotFoundError):
                os.unlink(path)

    # What became of it -----------------------------------------------------------------------------------

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Topics, and what each subscriber has got of them."""
        found = {key: list(words) for key, words in self._kept.items()}
        for speaker in self._speakers.values():
            for row in self._read(speaker):
                _add(found, row.subscriber, row.topic, row.words)
        topics = [_topic(topic, words) for (who, topic), words in sorted(found.items()) if not who]
        heard = [_heard(who, topic, words) for (who, topic), words in sorted(found.items()) if who]
        return {"topics": topics, "subscriptions": heard}

    def _read(self, speaker: Speaker) -> list[Row]:
        member = self._supervisor.crew.get(speaker.number)
        if member is not None and member.child.tally is not None:
            return member.child.tally.rows()
        _, path = control.topic_paths(self._supervisor.run_dir.path, speaker.files)
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
