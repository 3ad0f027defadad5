"""Runs in the supervisor: answers the command line on ``control.sock``.

A question is one line of JSON, ``{"verb": "scale", "stage": "detect", "replicas": 3}``. The answer is one
line too: ``{"ok": true, "result": {...}}`` or ``{"ok": false, "error": "...", "code": 4}``. ``events``
goes on with a line for each event, from the first of the run on, until somebody hangs up or the run ends.
Whoever can reach the socket is the user: the run directory is closed to others.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

from penstock.errors import NotRunning, PenstockError, PipelineFailed, TimedOut, UserError
from penstock.observe.events import Event, RenewalAbandoned, WorkerRenewed
from penstock.runtime import guests, policy, renewal, stimulus
from penstock.runtime.archive import Archive
from penstock.runtime.journal import Journal, Record
from penstock.runtime.reception import Reception
from penstock.runtime.roster import Goal
from penstock.runtime.supervisor import Supervisor
from penstock.runtime.view import Document, View

LOOK = 0.05
"""Seconds between two looks at the counts while somebody waits for an idle pipeline. Nobody else polls."""
LONGEST_QUESTION = 1 << 16
GOALS = ("ready", "idle", "drained", "ended")


class Server:
    """The control socket of a run."""

    def __init__(self, supervisor: Supervisor, view: View, *, journal: Journal) -> None:
        """Nobody is answered before ``start``."""
        self._supervisor = supervisor
        self._view = view
        self._journal = journal
        self._server: asyncio.Server | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._tapped: set[int] = set()
        self._reception = Reception(supervisor)
        self._renewals: dict[int, WorkerRenewed | RenewalAbandoned] = {}
        """How each restart that was asked for has come out, by the number of the worker."""
        supervisor.listeners.append(self._on_event)
        self._verbs: dict[str, Callable[..., Awaitable[Document]]] = {
            "ps": self._ps,
            "ledger": self._ledger,
            "surroundings": self._surroundings,
            "scale": self._scale,
            "pause": self._pause,
            "restart": self._restart,
            "renewal": self._renewal,
            "requeue": self._requeue,
            "drain": self._drain,
            "stop": self._stop,
            "wait": self._wait,
            "record_stop": self._record_stop,
        }

    async def start(self) -> None:
        """Take calls."""
        path = self._supervisor.run_dir.control_socket
        self._server = await asyncio.start_unix_server(self._call, path, limit=LONGEST_QUESTION)

    async def stop(self) -> None:
        """Take no more; those who wait get their last answer. Twice is fine."""
        if self._server is None:
            return
        server, self._server = self._server, None
        for listening in server.sockets:
            asyncio.get_running_loop().remove_reader(listening)
        # A server that is closed while it makes a connection of what it has let in leaves that open for ever.
        await self._take_turns()
        server.close()
        self._changed.set()
        if self._calls:
            _, late = await asyncio.wait(self._calls, timeout=1.0)
            for call in late:
                call.cancel()
        await self._take_turns()

    @staticmethod
    async def _take_turns() -> None:
        """Let the loop do what it has before it: it takes a few turns to make a call of a connection, or to
        close one. Where a process goes on when its loop has ended, nobody else would."""
        for _ in range(4):
            await asyncio.sleep(0)

    # One call --------------------------------------------------------------------------------------------

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._calls.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # whoever asked has gone, or we go
        finally:
            self._calls.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            question = json.loads(await reader.readline())
            verb = question.pop("verb")
        except (ValueError, AttributeError, KeyError, TypeError):
            await _say(
                writer,
                {"ok": False, "error": "not a question: one JSON object a line, with a verb", "code": 2},
            )
            return
        if verb == "events":
            await self._stream(reader, writer)
            return
        if verb == "attach":
            await self._reception.receive(reader, writer, question)
            return
        if verb == "tap":
            await self._tap(reader, writer, question.get("links"), question.get("rate"))
            return
        if verb == "record":
            await self._record(reader, writer, question.get("links"), question.get("path"))
            return
        answer = asyncio.ensure_future(self._answer(verb, question))
        gone = asyncio.ensure_future(reader.read(1))
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if answer.done():
            await _say(writer, answer.result())
        answer.cancel()

    async def _answer(self, verb: str, arguments: dict[str, Any]) -> Document:
        handler = self._verbs.get(verb)
        if handler is None:
            return {"ok": False, "error": f"no such verb: {verb}", "code": 2}
        if self._server is None and not self._supervisor.roster.ended:
            return {"ok": False, "error": "the run was cut off", "code": NotRunning.exit_code}
        try:
            return {"ok": True, "result": await handler(**arguments)}
        except PenstockError as error:
            return {"ok": False, "error": str(error), "code": error.exit_code}
        except TypeError as error:
            return {"ok": False, "error": f"{verb}: {error}", "code": 2}

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """All events of the run: those that were, and those that come."""
        queue: asyncio.Queue[Record] = asyncio.Queue()
        for record in self._journal.follow(queue.put_nowait):
            queue.put_nowait(record)
        gone = asyncio.ensure_future(reader.read(1))
        await _say(writer, {"ok": True, "result": {"schema": "penstock.events/1"}})
        try:
            ended = False
            while not gone.done() and not ended:
                coming = asyncio.ensure_future(queue.get())
                await asyncio.wait({coming, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    coming.cancel()
                    break
                record = coming.result()
                await _say(writer, record)
                ended = record["event"] == "run_ended"
        finally:
            gone.cancel()
            self._journal.leave(queue.put_nowait)

    async def _tap(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, links: Any, rate: Any
    ) -> None:
        """Have samples of these links laid into the run directory until whoever asked hangs up."""
        if wrong := self._untappable(links, rate):
            await _say(writer, {"ok": False, "error": wrong, "code": UserError.exit_code})
            return
        self._tapped |= set(links)
        try:
            for link in links:
                self._supervisor.tap(link, rate)
            await _say(writer, {"ok": True, "result": {"schema": "penstock.tap/1", "links": links}})
            await reader.read(1)
        finally:
            self._tapped -= set(links)
            for link in links:
                self._supervisor.tap(link, 0.0)

    async def _record(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, links: Any, path: Any
    ) -> None:
        """Record these links until whoever asked says a word or hangs up; answer again when all is closed."""
        recordings = self._supervisor.recordings
        try:
            archive = recordings.begin(self._folder(path), self._known(links))
        except UserError as error:
            await _say(writer, {"ok": False, "error": str(error), "code": error.exit_code})
            return
        word = asyncio.ensure_future(reader.read(1))
        over = asyncio.ensure_future(archive.over.wait())
        try:
            await _say(writer, {"ok": True, "result": {"schema": "penstock.recording/1", "path": path}})
            await asyncio.wait({word, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            word.cancel()
            if recordings.now is archive:
                recordings.stop()
        await over
        await _say(writer, {"ok": True, "result": _recorded(archive)})

    @staticmethod
    def _folder(path: Any) -> str:
        if not isinstance(path, str) or not os.path.isabs(path):
            raise UserError("a recording needs an absolute path")
        return path

    def _known(self, links: Any) -> list[int]:
        known = {link.id for link in self._supervisor.plan.links}
        if not isinstance(links, list) or not links or not set(links) <= known:
            raise UserError("a recording is of links that there are")
        return links

    def _untappable(self, links: Any, rate: Any) -> str:
        known = {link.id: link.label for link in self._supervisor.plan.links}
        right = isinstance(rate, (int, float)) and rate > 0 and isinstance(links, list) and links
        if not right or not all(type(link) is int and link in known for link in links):
            return "a tap is of links that there are, and of more than 0 samples a second"
        busy = ", ".join(known[link] for link in sorted(self._tapped & set(links)))
        return f"somebody else looks at {busy} already; wait until they are through" if busy else ""

    def _on_event(self, event: Event) -> None:
        if isinstance(event, (WorkerRenewed, RenewalAbandoned)):
            self._renewals[event.number] = event
        self._changed.set()

    # The verbs -------------------------------------------------------------------------------------------

    async def _ps(self) -> Document:
        return self._view.ps()

    async def _ledger(self) -> Document:
        return self._view.ledger()

    async def _surroundings(self, stage: str, replica: int) -> Document:
        """By what and in which environment that replica is run; with its secrets, so for its user alone."""
        if refused := guests.refusal(self._supervisor.roster, stage, replica):
            raise UserError(refused)
        command, environment = self._supervisor.surroundings(stage)
        return {"schema": "penstock.surroundings/1", "command": command, "environment": environment}

    async def _scale(self, stage: str, replicas: int) -> Document:
        refused = policy.refusal(self._supervisor.roster, stage, replicas)
        if refused:
            raise UserError(refused)
        before = self._supervisor.roster.stages[stage].asked
        self._supervisor.tell(stimulus.Scale(stage, replicas))
        return {"schema": "penstock.scale/1", "stage": stage, "before": before, "after": replicas}

    async def _pause(self, stages: list[str], *, paused: bool) -> Document:
        """``stages``: none means all. ``paused``: false lets them go on."""
        roster = self._supervisor.roster
        unknown = [name for name in stages if name not in roster.stages]
        if unknown:
            raise UserError(f"no stage is called {unknown[0]}; there are {', '.join(roster.stages)}")
        if paused and roster.goal > Goal.WORK:
            raise UserError("nothing is paused any more: the pipeline is draining")
        for name in stages or roster.stages:
            self._supervisor.tell(stimulus.Pause(name, paused))
        return {"schema": "penstock.pause/1", "stages": stages or list(roster.stages), "paused": paused}

    async def _restart(
        self, stage: str | None = None, replica: int | None = None, *, drain_first: bool = False
    ) -> Document:
        """Begin to restart these workers, one by one; ``renewal`` says of each how that came out."""
        roster = self._supervisor.roster
        refused = renewal.refusal(roster, stage, replica)
        if refused:
            raise UserError(refused)
        workers = renewal.wanted(roster, stage, replica)
        self._supervisor.tell(stimulus.Restart(tuple(one.number for one in workers), drain_first))
        return {
            "schema": "penstock.restarting/1",
            "workers": [{"worker": one.label, "number": one.number} for one in workers],
        }

    async def _renewal(self, number: int, timeout: float | None = None) -> Document:  # noqa: ASYNC109  on the wire
        """How the restart of this worker came out, as soon as it has."""
        try:
            async with asyncio.timeout(timeout):
                while number not in self._renewals:
                    self._refuse_vain(number)
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimedOut(f"worker {number} was not restarted within {timeout:g} s") from None
        outcome = self._renewals[number]
        if isinstance(outcome, RenewalAbandoned):
            raise PipelineFailed(f"{outcome.label} was not restarted: {outcome.cause}")
        return {
            "schema": "penstock.renewal/1",
            "worker": outcome.label,
            "before": number,
            "after": outcome.successor,
        }

    def _refuse_vain(self, number: int) -> None:
        roster = self._supervisor.roster
        if roster.ended or not any(each.old == number for each in roster.renewals):
            raise UserError(f"worker {number} is not being restarted")

    async def _requeue(self, links: list[str]) -> Document:
        """Dead letters of these links were put back; ``now``: the links by which they go at once."""
        known = {link.label: link.id for link in self._supervisor.plan.links}
        unknown = [label for label in links if label not in known]
        if unknown:
            raise UserError(f"there is no link {unknown[0]}; there are {', '.join(known)}")
        taken = self._supervisor.requeue([known[label] for label in links])
        return {
            "schema": "penstock.requeue/1",
            "links": links,
            "now": [label for label in links if known[label] in taken],
        }

    async def _drain(self) -> Document:
        already = self._supervisor.roster.goal >= Goal.DRAIN
        self._supervisor.tell(stimulus.Drain())
        totals = self._view.ledger()["totals"]
        return {"schema": "penstock.drain/1", "already": already, "totals": totals}

    async def _stop(self, *, now: bool = False) -> Document:
        """``now``: kill, without waiting for the current items."""
        already = self._supervisor.roster.goal >= Goal.STOP
        self._supervisor.tell(stimulus.Stop())
        if now and self._supervisor.roster.goal == Goal.STOP:
            self._supervisor.tell(stimulus.Interrupt())
        return {"schema": "penstock.stop/1", "already": already, "totals": self._view.ledger()["totals"]}

    async def _record_stop(self) -> Document:
        archive = self._supervisor.recordings.stop()
        if archive is None:
            raise UserError(f"{self._supervisor.plan.pipeline} is not being recorded")
        await archive.over.wait()
        return _recorded(archive)

    async def _wait(self, goal: str, timeout: float | None = None) -> Document:  # noqa: ASYNC109  on the wire
        if goal not in GOALS:
            raise UserError(f"nothing is called {goal}; wait for {', '.join(GOALS)}")
        try:
            async with asyncio.timeout(timeout):
                await self._until(goal)
        except TimeoutError:
            raise TimedOut(f"{self._supervisor.plan.pipeline} was not {goal} within {timeout:g} s") from None
        return {**self._view.ledger(), "schema": "penstock.wait/1", "goal": goal}

    async def _until(self, goal: str) -> None:
        while not self._reached(goal):
            self._changed.clear()
            if goal == "idle":
                await asyncio.sleep(LOOK)
            else:
                await self._changed.wait()

    def _reached(self, goal: str) -> bool:
        roster = self._supervisor.roster
        if roster.ended:
            return self._reached_at_the_end(goal)
        if goal == "ready":
            return all(map(self._view.is_ready, roster.stages.values()))
        if goal == "idle":
            counts = self._supervisor.balance().values()
            return not any(count.in_flight or count.waiting for count in counts)
        return False

    def _reached_at_the_end(self, goal: str) -> bool:
        roster = self._supervisor.roster
        if goal == "ended" or (roster.failure is None and not roster.cut_short):
            return True
        raise PenstockError(f"{self._supervisor.plan.pipeline} has ended, and never was {goal}")


def _recorded(archive: Archive) -> Document:
    return {"schema": "penstock.recording/1", "path": archive.path}


async def _say(writer: asyncio.StreamWriter, answer: Document) -> None:
    writer.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
    await writer.drain()
