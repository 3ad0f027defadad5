"""Runs in the supervisor: those outside who subscribe or publish, each on a line of ``control.sock``.

``hear`` goes on with a line for each publisher that comes, ``{"hear": {...}}``, or ends, ``{"mute": 7}``.
``speak`` is answered with a name, by which the asker binds its sockets; it says when that is done, and where
other hosts find it, and hears ``{"deaf": {...}}`` of subscribers that end. Both last until one
hangs up, or the run is over.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from penstock.errors import NotRunning
from penstock.message.topics import asked
from penstock.observe.events import Event, RunEnded
from penstock.runtime.control import Hearer
from penstock.runtime.supervisor.answer import granted, say
from penstock.runtime.supervisor.supervisor import Supervisor

Lines = asyncio.Queue["dict[str, Any] | None"]


async def hear(
    supervisor: Supervisor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, **question: Any
) -> None:
    """Somebody subscribes.

    Raises:
        UserError: to nothing that could be.
        TypeError: not with our words.
    """
    hearer = _hearer(question)
    lines: Lines = asyncio.Queue()
    topics = supervisor.topics
    answer = topics.listen(hearer, lines.put_nowait)
    try:
        await say(writer, granted({"schema": "penstock.hear/1", **answer}))
        await _pass_on(supervisor, lines, reader, writer)
    finally:
        topics.leave(answer["name"])


async def speak(supervisor: Supervisor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Somebody publishes.

    Raises:
        NotRunning: the run is ending.
    """
    if supervisor.roster.ended:
        raise NotRunning("the run has ended")
    lines: Lines = asyncio.Queue()
    topics = supervisor.topics
    number, name = topics.claim()
    try:
        await say(writer, granted({"schema": "penstock.speak/1", "name": name, **topics.terms()}))
        if said := await reader.readline():
            topics.speak(number, name, lines.put_nowait, said.decode("ascii", "replace").strip())
            await _pass_on(supervisor, lines, reader, writer)
    finally:
        topics.silence(number, name)


def _hearer(question: dict[str, Any]) -> Hearer:
    try:
        found = msgspec.convert(question, Hearer)
    except msgspec.ValidationError as error:
        raise TypeError(str(error)) from None
    asked(found.ear.topics)
    return found


async def _pass_on(
    supervisor: Supervisor, lines: Lines, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Until the other side hangs up, or the run ends."""

    def end(event: Event) -> None:
        if isinstance(event, RunEnded):
            lines.put_nowait(None)

    supervisor.listeners.append(end)
    gone = asyncio.ensure_future(reader.read(1))
    try:
        while not gone.done():
            coming = asyncio.ensure_future(lines.get())
            await asyncio.wait({coming, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                coming.cancel()
                return
            line = coming.result()
            if line is None:
                return
            await say(writer, line)
    finally:
        gone.cancel()
        supervisor.listeners.remove(end)
