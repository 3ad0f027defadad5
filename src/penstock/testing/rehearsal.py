"""``pipeline.test()``: the whole graph in this process, the real workers and a clock put forward by hand.

Each replica is the very worker that would sit in a process of its own: the same codec, ledger, credit,
failure rules and drain. What is not real is what lies between and around them: messages are queued instead
of sent, one worker runs at a time (see ``seat``), and where all of them wait the clock goes forward to when
the first wants to go on. So a back-off of minutes costs nothing, and every run is like the last.

This file plays the supervisor: it introduces the workers to each other, tells them who has finished, and
lets each stage drain when all that feed it are over.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from penstock.errors import PenstockError, PipelineFailed, UserError, WiringError
from penstock.message import letter
from penstock.message.recording import Recording
from penstock.observe.page import Page
from penstock.pipeline.cut import cut
from penstock.pipeline.nearest import nearest
from penstock.pipeline.plan import SUBSCRIBER, Plan, StagePlan, inlinks, outlets
from penstock.runtime import control, reels
from penstock.runtime.policy.action import Remains
from penstock.runtime.supervisor.account import Account, Reading, total
from penstock.runtime.supervisor.assignment import assign
from penstock.runtime.worker.handler import one_line
from penstock.runtime.worker.order.replayer import let_go
from penstock.runtime.worker.world import World
from penstock.testing.actor import Actor, Listener, Script
from penstock.testing.answers import Answers, without_services
from penstock.testing.result import Result, dead
from penstock.testing.seat import Channel, Guard, Inline, Seat, outside
from penstock.testing.wires import Wires

ARENA = 1 << 26
"""Bytes of shared memory for what one replica sends. Sparse: only what is used costs anything."""

PATIENCE = 60.0
"""Seconds of real time that async code may wait for a socket or another thread while nothing else happens."""

Items = Iterable[Any] | Mapping[str, Iterable[Any]] | Recording | None


def rehearse(
    plan: Plan, targets: Mapping[str, Any], *, items: Items, replace: Mapping[str, Any], limit: int
) -> Result:
    """Run ``plan`` here; see ``Pipeline.test``.

    Args:
        plan: what to run.
        targets: functions and classes that need not be imported, by stage.
        items: what sources make instead of their own.
        replace: code for stages instead of their own.
        limit: items that a source may make.

    Raises:
        UserError: see ``Pipeline.test``.
        PipelineFailed: see ``Pipeline.test``.
    """
    if isinstance(items, Recording):
        plan, items = _played(plan, items), None
        targets = {stage.name: targets[stage.name] for stage in plan.stages if _is_own(stage, targets)}
    plan, given = _cast(plan, items, replace)
    path = list(sys.path)
    with tempfile.TemporaryDirectory(prefix="penstock-test-") as folder:
        try:
            targets = {**targets, **given}
            with Answers(plan, targets, folder):
                return Rehearsal(without_services(plan), targets, folder=folder, limit=limit).run()
        finally:
            sys.path[:] = path  # what was imported by name has put its directory there


def _played(plan: Plan, recording: Recording) -> Plan:
    """The plan whose sources play what they have sent."""
    return cut(plan, reels.reel(plan, recording), list(recording)).plan


def _is_own(stage: StagePlan, targets: Mapping[str, Any]) -> bool:
    return stage.reel is None and stage.name in targets


def _cast(plan: Plan, items: Items, replace: Mapping[str, Any]) -> tuple[Plan, dict[str, Any]]:
    """The plan as it is played, and the code that is not the stages' own."""
    made = {name: list(values) for name, values in _by_source(plan, items).items()}
    for name in replace:
        _find(plan, name, [stage.name for stage in plan.stages], "stage")
        if name in made:
            raise UserError(f"test() is given both items and other code for {name!r}; choose one")
        if plan.stage(name).shape is not None:
            raise UserError(
                f"{name!r} is a window or a join, which has no code to replace; test what it feeds"
            )
    stages = [
        msgspec.structs.replace(stage, replicas=1) if stage.name in made else stage for stage in plan.stages
    ]
    for stage in stages:
        if stage.name not in made:
            _refuse_foreign(stage)
            _refuse_vacant(stage, replace)
            _refuse_waiting(stage, replace)
    given = {name: getattr(each, "target", each) for name, each in replace.items()}
    given.update(
        {stage.name: let_go for stage in stages if stage.queue and stage.name not in {*given, *made}}
    )
    stages = [msgspec.structs.replace(stage, queue="") for stage in stages]  # a test puts nothing on disk
    # Nobody is slow here, so no link is ever full: one that may drop would drop by whose turn it was.
    links = [msgspec.structs.replace(link, on_full="block") for link in plan.links]
    return msgspec.structs.replace(plan, stages=stages, links=links), {
        **given,
        **{name: (lambda values=values: iter(values)) for name, values in made.items()},
    }


