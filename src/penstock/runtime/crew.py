"""Runs in the supervisor: what it holds of each living worker (process, control socket, status page, log)."""

from __future__ import annotations

import os
import signal

from penstock.observe import page
from penstock.observe.page import Page
from penstock.runtime import statedir
from penstock.runtime.account import Reading
from penstock.runtime.control import Blame
from penstock.runtime.death import BOOT_FAULT, Death
from penstock.runtime.line import Line
from penstock.runtime.oom import OomWatch
from penstock.runtime.process import Child

BOOT_ERROR = "PENSTOCK-BOOT-ERROR "


class Member:
    """One worker, from spawn to retirement."""

    def __init__(
        self,
        *,
        number: int,
        stage: str,
        replica: int,
        links: int,
        child: Child,
        line: Line,
        log: str,
        log_start: int,
    ) -> None:
        """``links``: how many it has, of both kinds. ``log_start``: the length of its log before it."""
        self.number = number
        self.stage = stage
        self.replica = replica
        self.child = child
        self.line = line
        self.python = ""
        self._links = links
        self._log = log
        self._log_start = log_start
        self._page: Page | None = None

    def open_page(self, path: str) -> None:
        """Map its status page, which it made before it said ``Bound``.

        Raises:
            OSError: there is none.
        """
        self._page = Page(path)

    def word(self, name: int) -> int:
        """One number of its page; 0 before there is one."""
        return 0 if self._page is None else self._page.words[name]

    @property
    def state(self) -> str:
        """How far it has come, in its own words."""
        return page.STATES[self.word(page.STATE)]

    @property
    def started(self) -> float | None:
        """Since when it has been at its item (monotonic seconds); ``None``: it is at none."""
        return self.word(page.STARTED) / 1e9 or None

    def reading(self) -> Reading:
        """Its links' numbers."""
        if self._page is None:
            return Reading(self.stage, ())
        return Reading(self.stage, [self._page.link(position) for position in range(self._links)])

    def death(self, exit: int, oom: OomWatch) -> Death:
        """What can be known of its end, now that it has ended."""
        last = statedir.tail(self._log, self._log_start)
        fault = ""
        if exit == BOOT_FAULT and BOOT_ERROR in last:
            fault = last.rpartition(BOOT_ERROR)[2].partition("\n")[0]
        out_of_memory = exit == -signal.SIGKILL and oom.grown()
        return Death(exit=exit, oom=out_of_memory, blame=self._blame(), tail=last, fault=fault)

    def close(self) -> None:
        """Let go of everything. Its numbers are gone with it."""
        self.line.close()
        if self._page is not None:
            self._page.close()
            self._page = None

    def _blame(self) -> Blame | None:
        """The item it had in hand. Sources have none: their own number is nobody's item."""
        if self._page is None or not self.word(page.STARTED) or not self.word(page.SENDER):
            return None
        words = self._page.words
        return Blame(words[page.SENDER], words[page.LINK], words[page.BATCH], words[page.INDEX])


def log_size(path: str) -> int:
    """Bytes in a log; 0 where there is none yet."""
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
