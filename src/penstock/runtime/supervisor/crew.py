"""Runs in the supervisor: what it holds of each living worker (process, control socket, status page, log)."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from penstock.observe import page
from penstock.observe.durations import BUCKETS
from penstock.observe.events import ItemProgressed, Noticed
from penstock.observe.page import Page
from penstock.runtime import statedir
from penstock.runtime.control import Blame, Note, Notice
from penstock.runtime.oom import OomWatch
from penstock.runtime.policy.death import BOOT_FAULT, Death, crash_report
from penstock.runtime.supervisor.account import Reading
from penstock.runtime.supervisor.gauge import Work
from penstock.runtime.supervisor.headway import Headway
from penstock.runtime.supervisor.line import Line
from penstock.runtime.supervisor.process import Child
from penstock.runtime.supervisor.visit import Visit

if TYPE_CHECKING:
    from penstock.runtime.hosts.remote import FarLine, FarPage, Remote

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
        child: Child | Visit | Remote,
        line: Line | FarLine,
        log: str,
        log_start: int,
        foreign: str,
        env: str = "",
    ) -> None:
        """Take charge of it.

        Args:
            number: its own in the run.
            stage: where it works.
            replica: its seat there.
            links: how many it has, of both kinds.
            child: its process, started by us or not.
            line: its control socket.
            log: the path of its log.
            log_start: how long that was before it.
            foreign: its interpreter, if its stage named one; else empty.
            env: the hash of its environment, if its stage named one; else empty.
        """
        self.number = number
        self.stage = stage
        self.replica = replica
        self.child = child
        self.line = line
        self.python = ""
        self.env = env
        self.headway = Headway()
        self._links = links
        self._log = log
        self._log_start = log_start
        self._foreign = foreign
        self.tcp = ""
        """Where receivers of other hosts find it; empty: nowhere."""
        self._page: Page | FarPage | None = None

    def open_page(self, path: str) -> None:
        """Map its status page, which it made before it said ``Bound``.

        Raises:
            OSError: there is none.
        """
        self._page = self.child.page or Page(path)

    def word(self, name: int) -> int:
        """One number of its page; 0 before there is one."""
        return 0 if self._page is None else self._page.words[name]

    @property
    def state(self) -> str:
        """How far it has come, in its own words."""
        state = self.word(page.STATE)
        return page.STATES[state] if state < len(page.STATES) else "unknown"

    @property
    def started(self) -> float | None:
        """From when on the time-out of its item counts (monotonic seconds); ``None``: it is at none."""
        started = self.word(page.STARTED)
        return (started + self.word(page.LATITUDE)) / 1e9 if started else None

    def work(self, now: float) -> Work:
        """How it has spent its time up to ``now`` (monotonic seconds), what goes on at present included."""
        if self._page is None:
            return Work()
        words, at = self._page.words, int(now * 1e9)
        blocked = words[page.BLOCKED]
        return Work(
            busy=words[page.BUSY] + self._present(words, at),
            waited=words[page.WAITED] + (max(0, at - blocked) if blocked else 0),
            items=words[page.ITEMS],
            durations=self._page.durations(),
        )

    def durations(self) -> list[int]:
        """The histogram of what its items took, or nothing before it has a page."""
        return [0] * BUCKETS if self._page is None else self._page.durations()

    def motion(self, now: float) -> object:
        """What stays equal for as long as it does nothing: no item comes, goes, or is in user code."""
        if self._page is None:
            return None
        busy = self._page.words[page.BUSY] + self._present(self._page.words, int(now * 1e9))
        return self.state, busy, self.word(page.ITEMS), self.reading().links

    @staticmethod
    def _present(words: memoryview[int], at: int) -> int:
        """ns that user code has been busy with what goes on at ``at``."""
        lanes, began = words[page.LANES], words[page.STARTED]
        if not lanes:
            return max(0, at - began) if began else 0
        return max(0, (words[page.BLOCKED] or at) - words[page.SINCE]) * words[page.IN_HAND] // lanes

    def progressed(self, notes: Sequence[Note], now: float) -> list[ItemProgressed]:
        """It says how far its items are; what of it is an event."""
        return [
            ItemProgressed(
                stage=self.stage,
                replica=self.replica,
                number=self.number,
                item=note.item,
                part=note.part,
                numbers=note.numbers,
            )
            for note in self.headway.hear(notes, now)
        ]

    def noticed(self, notice: Notice) -> Noticed:
        """It has something to say."""
        said = msgspec.structs.asdict(notice)
        return Noticed(stage=self.stage, replica=self.replica, number=self.number, **said)

    def reading(self) -> Reading:
        """Its links' numbers."""
        if self._page is None:
            return Reading(self.stage, ())
        return Reading(self.stage, [self._page.link(position) for position in range(self._links)])

    def death(self, exit: int, oom: OomWatch, *, condemned: bool = False) -> Death:
        """What can be known of its end, now that it has ended. ``condemned``: we killed it."""
        log = statedir.tail(self._log, self._log_start)
        return Death(
            exit=exit,
            oom=exit == -signal.SIGKILL and (self.child.oom if self.child.host else oom.grown()),
            blame=self._blame(condemned=condemned),
            tail=statedir.last_lines(log),
            report=crash_report(log),
            fault=self._fault(exit, log),
            parting=self.child.parting,
            lost=self.child.lost,
        )

    def _fault(self, exit: int, log: str) -> str:
        """What is wrong with its interpreter, if it got no further than that."""
        if exit == BOOT_FAULT and BOOT_ERROR in log:
            return log.rpartition(BOOT_ERROR)[2].partition("\n")[0]
        if self._foreign and self._page is None and exit >= 0 and "Traceback" not in log:
            said = log.rpartition("\n")[2]
            return f"{self._foreign} ended at once (exit code {exit}); is it a Python?" + (
                f"\n{said}" if said else ""
            )
        return ""

    def close(self) -> None:
        """Let go of everything. Its numbers are gone with it."""
        self.line.close()
        if self._page is not None:
            self._page.close()
            self._page = None

    def _blame(self, *, condemned: bool) -> Blame | None:
        """The item it had in hand; with several, only that which took too long. Sources have none: their own
        number is nobody's item."""
        if self._page is None or not self.word(page.STARTED) or not self.word(page.SENDER):
            return None
        words = self._page.words
        if words[page.IN_HAND] > 1 and not (condemned and words[page.CULPRIT]):
            return None
        return Blame(words[page.SENDER], words[page.LINK], words[page.BATCH], words[page.INDEX])


def log_size(path: str) -> int:
    """Bytes in a log; 0 where there is none yet."""
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
