"""Runs in the agent: one worker of its host, and what the supervisor is told of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import msgspec

from penstock.lifecycle import monotonic
from penstock.observe.page import Page
from penstock.observe.tally import Tally
from penstock.runtime import hostwire
from penstock.runtime.oom import OomWatch
from penstock.runtime.supervisor.process import Child
from penstock.runtime.supervisor.usage import Usage

CHUNK = 1 << 16
LOG_PART = 1 << 16
"""Bytes of its log in one message."""
LOG_BEHIND = 1 << 18
"""Of what it has printed and nobody was told so far, only the end is told, beyond this many bytes."""
CPU_STEP = 0.1
"""Seconds of CPU that are news, where nothing else is."""


class Ward:
    """One process, from its start to its end."""

    def __init__(
        self,
        number: int,
        child: Child,
        *,
        page: str,
        tally: str,
        log: str,
        log_start: int,
        say: Callable[[msgspec.Struct], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """``page``, ``tally``, ``log``: where its status page will be, and what it publishes will be counted,
        and its log is; ``log_start``: how long that was before it. ``say``: tells the supervisor."""
        self.number = number
        self.child = child
        self._page_path = page
        self._page: Page | None = None
        self._told: list[int] = []
        self._tally_path = tally
        self._tally: Tally | None = None
        self._tallied: dict[tuple[str, str], list[int]] = {}
        self._used = Usage()
        self._log, self._read = log, log_start
        self._say = say
        self._loop = loop
        self._waiting = bytearray()
        child.socket.setblocking(False)
        loop.add_reader(child.socket, self._hear)

    def tell(self, data: bytes) -> None:
        """The supervisor says that to it."""
        self._waiting += data
        self._write()

    def look(self) -> None:
        """Tell what is new on its page, of what it publishes, and in its log."""
        self._look_at_page()
        self._look_at_tally()
        self._look_at_log(LOG_PART)

    def ended(self, exit: int, oom: OomWatch) -> None:
        """Its process is no more: tell all that is left to tell, and that last."""
        while self._hear():
            pass
        self._look_at_page()
        self._look_at_tally()
        self._look_at_log(LOG_BEHIND)
        self.close()
        self._say(hostwire.Ended(self.number, exit, oom=exit == -9 and oom.grown()))

    def close(self) -> None:
        """Let go of it."""
        if self.child.socket.fileno() >= 0:
            self._loop.remove_reader(self.child.socket)
            self._loop.remove_writer(self.child.socket)
            self.child.socket.close()
        if self._page is not None:
            self._page.close()
            self._page = None
        if self._tally is not None:
            self._tally.close()
            self._tally = None

    def _hear(self) -> bool:
        """Pass on what it has said; whether there may be more."""
        if self.child.socket.fileno() < 0:
            return False
        try:
            data = self.child.socket.recv(CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self.child.socket)
            return False
        self._say(hostwire.Spoke(self.number, data))
        return True

    def _write(self) -> None:
        if self.child.socket.fileno() < 0:
            return
        try:
            while self._waiting:
                del self._waiting[: self.child.socket.send(self._waiting)]
        except BlockingIOError:
            self._loop.add_writer(self.child.socket, self._write)
            return
        except OSError:  # it has ended; that is told by the kernel
            self._waiting.clear()
        self._loop.remove_writer(self.child.socket)

    def _look_at_page(self) -> None:
        if self._page is None:
            try:
                self._page = Page(self._page_path)
            except OSError:
                return  # it has not come so far
            self._told = [0] * len(self._page.words)
        at, words, used = int(monotonic() * 1e9), self._page.words.tolist(), self.child.usage()
        news = {}
        if words != self._told:
            news = {index: word for index, word in enumerate(words) if word != self._told[index]}
        if news or used.cpu - self._used.cpu >= CPU_STEP:
            self._told, self._used = words, used
            self._say(hostwire.Counted(self.number, at, news, used.cpu, used.rss))

    def _look_at_tally(self) -> None:
        if self._tally is None:
            try:
                self._tally = Tally(self._tally_path)
            except OSError:
                return  # it publishes nothing
        at, news = int(monotonic() * 1e9), []
        for subscriber, topic, words in self._tally.rows():
            if self._tallied.get((subscriber, topic)) != words:
                self._tallied[subscriber, topic] = words
                news.append((subscriber, topic, words))
        if news:
            self._say(hostwire.Tallied(self.number, at, news))

    def _look_at_log(self, most: int) -> None:
        try:
            size = os.path.getsize(self._log)
            if size <= self._read:
                return
            with open(self._log, "rb") as file:
                file.seek(max(self._read, size - LOG_BEHIND))
                data = file.read(most)
                self._read = file.tell()
        except OSError:
            return
        self._say(hostwire.Logged(self.number, data))
