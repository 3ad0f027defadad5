"""Python pipelines whose stages live in their own processes: memory speed, nothing lost.

Declare: ``source``, ``stage``, ``sink``, ``map``, ``filter``, ``split``, ``route``, ``join``, ``tumbling``,
``sliding``, ``session``, ``Pipeline``; for durable jobs ``task``. Inside a stage or task: ``Context``,
``Reject``, ``Retry``. What goes wrong is a ``PenstockError``.

Names are imported when they are first asked for: ``penstock --help`` and every worker start at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List

from penstock.errors import (
    EnvironmentFault,
    JobCancelled,
    JobFailed,
    NotRunning,
    PeerError,
    PenstockError,
    PipelineFailed,
    Reject,
    RemoteError,
    Retry,
    ServiceBusy,
    ServiceError,
    TimedOut,
    UnsupportedType,
    UserError,
    WiringError,
)

if TYPE_CHECKING:
    from penstock.message.recording import Recording
    from penstock.pipeline.at import at
    from penstock.pipeline.context import Context
    from penstock.pipeline.external import external
    from penstock.pipeline.flow import Flow, route
    from penstock.pipeline.joining import join
    from penstock.pipeline.oneliner import filter as filter  # noqa: A004  for `penstock.filter`: say that
    from penstock.pipeline.oneliner import map as map  # noqa: A004  as `filter`
    from penstock.pipeline.oneliner import split
    from penstock.pipeline.pipeline import Pipeline
    from penstock.pipeline.service import Service, connect_service, service
    from penstock.pipeline.stage import Sink, Source, Stage, sink, source, stage
    from penstock.pipeline.subscriber import subscriber
    from penstock.pipeline.window import session, sliding, tumbling
    from penstock.queues import from_queue, to_queue
    from penstock.runtime.audience import subscribe
    from penstock.runtime.guest.attach import attach
    from penstock.runtime.guest.guest import Guest
    from penstock.tasks.bundle import group
    from penstock.tasks.chain import chain
    from penstock.tasks.context import JobContext
    from penstock.tasks.handle import Job
    from penstock.tasks.jobs import Jobs
    from penstock.tasks.space import between
    from penstock.tasks.study import Study
    from penstock.tasks.sweep import sweep
    from penstock.tasks.task import Task, task
    from penstock.tasks.trial import Trial

__version__ = "0.1.0"

# Without `map` and `filter`: `from penstock import *` is not to hide what Python calls so.
__all__ = [
    "Context",
    "EnvironmentFault",
    "Flow",
    "Guest",
    "Job",
    "JobCancelled",
    "JobContext",
    "JobFailed",
    "Jobs",
    "NotRunning",
    "PeerError",
    "PenstockError",
    "Pipeline",
    "PipelineFailed",
    "Recording",
    "Reject",
    "RemoteError",
    "Retry",
    "Service",
    "ServiceBusy",
    "ServiceError",
    "Sink",
    "Source",
    "Stage",
    "Study",
    "Task",
    "TimedOut",
    "Trial",
    "UnsupportedType",
    "UserError",
    "WiringError",
    "__version__",
    "at",
    "attach",
    "between",
    "chain",
    "connect_service",
    "external",
    "from_queue",
    "group",
    "join",
    "route",
    "service",
    "session",
    "sink",
    "sliding",
    "source",
    "split",
    "stage",
    "subscribe",
    "subscriber",
    "sweep",
    "task",
    "to_queue",
    "tumbling",
]

_HOMES = {
    "Context": "penstock.pipeline.context",
    "Flow": "penstock.pipeline.flow",
    "Guest": "penstock.runtime.guest.guest",
    "Job": "penstock.tasks.handle",
    "JobContext": "penstock.tasks.context",
    "Jobs": "penstock.tasks.jobs",
    "Pipeline": "penstock.pipeline.pipeline",
    "Recording": "penstock.message.recording",
    "Service": "penstock.pipeline.service",
    "Sink": "penstock.pipeline.stage",
    "Source": "penstock.pipeline.stage",
    "Stage": "penstock.pipeline.stage",
    "Study": "penstock.tasks.study",
    "Task": "penstock.tasks.task",
    "Trial": "penstock.tasks.trial",
    "at": "penstock.pipeline.at",
    "attach": "penstock.runtime.guest.attach",
    "between": "penstock.tasks.space",
    "chain": "penstock.tasks.chain",
    "connect_service": "penstock.pipeline.service",
    "external": "penstock.pipeline.external",
    "filter": "penstock.pipeline.oneliner",
    "from_queue": "penstock.queues",
    "group": "penstock.tasks.bundle",
    "map": "penstock.pipeline.oneliner",
    "join": "penstock.pipeline.joining",
    "route": "penstock.pipeline.flow",
    "service": "penstock.pipeline.service",
    "session": "penstock.pipeline.window",
    "sink": "penstock.pipeline.stage",
    "sliding": "penstock.pipeline.window",
    "source": "penstock.pipeline.stage",
    "split": "penstock.pipeline.oneliner",
    "stage": "penstock.pipeline.stage",
    "subscribe": "penstock.runtime.audience",
    "subscriber": "penstock.pipeline.subscriber",
    "sweep": "penstock.tasks.sweep",
    "task": "penstock.tasks.task",
    "to_queue": "penstock.queues",
    "tumbling": "penstock.pipeline.window",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted({*globals(), *_HOMES})
