"""Runs in the supervisor: questions on ``control.sock`` that last until somebody hangs up, or the run ends.

``events`` goes on with a line for each event, from the first of the run on. ``tap`` has samples laid into the
run directory. ``record`` keeps all that goes by, and answers again when everything is closed. ``hear`` and
``speak`` are of topics: see ``audience``.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from penstock.errors import PenstockError, UserError
from penstock.runtime.supervisor import taps
from penstock.runtime.supervisor.answer import granted, misasked, refused, say
from penstock.runtime.supervisor.journal import Journal, Record
from penstock.runtime.supervisor.supervisor import Supervisor
from penstock.runtime.supervisor.view import Document

if TYPE_CHECKING:
    from penstock.runtime.supervisor.archive import Archive

RECORDED = "a recording is of links that there are"


class Subscriptions:
    """Who follows what happens in a run."""

    def __init__(self, supervisor: Supervisor, journal: Journal) -> None:
        self._supervisor = supervisor
        self._journal = journal
        self.verbs: dict[str, Callable[..., Awaitable[None]]] = {
            "events": self._events,
            "tap": self._tap,
            "record": self._record,
            "hear": self._hear,
            "speak": self._speak,
            "calls": self._calls,
        }

    async def receive(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, verb: str, question: Document
    ) -> None:
        """Serve whoever asks ``verb``, one of ``verbs``, until that is over."""
        try:
            await self.verbs[verb](reader, writer, **question)
        except PenstockError as error:
            await say(writer, refused(error))
        except TypeError as error:
            await say(writer, misasked(f"{verb}: {error}"))

    async def _events(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """All events of the run: those that were, and those that come."""
        queue: asyncio.Queue[Record] = asyncio.Queue()
        for record in self._journal.follow(queue.put_nowait):
            queue.put_nowait(record)
        gone = asyncio.ensure_future(reader.read(1))
        await say(writer, granted({"schema": "penstock.events/1"}))
        try:
            ended = False
            while not gone.done() and not ended:
                coming = asyncio.ensure_future(queue.get())
                await asyncio.wait({coming, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    coming.cancel()
                    break
                record = coming.result()
                await say(writer, record)
                ended = record["event"] == "run_ended"
        finally:
            gone.cancel()
            self._journal.leave(queue.put_nowait)

    async def _calls(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, caller: int
    ) -> None:
        """Which replicas of services there are: as things stand, and again whenever that changes."""
        services, changed = self._supervisor.services, asyncio.Event()
        gone = asyncio.ensure_future(reader.read(1))
        services.listeners.append(changed.set)
        try:
            while not gone.done():
                changed.clear()
                await say(writer, granted(services.listing("")))
                coming = asyncio.ensure_future(changed.wait())
                await asyncio.wait({coming, gone}, return_when=asyncio.FIRST_COMPLETED)
                coming.cancel()
        finally:
            gone.cancel()
            services.listeners.remove(changed.set)
            services.hung_up(caller)

    async def _tap(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, links: Any, rate: Any
    ) -> None:
        """Have samples of these links laid into the run directory until whoever asked hangs up."""
        mine = self._supervisor.taps
        links = mine.untapped(links, rate)
        for link in links:
            mine.show(link, rate)
        try:
            await say(writer, granted({"schema": "penstock.tap/1", "links": links}))
            await reader.read(1)
        finally:
            for link in links:
                mine.end(link)

    async def _record(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, links: Any, path: Any
    ) -> None:
        """Record these links until whoever asked says a word or hangs up; answer again when all is closed."""
        recordings = self._supervisor.recordings
        archive = recordings.begin(_folder(path), taps.known(self._supervisor.plan, links, RECORDED))
        word = asyncio.ensure_future(reader.read(1))
        over = asyncio.ensure_future(archive.over.wait())
        try:
            await say(writer, granted({"schema": "penstock.recording/1", "path": path}))
            await asyncio.wait({word, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            word.cancel()
            if recordings.now is archive:
                recordings.stop()
        await over
        await say(writer, granted(recorded(archive)))

    async def _hear(self, *line: Any, **question: Any) -> None:
        """Somebody outside subscribes to topics."""
        from penstock.runtime.supervisor import audience  # few runs have any

        await audience.hear(self._supervisor, *line, **question)

    async def _speak(self, *line: Any) -> None:
        """Somebody outside publishes."""
        from penstock.runtime.supervisor import audience

        await audience.speak(self._supervisor, *line)


def recorded(archive: Archive) -> Document:
    """A recording that is over."""
    return {"schema": "penstock.recording/1", "path": archive.path}


def _folder(path: Any) -> str:
    if not isinstance(path, str) or not os.path.isabs(path):
        raise UserError("a recording needs an absolute path")
    return path
