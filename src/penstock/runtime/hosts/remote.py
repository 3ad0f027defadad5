"""Runs in the supervisor: a worker on another host. In place of ``process.Child`` and ``line.Line``.

Its process, its log and its status page are with the agent there; what is known of them here is what the
agent has said. The agent says all in order, and the end last: then nothing more is to come.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.errors import PeerError
from penstock.observe import page, tally
from penstock.observe.durations import BUCKETS
from penstock.runtime import control, hostwire
from penstock.runtime.supervisor.usage import Usage

if TYPE_CHECKING:
    from penstock.runtime import jobwire

MOMENTS = frozenset((page.STARTED, page.BLOCKED, page.SINCE))
"""Words of a page that are times of the clock of its host, beside those of links."""
MOST = (1 << 64) - 1
"""What one word of a page can hold."""


class FarPage:
    """A copy of a status page; read as ``page.Page`` is."""

    def __init__(self) -> None:
        self.words = memoryview(bytearray(page.SIZE)).cast("Q")
        self._ahead: int | None = None

    def update(self, words: dict[int, int], at: int, now: int) -> None:
        """Take over what has changed. ``at``: when it was read there, on that host's clock; ``now``: on ours
        (ns). (Whatever was longest on its way makes the difference look larger; so the least one counts.)"""
        ahead = now - at
        self._ahead = ahead if self._ahead is None else min(self._ahead, ahead)
        for index, value in words.items():
            if 0 <= index < page.WORDS and 0 <= value <= MOST:
                moment = value and _is_moment(index)
                self.words[index] = min(max(1, value + self._ahead), MOST) if moment else value

    def link(self, position: int) -> list[int]:
        """All numbers of the link at ``position``."""
        start = page.HEAD + page.STRIDE * position
        return self.words[start : start + page.STRIDE].tolist()

    def durations(self) -> list[int]:
        """The histogram of what items took."""
        return self.words[page.DURATIONS : page.DURATIONS + BUCKETS].tolist()

    def close(self) -> None:
        """Nothing is to be let go of."""


def _is_moment(index: int) -> bool:
    if index < page.HEAD:
        return index in MOMENTS
    return index < page.DURATIONS and (index - page.HEAD) % page.STRIDE == page.OLDEST


class FarTally:
    """A copy of what a worker has counted of what it publishes."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], list[int]] = {}
        self._ahead: int | None = None

    def update(self, said: hostwire.Tallied, now: int) -> None:
        """Take over what has changed; ``now`` as for ``FarPage``.

        Raises:
            PeerError: it is no part of a tally.
        """
        ahead = now - said.at
        self._ahead = ahead if self._ahead is None else min(self._ahead, ahead)
        for subscriber, topic, words in said.rows:
            if len(words) != tally.WORDS or not all(0 <= word <= MOST for word in words):
                raise PeerError(f"no row of a tally: {len(words)} words")
            if len(self._rows) >= tally.ROWS and (subscriber, topic) not in self._rows:
                raise PeerError(f"a tally of more than {tally.ROWS} rows")
            if not subscriber and words[tally.AT]:
                words[tally.AT] = max(1, words[tally.AT] + self._ahead)
            self._rows[subscriber, topic] = words

    def rows(self) -> list[tally.Row]:
        """All that is known."""
        return [tally.Row(*key, list(words)) for key, words in self._rows.items()]


class FarLine:
    """Control messages to and from a worker, through its agent."""

    def __init__(
        self,
        say: Callable[[bytes], None],
        *,
        on_message: Callable[[control.ToSupervisor], None],
        on_nonsense: Callable[[str], None],
        words: Any = control.ToSupervisor,
    ) -> None:
        """As ``Line``; ``say`` takes bytes to the worker."""
        self._say = say
        self._on_message = on_message
        self._on_nonsense = on_nonsense
        self._decode = msgspec.msgpack.Decoder(words).decode
        self._received = bytearray()
        self._closed = False

    def send(self, message: jobwire.ToWorker) -> None:
        """Send one message; to a worker that has ended, not at all."""
        if not self._closed:
            self._say(control.frame(message))

    send_soon = send

    def take(self, data: bytes) -> None:
        """The worker has said that."""
        if self._closed:
            return
        self._received += data
        try:
            for body in control.split(self._received):
                self._on_message(self._decode(body))
        except (ValueError, msgspec.MsgspecError, RecursionError) as error:
            self._closed = True
            self._on_nonsense(f"it sent what is no control message: {error}")

    def drain(self) -> None:
        """Whatever had come was read at once."""

    def close(self) -> None:
        """Nothing more is said or heard."""
        self._closed = True


class Remote:
    """One process on another host, from its start to its end."""

    def __init__(
        self,
        number: int,
        host: str,
        *,
        send: Callable[[msgspec.Struct], None],
        on_exit: Callable[[int], None],
        log: str,
    ) -> None:
        """``send``: takes words to its agent. ``on_exit``: called once with the exit code. ``log``: the path
        of the copy of its log."""
        self.number = number
        self.host = host
        self.pid = 0
        """There; 0: there is none yet."""
        self.lost = False
        """It went with its host."""
        self.parting = ""
        """How it went, where its exit code does not tell."""
        self.page = FarPage()
        self.tally = FarTally()
        self.used = Usage()
        self.oom = False
        """The kernel there has killed somebody for want of memory."""
        self.line: FarLine | None = None
        self.on_start: Callable[[], None] = lambda: None
        self._send = send
        self._on_exit: Callable[[int], None] | None = on_exit
        self._log = log

    def make_line(self, _: asyncio.AbstractEventLoop, **hearing: Any) -> FarLine:
        """What we say to each other; ``hearing`` as that of ``FarLine``."""
        self.line = FarLine(lambda data: self._send(hostwire.Speak(self.number, data)), **hearing)
        return self.line

    def terminate(self) -> None:
        """As ``kill``."""
        self.kill()

    def kill(self) -> None:
        """Kill it and all it has started."""
        self._send(hostwire.Kill(self.number))

    def abandon(self) -> None:
        """The run is over, and its agent will be told so; nobody else is."""
        self._on_exit = None

    def usage(self) -> Usage:
        """What it has used up to now."""
        return self.used

    # What its agent says ----------------------------------------------------------------------------------

    def started(self, pid: int) -> None:
        """There is a process."""
        self.pid = pid
        self.on_start()

    def counted(self, said: hostwire.Counted, now: int) -> None:
        """Its page has changed."""
        self.page.update(said.words, said.at, now)
        self.used = Usage(said.cpu, said.rss)

    def tallied(self, said: hostwire.Tallied, now: int) -> None:
        """It has published something, or subscribers have got it."""
        self.tally.update(said, now)

    def logged(self, data: bytes) -> None:
        """It has printed that."""
        try:
            with open(os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644), "wb") as file:
                file.write(data)
        except OSError:
            pass  # no room here; all of it is in the log there

    def ended(self, exit: int, *, oom: bool = False, parting: str = "") -> None:
        """It is no more. Twice is fine."""
        on_exit, self._on_exit = self._on_exit, None
        if on_exit is not None:
            self.oom = oom
            self.parting = parting
            on_exit(exit)

    def lose(self) -> None:
        """It went with its host."""
        self.lost = True
        self.ended(-signal.SIGKILL, parting=f"host {self.host} was lost")
