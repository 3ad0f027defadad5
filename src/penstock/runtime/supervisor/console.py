"""Runs in the supervisor: a run as its user sees it in the terminal. Talk goes to stderr, stdout is for data.

      demo   3 stages   4 workers
      camera      1/1 ready   0.2 s
      normalise   2/2 ready   0.3 s
      train       1/1 ready   0.2 s
      12:01:07   1,912 items/s   36 GB/s   in flight 24   dead 0          <- rewritten each second

On a terminal the last line is rewritten in place and events scroll by above it. Elsewhere (a log of CI, a
container) a line is written every few seconds, and none while nothing changes.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import singledispatchmethod
from typing import Any, TextIO

from penstock.observe import events
from penstock.pipeline.plan import GROUP, Plan
from penstock.runtime.supervisor import statement
from penstock.runtime.supervisor.account import LinkCount, Totals
from penstock.runtime.supervisor.gauge import Pace
from penstock.runtime.supervisor.statement import duration, number, size

REPEATS = 5
"""So many notices of one kind are shown; the rest are counted. A thousand dead letters are one story."""
_BOLD, _DIM, _RED, _GREEN, _YELLOW = "1", "2", "31", "32", "33"


class Console:
    """Writes lines, and on a terminal keeps one line at the bottom up to date."""

    def __init__(
        self, plan: Plan, out: TextIO, *, environ: Mapping[str, str], now: Callable[[], float] = time.time
    ) -> None:
        """``out``: usually stderr. ``now``: the time of day."""
        self.live = _is_terminal(out, environ)
        """Whether somebody watches: then ``status`` is worth a call each second."""
        self._plan = plan
        self._out = out
        self._now = now
        self._erase = "\r\x1b[K" if self.live else ""
        """Before every line: takes away the status, or the ^C that the terminal has shown."""
        self._colour = _wants_colour(out, environ)
        self._width = max((len(stage.name) for stage in plan.stages), default=0)
        self._ready: dict[str, set[int]] = {stage.name: set() for stage in plan.stages}
        """The numbers of the workers that are ready, by stage."""
        self._asked = {stage.name: stage.replicas for stage in plan.stages if not stage.external}
        self._external = {stage.name for stage in plan.stages if stage.external}
        """Stages that wait for scripts, unless they are through."""
        self._guests: dict[int, int] = {}
        """Workers that we have not started: the pid by the number."""
        self._noticed: Counter[str] = Counter()
        self._details = ""
        """What was shown of the last death; the same again tells nothing."""
        self._memory_low = False
        self._draining = False
        self._stopping = False
        self._last: Totals | None = None
        self._last_of_jobs = ""

    # Lines -----------------------------------------------------------------------------------------------

    def line(self, text: str = "") -> None:
        """One line that stays, above the one that is rewritten."""
        self._write(f"{self._erase}  {text}".rstrip() + "\n")

    def status(self, pace: Pace, *, beside: str = "") -> None:
        """How it goes: the line at the bottom, or elsewhere a line of its own if anything has changed.
        ``beside``: what the run's groups have done."""
        if not pace.totals.entered and not self._all_ready():
            return  # the lines of stages that get ready say more
        if self.live or (pace.totals, beside) != (self._last, self._last_of_jobs):
            self._show("   ".join([self._status(pace), *([f"jobs {beside}"] if beside else [])]))
        self._last, self._last_of_jobs = pace.totals, beside

    def status_of_jobs(self, summary: str) -> None:
        """As ``status``, of a run that has jobs instead of items."""
        if not self._all_ready():
            return
        if self._draining:
            summary = f"draining   {summary}   (Ctrl-C again ends what runs, and gives it back)"
        if self.live or summary != self._last_of_jobs:
            stamp = time.strftime("%H:%M:%S", time.localtime(self._now()))
            self._show("   ".join([stamp, summary, *self._short_of()]))
        self._last_of_jobs = summary

    def _show(self, text: str) -> None:
        if self.live:
            self._write(f"{self._erase}{_clip(f'  {text}', _columns(self._out) - 1)}")
        else:
            self.line(text)

    def _status(self, pace: Pace) -> str:
        totals = pace.totals
        if self._stopping:
            return f"stopping   {number(totals.in_flight)} in flight   (Ctrl-C again kills)"
        if self._draining:
            draining = f"draining   {number(totals.in_flight)} in flight   (Ctrl-C again stops now)"
            return "   ".join([draining, *self._waits()])
        parts = [time.strftime("%H:%M:%S", time.localtime(self._now())), f"{number(pace.items)} items/s"]
        if pace.bytes >= statement.WORTH_SAYING:
            parts.append(f"{size(pace.bytes)}/s")
        parts += [f"in flight {number(totals.in_flight)}", f"dead {number(totals.dead)}"]
        return "   ".join(parts + self._short_of())

    def _all_ready(self) -> bool:
        return all(len(self._ready[name]) >= asked for name, asked in self._asked.items())

    def _short_of(self) -> list[str]:
        """Stages that have had all their replicas and have not now; and those that wait for scripts."""
        return [
            *self._waits(),
            *(
                f"{name} {len(self._ready[name])}/{asked}"
                for name, asked in self._asked.items()
                if 0 < len(self._ready[name]) < asked
            ),
        ]

    def _waits(self) -> list[str]:
        return [f"{name} waits for attach" for name in sorted(self._external) if not self._ready[name]]

    def _write(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except (OSError, ValueError):
            pass  # the terminal has gone; the pipeline goes on

    def _paint(self, text: str, *codes: str) -> str:
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self._colour else text

    def say(self, text: str) -> None:
        """A line with its time, of somebody who watches the run with us."""
        self._event(text, _YELLOW)

    def _event(self, text: str, *codes: str) -> None:
        """A line with its time."""
        stamp = time.strftime("%H:%M:%S", time.localtime(self._now()))
        first, _, more = text.partition("\n")
        self.line(f"{self._paint(stamp, _DIM)}   {self._paint(first, *codes) if codes else first}")
        for each in more.splitlines():
            self.line(self._paint(f"{'':8}   {each}", _DIM))

    # Events ----------------------------------------------------------------------------------------------

    def hear(self, event: events.Event) -> None:
        """The listener to give to the supervisor."""
        self._on(event)

    @singledispatchmethod
    def _on(self, event: events.Event) -> None:
        """Most events are not worth a line."""

    @_on.register
    def _(self, event: events.RunBegan) -> None:
        stages = len(event.stages)
        workers = sum(count for stage, count in event.stages.items() if stage not in self._external)
        name = self._paint(event.pipeline, _BOLD)
        noun = "group" if all(stage.kind == GROUP for stage in self._plan.stages) else "stage"
        self.line(f"{name}   {_several(stages, noun)}   {_several(workers, 'worker')}")
        for waiting in sorted(self._external):
            self.line(f"{waiting.ljust(self._width)}   {self._paint('waits for attach', _YELLOW)}")

    @_on.register
    def _(self, event: events.Swept) -> None:
        killed = f" and {_several(event.processes, 'process', 'es')} of it" if event.processes else ""
        self.line(self._paint(f"took away what {event.run} had left{killed}", _DIM))

    @_on.register
    def _(self, event: events.SharedMemoryLow) -> None:
        self._memory_low = True
        self._event(
            f"only {size(event.free)} of shared memory are free at {event.path}: arrays that find no room "
            "go by socket, slower; in a container, start it with --shm-size=1g",
            _YELLOW,
        )

    @_on.register
    def _(self, event: events.LettersStranded) -> None:
        self._event(statement.stranded(event.link, event.count), _YELLOW)

    @_on.register
    def _(self, event: events.GuestAttached) -> None:
        self._guests[event.number] = event.pid
        what = "taken by a script" if event.stage in self._external else "debugged"
        self._event(f"{event.label} is {what}, pid {event.pid}")

    @_on.register
    def _(self, event: events.WorkerReady) -> None:
        name = event.stage
        self._ready[name].add(event.number)
        if event.number in self._guests:
            return
        ready = len(self._ready[name])
        if ready == self._asked.get(name) and not (self._draining or self._stopping):
            count = f"{ready}/{self._asked[name]}"
            self.line(
                f"{name.ljust(self._width)}   {count} {self._paint('ready', _GREEN)}   {duration(event.took)}"
            )

    @_on.register
    def _(self, event: events.WorkerDied) -> None:
        self._ready[event.stage].discard(event.number)
        again = "" if event.restart_after is None else f"; starts again in {duration(event.restart_after)}"
        details = f"\n{event.details}" if event.details and event.details != self._details else ""
        self._details = event.details
        self._event(f"{event.label} died: {event.cause}{again}{details}", _RED)

    @_on.register
    def _(self, event: events.WorkerEnded) -> None:
        self._ready[event.stage].discard(event.number)
        if event.number in self._guests:
            self._event(f"{event.label}: pid {self._guests.pop(event.number)} has left")

    @_on.register
    def _(self, event: events.StageDrained) -> None:
        self._external.discard(event.stage)

    @_on.register
    def _(self, event: events.WorkerRenewed) -> None:
        self._event(f"{event.label} was restarted")

    @_on.register
    def _(self, event: events.RenewalAbandoned) -> None:
        self._event(f"{event.label} is not restarted: {event.cause}", _YELLOW)

    @_on.register
    def _(self, event: events.SourceRepeats) -> None:
        self._event(f"{event.label} starts from its beginning: its items come again, under new ids", _YELLOW)

    @_on.register
    def _(self, event: events.StageScaled) -> None:
        if event.stage not in self._external:
            self._asked[event.stage] = event.after
        self._event(f"{event.stage}: {event.before} → {_several(event.after, 'replica')}")

    @_on.register
    def _(self, event: events.VersionDeployed) -> None:
        self._ready[event.stage], self._asked[event.stage] = set(), event.replicas
        self._event(f"{event.stage} gets {event.share:.0%} of the calls of {event.service}")

    @_on.register
    def _(self, event: events.VersionShared) -> None:
        self._event(f"{event.stage} gets {event.share:.0%} of the calls of {event.service}")

    @_on.register
    def _(self, event: events.VersionRetired) -> None:
        self._asked.pop(event.stage, None)
        if event.cause:
            self._event(f"{event.stage} cannot run, and is taken back: {event.cause}", _RED)
        self._event(f"{event.kept} gets all calls of {event.service}; {event.stage} ends")

    @_on.register
    def _(self, event: events.StagePaused) -> None:
        self._event(f"{event.stage} is paused", _YELLOW)

    @_on.register
    def _(self, event: events.StageResumed) -> None:
        self._event(f"{event.stage} goes on")

    @_on.register
    def _(self, event: events.Noticed) -> None:
        if event.kind == "pool" and self._memory_low:
            return  # said at the start, with what to do about it
        self._noticed[event.kind] += 1
        if self._noticed[event.kind] <= REPEATS:
            self._event(event.text, _RED if event.kind == "dead" else _YELLOW)
        if self._noticed[event.kind] == REPEATS:
            self.line(self._paint(f"{'':8}   (more of this kind are counted, not shown)", _DIM))

    @_on.register
    def _(self, event: events.DrainBegan) -> None:
        self._draining = True
        self._event("draining: nothing new is made, what is in flight is finished")

    @_on.register
    def _(self, event: events.ScriptAwaited) -> None:
        words = statement.awaited(event.stage, event.items, event.patience)
        self._event(f"{words} (Ctrl-C again stops now)", _YELLOW)

    @_on.register
    def _(self, event: events.HostJoined) -> None:
        labels = f" ({', '.join(event.labels)})" if event.labels else ""
        self.line(f"host {event.host} takes part: {event.cores} cores{labels}")

    @_on.register
    def _(self, event: events.HostUnfit) -> None:
        self.line(self._paint(f"host {event.host} cannot take part: {event.cause}", _YELLOW))

    @_on.register
    def _(self, event: events.HostMisspoke) -> None:
        self.line(self._paint(f"refused a message of a host, {event.count:,} so far: {event.cause}", _YELLOW))

    @_on.register
    def _(self, event: events.HostAwaited) -> None:
        self.line(self._paint(f"{event.stage} waits for a host with the label {event.label!r}", _YELLOW))

    @_on.register
    def _(self, event: events.HostLeaves) -> None:
        self.line(f"host {event.host} leaves: its workers drain")

    @_on.register
    def _(self, event: events.HostLeft) -> None:
        self.line(f"host {event.host} has left")

    @_on.register
    def _(self, event: events.HostLost) -> None:
        self.line(self._paint(f"host {event.host} is lost: {event.cause}", _YELLOW))

    @_on.register
    def _(self, event: events.StopBegan) -> None:
        self._stopping = True
        self._event(f"stopping: who has not ended in {duration(event.grace)} is killed", _YELLOW)

    @_on.register
    def _(self, event: events.KillBegan) -> None:
        self._event("killing all workers", _RED)

    @_on.register
    def _(self, event: events.RunFailed) -> None:
        self._stopping = True

    # The end ---------------------------------------------------------------------------------------------

    def end(
        self, counts: Mapping[int, LinkCount], totals: Totals, *, took: float, letters: str, failure: str
    ) -> None:
        """The ledger, where the dead letters are, and the last line; behind it, only why it failed."""
        if any(count.sent for count in counts.values()):
            self.line()
            heading, *rows = statement.ledger(self._plan, counts)
            self.line(self._paint(heading, _DIM))
            for row in rows:
                self.line(row)
        if totals.dead:
            self.line(f"dead letters are in {letters}; read them: penstock dead list")
        if failure and not totals.entered:
            self.refuse(failure)
            return
        good = not (totals.lost or totals.dead or totals.unfinished or failure)
        summary = self._paint(statement.last_line(totals), *([_BOLD, _GREEN] if good else [_BOLD]))
        self.line(f"{summary}   {duration(took)}")
        if failure:
            self.refuse(failure)

    def end_of_topics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """What subscribers have got."""
        if lines := statement.subscriptions(rows):
            self.line()
            self.line(self._paint(lines[0], _DIM))
            for line in lines[1:]:
                self.line(line)

    def end_of_jobs(self, summary: str, *, took: float, failure: str) -> None:
        """The last line of a run that has jobs instead of items."""
        self.line(f"{self._paint(summary, _BOLD)}   {duration(took)}")
        if failure:
            self.refuse(failure)

    def refuse(self, sentence: str) -> None:
        """Why it did not run, or did not go on running."""
        self._write(f"{self._erase}{self._paint('penstock:', _RED)} {sentence}\n")


def _is_terminal(out: TextIO, environ: Mapping[str, str]) -> bool:
    return out.isatty() and environ.get("TERM") != "dumb"


def _wants_colour(out: TextIO, environ: Mapping[str, str]) -> bool:
    if environ.get("NO_COLOR"):
        return False
    return bool(environ.get("FORCE_COLOR")) or _is_terminal(out, environ)


def _columns(out: TextIO) -> int:
    try:
        return os.get_terminal_size(out.fileno()).columns or 80
    except OSError:
        return 80


def _clip(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def _several(count: int, noun: str, ending: str = "s") -> str:
    return f"{number(count)} {noun}{'' if count == 1 else ending}"