def _by_source(plan: Plan, items: Items) -> Mapping[str, Iterable[Any]]:
    """What each source is to make, by its name.

    Raises:
        WiringError: there is no such source, or several to choose from.
    """
    sources = [stage.name for stage in plan.stages if stage.kind == "source"]
    if items is None:
        return {}
    if isinstance(items, Mapping):
        for name in items:
            _find(plan, name, sources, "source")
        return items
    if len(sources) > 1:
        example = ", ".join(f'"{name}": [...]' for name in sources)
        raise WiringError(
            f"{plan.pipeline} has {len(sources)} sources; say which makes what: test({{{example}}})"
        )
    return {sources[0]: items}


def _find(plan: Plan, name: str, known: list[str], kind: str) -> None:
    if name not in known:
        raise WiringError(f"{plan.pipeline} has no {kind} {name!r}{nearest(name, known)}")


def _refuse_vacant(stage: StagePlan, replace: Mapping[str, Any]) -> None:
    """No script can be attached to a test.

    Raises:
        WiringError: it is an external stage, and nothing stands in for it.
    """
    if stage.external and stage.name not in replace:
        cure = (
            f"items={{{stage.name!r}: [...]}}"
            if stage.kind == "source"
            else f"replace={{{stage.name!r}: function}}"
        )
        raise WiringError(
            f"{stage.name!r} is taken by a script, and none is here; give test() {cure}", stage.where
        )


def _refuse_waiting(stage: StagePlan, replace: Mapping[str, Any]) -> None:
    """Nobody puts anything into a queue while a test runs.

    Raises:
        WiringError: it draws from one, and nothing stands in for that.
    """
    if stage.queue and stage.kind == "source" and stage.name not in replace:
        cure = f"items={{{stage.name!r}: [...]}}"
        raise WiringError(
            f"{stage.name!r} draws from a queue, and a test has none; give test() {cure}", stage.where
        )


def _refuse_foreign(stage: StagePlan) -> None:
    """All stages share this process and its environment; one that counts on another would not be tested.

    Raises:
        WiringError: it asks for variables that are not set here.
    """
    for name, value in stage.variables.items():
        if os.environ.get(name) != value:
            raise WiringError(
                f"{stage.name!r} runs with {name}={value} and this process does not; set it first, in a test"
                f" with monkeypatch.setenv({name!r}, {value!r}), or replace the stage",
                stage.where,
            )


class _Part:
    """One replica: its assignment, where it sits, and the worker once it is there."""

    def __init__(self, assignment: control.Assignment, seat: Seat) -> None:
        self.assignment = assignment
        self.seat = seat
        self.bound = False
        self.over = False


