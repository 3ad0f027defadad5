"""Services in a pipeline under test: their code is called in place, with what would have travelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from types import TracebackType
from typing import Any

import msgspec

from penstock.errors import PenstockError, RemoteError
from penstock.message.codec import Decoder, Encoder, join
from penstock.pipeline import service
from penstock.pipeline.context import Context
from penstock.pipeline.plan import SERVICE, Plan, StagePlan
from penstock.runtime.worker import handler, outset
from penstock.runtime.worker.batcher import one_for_each
from penstock.runtime.worker.handler import Handler


class Answers:
    """``with`` it calls are answered here."""

    def __init__(self, plan: Plan, targets: Mapping[str, Any], folder: str) -> None:
        self._plans = {stage.name: stage for stage in plan.stages if stage.kind == SERVICE}
        self._targets = targets
        self._folder = folder
        self._config = plan.config
        self._handlers: dict[str, Handler] = {}
        self._loop = Loop()
        self._encoder, self._decoder = Encoder(None), Decoder()

    def __enter__(self) -> None:
        self._before, service.rehearsed = service.rehearsed, self._answer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        service.rehearsed = self._before
        for each in self._handlers.values():
            each.teardown()
        self._loop.close()

    def _answer(self, name: str, value: Any) -> Any:
        plan = self._plans.get(name)
        if plan is None:
            raise PenstockError(f"{name} is not in the pipeline under test: Pipeline(..., {name})")
        code = self._handlers.get(name) or self._made(plan)
        value = self._travelled(value)
        try:
            return self._travelled(_called(plan, code, value, self._loop))
        except PenstockError:
            raise
        except Exception as error:
            text = f"{name}: {handler.one_line(error)}"
            raise RemoteError(
                text, kind=type(error).__name__, traceback=handler.user_traceback(error)
            ) from error

    def _made(self, plan: StagePlan) -> Handler:
        target = self._targets.get(plan.name) or outset.target(plan.code)
        made = self._handlers[plan.name] = Handler(
            target,
            Context(id=f"{plan.name}/0", config=self._config),
            hostwide=f"{self._folder}/{plan.name}.host",
            loop=lambda: self._loop,
            batches=bool(plan.batch),
        )
        made.setup()
        return made

    def _travelled(self, value: Any) -> Any:
        return self._decoder.values(join([self._encoder.encode(value)]))[0]


class Loop:
    """For async code."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def complete(self, awaitable: Awaitable[Any]) -> Any:
        """What it answers."""
        return self._runner.run(_awaited(awaitable))

    def close(self) -> None:
        """No more."""
        self._runner.close()


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _called(plan: StagePlan, code: Handler, value: Any, loop: Loop) -> Any:
    if not plan.batch:
        answer = code.call(value)
        return loop.complete(answer) if code.signature.is_async else answer
    if code.signature.takes_array:
        return one_for_each(code.call(value[None]), 1)[0]
    return one_for_each(code.call([value]), 1)[0]


def without_services(plan: Plan) -> Plan:
    """The stages that items go through."""
    return msgspec.structs.replace(plan, stages=[each for each in plan.stages if each.kind != SERVICE])
