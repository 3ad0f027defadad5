"""Runs in the supervisor: answers the command line on ``control.sock``.

A question is one line of JSON, ``{"verb": "scale", "stage": "detect", "replicas": 3}``. The answer is one
line too: ``{"ok": true, "result": {...}}`` or ``{"ok": false, "error": "...", "code": 4}``. What lasts is
answered in ``subscriptions``, and who comes to take part in ``reception``. The run directory is closed to
others, and who gets here all the same is asked for by the kernel's word: see ``rights``.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from penstock.errors import NotRunning, PenstockError, PipelineFailed, TimedOut, UserError
from penstock.observe.events import Event, RenewalAbandoned, WorkerRenewed
from penstock.runtime.policy import guests, policy, renewal, rights, stimulus
from penstock.runtime.policy.roster import Goal
from penstock.runtime.supervisor import question
from penstock.runtime.supervisor.answer import granted, misasked, refused, say
from penstock.runtime.supervisor.journal import Journal
from penstock.runtime.supervisor.subscriptions import Subscriptions, recorded
from penstock.runtime.supervisor.supervisor import Supervisor
from penstock.runtime.supervisor.view import Document, View

if TYPE_CHECKING:
    from penstock.runtime.supervisor.sequel import Sequel

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
        self._server: asyncio.Server | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._subscriptions = Subscriptions(supervisor, journal)
        self._journal = journal
        self._renewals: dict[int, WorkerRenewed | RenewalAbandoned] = {}
        """How each restart that was asked for has come out, by the number of the worker."""
        supervisor.listeners.append(self._on_event)
        self._verbs: dict[str, Callable[..., Awaitable[Document]]] = {
            "ps": self._ps,
            "ledger": self._ledger,
            "sequel": self._sequel,
            "topics": self._topics,
            "surroundings": self._surroundings,
            "versions": self._versions,
            "deploy": self._deploy,
            "share": self._share,
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
            verb, asked = question.read(await reader.readline())
        except ValueError:
            await say(writer, misasked("not a question: one JSON object a line, with a verb"))
            return
        role = rights.role_of(question.asker(writer.get_extra_info("socket")), os.getuid())
        if why := rights.refusal(role, verb):
            await say(writer, refused(UserError(why)))
        elif verb == "attach":
            from penstock.runtime.supervisor.reception import (
                Reception,  # it knows what workers speak: few runs need that
            )

            await Reception(self._supervisor).receive(reader, writer, asked)
        elif verb in self._subscriptions.verbs:
            await self._subscriptions.receive(reader, writer, verb, asked)
        else:
            await self._reply(reader, writer, verb, asked)

    async def _reply(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, verb: str, asked: Document
    ) -> None:
        """Answer once; to hang up is to take the question back."""
        answer = asyncio.ensure_future(self._answer(verb, asked))
        gone = asyncio.ensure_future(reader.read(1))
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if answer.done():
            await say(writer, answer.result())
        answer.cancel()

    async def answer(self, role: rights.Role, line: bytes) -> Document:
        """The answer to somebody of that role on another machine."""
        try:
            verb, asked = question.read(line)
        except ValueError:
            return misasked("not a question: one JSON object a line, with a verb")
        if why := rights.afar(role, verb):
            return refused(UserError(why))
        return await self._answer(verb, asked)

    async def _answer(self, verb: str, arguments: dict[str, Any]) -> Document:
        handler = self._verbs.get(verb) or (self._belongings.get(verb) if verb in rights.AFAR else None)
        if handler is None:
            return misasked(f"no such verb: {verb}")
        if self._server is None and not self._supervisor.roster.ended:
            return refused(NotRunning("the run was cut off"))
        try:
            return granted(await handler(**question.arguments(handler, arguments)))
        except PenstockError as error:
            return refused(error)
        except TypeError as error:
            return misasked(f"{verb}: {error}")

    def _on_event(self, event: Event) -> None:
        if isinstance(event, (WorkerRenewed, RenewalAbandoned)):
            self._renewals[event.number] = event
        self._changed.set()

    # The verbs -------------------------------------------------------------------------------------------

    async def _ps(self) -> Document:
        return self._view.ps()

    async def _ledger(self) -> Document:
        return self._view.ledger()

    async def _sequel(self, seen: int, *, wait: bool = False) -> Document:
        """The events from number ``seen`` on. ``wait``: until there is one, or the run is over."""
        while not (found := self._events.after(seen)) and wait and not self._supervisor.roster.ended:
            self._changed.clear()
            await self._changed.wait()
        return {"schema": "penstock.sequel/1", "events": found}

    @cached_property
    def _events(self) -> Sequel:
        from penstock.runtime.supervisor.sequel import Sequel  # for those who ask from elsewhere

        return Sequel(self._journal)

    @cached_property
    def _belongings(self) -> Mapping[str, Callable[..., Awaitable[Document]]]:
        from penstock.runtime.supervisor.belongings import Belongings  # as above

        return Belongings(self._supervisor).verbs

    async def _topics(self) -> Document:
        return self._view.topics()

    async def _surroundings(self, stage: str, replica: int) -> Document:
        """By what and in which environment that replica is run; with its secrets, so for its user alone."""
        if refused := guests.refusal(self._supervisor.roster, stage, replica):
            raise UserError(refused)
        command, environment = self._supervisor.outfit.surroundings(stage)
        return {"schema": "penstock.surroundings/1", "command": command, "environment": environment}

    async def _scale(self, stage: str, replicas: int) -> Document:
        refused = policy.refusal(self._supervisor.roster, stage, replicas)
        if refused:
            raise UserError(refused)
        before = self._supervisor.roster.stages[stage].asked
        self._supervisor.tell(stimulus.Scale(stage, replicas))
        return {"schema": "penstock.scale/1", "stage": stage, "before": before, "after": replicas}

    async def _versions(self) -> Document:
        from penstock.runtime.supervisor import versions  # few runs have any

        return versions.rows(self._supervisor)

    async def _deploy(self, service: str, stage: dict[str, Any], share: float) -> Document:
        """Another version of ``service`` gets that part of its calls."""
        from penstock.runtime.supervisor import versions

        return await versions.deploy(self._supervisor, service, stage, share)

    async def _share(
        self, service: str, share: float | None = None, *, everything: bool | None = None
    ) -> Document:
        """It gets another part; or all, or nothing."""
        from penstock.runtime.supervisor import versions

        return versions.change(self._supervisor, service, share, everything=everything)

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
        from penstock.runtime.supervisor import strays  # few runs have any

        taken = strays.requeue(self._supervisor, [known[label] for label in links])
        return {
            "schema": "penstock.requeue/1",
            "links": links,
            "now": [label for label in links if known[label] in taken],
        }

    async def _drain(self) -> Document:
        already = self._supervisor.roster.goal >= Goal.DRAIN
        self._supervisor.tell(stimulus.Drain())
        totals, roster = self._view.ledger()["totals"], self._supervisor.roster
        told = roster.vigil.told if roster.vigil else frozenset()
        awaited = sorted(name for name in told if roster.stages[name].external)
        return {"schema": "penstock.drain/1", "already": already, "totals": totals, "awaited": awaited}

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
        return recorded(archive)

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