class Rehearsal:
    """One run of a pipeline in this process."""

    def __init__(self, plan: Plan, targets: dict[str, Any], *, folder: str, limit: int) -> None:
        """``folder``: for arenas, pages and dead letters."""
        self._plan = plan
        self._folder = folder
        self._now = 0.0
        self._wires = Wires()
        self._account = Account(plan)
        self._script = Script(targets, limit=limit, clock=self._clock)
        self._drained: set[str] = set()
        for stage in plan.stages:
            if stage.kind in {"sink", SUBSCRIBER}:
                self._script.taken[stage.name] = []
        # Downstream first: what is made at once finds somebody who takes it.
        self._parts = [
            self._part(stage, replica, number)
            for number, (stage, replica) in enumerate(
                ((stage, replica) for stage in reversed(plan.stages) for replica in range(stage.replicas)), 1
            )
        ]

    def run(self) -> Result:
        """From the first item to the last ledger."""
        try:
            while living := [part for part in self._parts if not part.over]:
                ready = [part for part in living if part.seat.is_ready]
                for part in ready:
                    self._go(part)
                if not ready:
                    self._put_forward(living)
        finally:
            for part in self._parts:
                part.seat.abandon()
        return self._result()

    def _clock(self) -> float:
        return self._now

    def _part(self, stage: StagePlan, replica: int, number: int) -> _Part:
        assignment = assign(
            self._plan,
            stage,
            run="test",
            replica=replica,
            replicas=stage.replicas,
            number=number,
            run_dir=self._folder,
            state_dir=self._folder,
            arena_bytes=ARENA if outlets(self._plan, stage.name) else 0,
            config=self._plan.config,
        )
        part = _Part(assignment, Seat(lambda: self._live(part), clock=self._clock))
        return part

    def _live(self, part: _Part) -> None:
        """In the part's own thread."""
        seat = part.seat
        channel = Channel(seat, lambda message: self._hear(part, message))
        world = World(
            sockets=self._wires,
            guard=lambda *_: Guard(seat),
            waiter=seat.waiter,
            clock=self._clock,
            pool=Inline,
        )
        kind = Actor if part.assignment.ear is None else Listener
        worker = kind(channel, part.assignment, world, self._script)
        try:
            worker.run()
        finally:
            worker.close()

    def _go(self, part: _Part) -> None:
        """One turn of one worker.

        Raises:
            PipelineFailed: its code could not be loaded or set up, or its source raised.
            UserError: that, where an edit cures it.
        """
        part.seat.go()
        if part.seat.error is not None:
            raise part.seat.error
        if self._script.failure is not None:
            label, error = self._script.failure
            if isinstance(error, UserError):
                raise error
            raise PipelineFailed(f"{label}: {one_line(error)}") from error
        if part.seat.ended:
            part.over = True
            self._account.keep(self._read(part), Remains.NONE)
            self._tell_of(part)

    def _put_forward(self, living: list[_Part]) -> None:
        """Nobody has anything to do: it is the time at which somebody will."""
        due = [part.seat.deadline for part in living if part.seat.deadline is not None]
        expecting = [part.seat for part in living if any(look() for look in part.seat.outside.values())]
        if expecting:  # of this machine, whose time cannot be put forward
            began, limit = time.monotonic(), min(due) - self._now if due else PATIENCE
            came = outside(expecting, max(0.0, limit))
            if came or due:
                self._now = min([self._now + time.monotonic() - began, *due])
                if came:
                    return
        if not due:
            names = ", ".join(part.assignment.label for part in living)
            raise PenstockError(f"the test is stuck: {names} wait for ever; that is a fault in penstock")
        self._now = max(self._now, min(due))

    # As the supervisor -----------------------------------------------------------------------------------

    def _hear(self, part: _Part, message: control.ToSupervisor) -> None:
        if isinstance(message, control.Bound):
            part.bound = True
            if part.assignment.ear is not None:
                self._name_publishers(part)
            for other in self._parts:
                if other.bound and not other.over:
                    self._introduce(part, other)
                    self._introduce(other, part)

    def _name_publishers(self, subscriber: _Part) -> None:
        """All others may be. If there are none, it has nothing to wait for."""
        others = [part.assignment for part in self._parts if part is not subscriber]
        for each in others:
            path, _ = control.topic_paths(self._folder, each.number)
            subscriber.seat.mailbox.append(control.Hear(each.number, each.label, f"ipc://{path}"))
        if all(each.ear is not None for each in others):
            subscriber.seat.mailbox.append(control.Drain())

    def _introduce(self, sender: _Part, receiver: _Part) -> None:
        made = sender.assignment
        endpoint = f"ipc://{control.paths(self._folder, made.number)[0]}"
        for link in self._plan.links:
            if (link.source, link.target) == (made.stage, receiver.assignment.stage):
                receiver.seat.mailbox.append(control.Connect(link.id, made.number, made.label, endpoint))

    def _tell_of(self, gone: _Part) -> None:
        """Tell the others that one has finished; a stage that nothing feeds any more drains."""
        for part in self._parts:
            if not part.over:
                part.seat.mailbox.append(control.Gone(gone.assignment.number, gone.assignment.label, ""))
        for stage in self._plan.stages:
            feeders = self._feeders(stage)
            fed = [part for part in self._parts if part.assignment.stage in feeders]
            if feeders and stage.name not in self._drained and all(part.over for part in fed):
                self._drained.add(stage.name)
                for part in self._parts:
                    if part.assignment.stage == stage.name:
                        part.seat.mailbox.append(control.Drain())

    def _feeders(self, stage: StagePlan) -> set[str]:
        if stage.kind == SUBSCRIBER:
            return {each.name for each in self._plan.stages if each.kind != SUBSCRIBER}
        return {link.source for link in self._plan.links if link.target == stage.name}

    def _read(self, part: _Part) -> Reading:
        stage = part.assignment.stage
        count = len(self._account.out_ids(stage)) + len(inlinks(self._plan, stage))
        page = Page(control.paths(self._folder, part.assignment.number)[2])
        try:
            return Reading(stage, [page.link(position) for position in range(count)])
        finally:
            page.close()

    def _result(self) -> Result:
        counts = self._account.balance([])
        letters = map(letter.read, letter.list_letters(os.path.join(self._folder, "dead")))
        return Result(
            sinks=self._script.taken,
            dead=[dead(each, allow_pickle=self._plan.allow_pickle) for each in letters],
            deliveries=self._script.deliveries,
            ledger={link.label: counts[link.id] for link in self._plan.links},
            totals=total(self._plan, counts),
            took=self._now,
            published=self._script.published,
        )
