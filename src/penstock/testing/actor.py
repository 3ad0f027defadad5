"""A worker in a rehearsal: the real one, with its items written down."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from penstock.errors import UserError
from penstock.link.batching import Pace
from penstock.message.shape import converter
from penstock.pipeline.reference import Reference
from penstock.runtime import control
from penstock.runtime.worker.handler import Handler
from penstock.runtime.worker.live import LiveContext, Voice
from penstock.runtime.worker.topics.subscribing import Subscribing
from penstock.runtime.worker.worker import Worker
from penstock.runtime.worker.world import World
from penstock.testing.result import Delivery
from penstock.testing.spoken import Quiet


class Script:
    """What a rehearsal gives to its workers, and what they write down."""

    def __init__(self, targets: dict[str, Any], *, limit: int, clock: Callable[[], float]) -> None:
        """``targets``: functions and classes that are known here, by stage; others are imported."""
        self.targets = targets
        self.limit = limit
        self.clock = clock
        self.deliveries: list[Delivery] = []
        self.taken: dict[str, list[Any]] = {}
        """By sink."""
        self.published: list[tuple[str, Any]] = []
        self.failure: tuple[str, BaseException] | None = None
        """Who could not go on, and why."""


class SteadyPace(Pace):
    """Takes every item for equally cheap: how large batches are must not depend on this machine's mood."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.cost = 100_000.0

    def report(self, items: int, busy: int) -> None:
        """Do not listen."""


class Actor(Worker):
    """A worker that knows that it is watched."""

    def __init__(self, channel: Any, assignment: control.Assignment, world: World, script: Script) -> None:
        self._script = script
        super().__init__(channel, assignment, world)
        for link in self._links.values():
            link.credit.pace = SteadyPace()

    def close(self) -> None:
        """Let go of the files."""
        super().close()
        self._arena.close()

    def _target(self, name: str, code: Reference) -> Any:
        target = self._script.targets.get(name)
        return super()._target(name, code) if target is None else target

    def _refuse_misfit(self) -> None:
        """What stands in for code in a test may be plain where that is async, and the other way round."""

    def _load(self) -> None:
        super()._load()
        handler = self._handler
        if self._assignment.kind == "source":
            iterate = handler.iterate
            handler.iterate = lambda **start: self._bounded(iterate(**start))  # type: ignore[method-assign]
        else:
            handler.call = self._noted(handler.call)
            if isinstance(handler, Handler):
                handler.begin = self._noted_each(handler.begin)

    def _make_voice(self) -> Voice:
        return Quiet(self._assignment, self._exchange, self._sockets, self._script.published)

    def _fail(self, error: BaseException, *, permanent: bool) -> int:
        if self._script.failure is None:
            self._script.failure = (self._assignment.label, error)
        return 1

    def _bounded(self, made: Iterator[Any]) -> Iterator[Any]:
        limit, name = self._script.limit, self._assignment.stage
        try:
            for number, value in enumerate(made):
                if number == limit:
                    raise UserError(
                        f"{name} has made {limit:,} items and goes on; give test() the items it is to make,"
                        " or a higher limit="
                    )
                yield value
        finally:
            close = getattr(made, "close", None)
            if close is not None:
                close()

    def _noted(self, call: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """``call``, with what it is given written down."""

        def noted(argument: Any) -> Any:
            mine = self._before(argument, self._context)
            answer = call(argument)
            self._after(mine)
            return answer

        return noted

    def _noted_each(self, begin: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """The same of what is called with each item's own Context."""

        def noted(argument: Any, context: Any) -> Any:
            mine = self._before(argument, context)
            answer = begin(argument, context)
            if hasattr(answer, "__await__"):
                return self._awaited(answer, mine)
            self._after(mine)
            return answer

        return noted

    async def _awaited(self, answer: Awaitable[Any], mine: Any) -> Any:
        found = await answer
        self._after(mine)
        return found

    def _before(self, argument: Any, context: LiveContext) -> Any:
        """A delivery. Answers what a sink has taken, should it not raise."""
        script, stage = self._script, self._assignment.stage
        now = script.clock()
        script.deliveries += [Delivery(stage, id, attempt, now) for id, attempt in context.in_hand()]
        # A copy, made before: what the sink does to its item afterwards is the sink's affair.
        return copy.deepcopy(argument) if stage in script.taken else None

    def _after(self, mine: Any) -> None:
        taken = self._script.taken.get(self._assignment.stage)
        if taken is None:
            return
        # What takes batches is called with values that are converted already.
        many = bool(self._assignment.batch)
        convert = None if many else converter(self._handler.signature.item_type)
        taken.extend(mine if many else [mine if convert is None else convert(mine)])


class Listener(Subscribing, Actor):
    """A subscriber that knows it."""
