"""What ``policy`` hears: everything that can happen to a run, as frozen values."""

from __future__ import annotations

from typing import NamedTuple, Union

from penstock.runtime import control
from penstock.runtime.policy.death import Death
from penstock.runtime.policy.placement import Host
from penstock.runtime.policy.roster import Stage


class Begin(NamedTuple):
    """The run directory stands: start all workers."""


class Tick(NamedTuple):
    """Time has passed: what was due by now is to be done."""


class Bound(NamedTuple):
    """A worker's socket accepts receivers."""

    number: int


class Ready(NamedTuple):
    """A worker's code is loaded and ``setup`` is done."""

    number: int
    resumes: bool = False
    """It is a source that takes ``start``."""


class Failed(NamedTuple):
    """A worker's code could not be loaded, or raised where nobody catches; the worker ends."""

    number: int
    error: str
    traceback: str
    permanent: bool


class Attach(NamedTuple):
    """Somebody wants to work in a seat. ``guests.refusal`` has let him pass."""

    stage: str
    replica: int | None
    """``None``: any that is free."""
    guest: int
    """The number of his request."""


class Withdrawn(NamedTuple):
    """Who asked for a seat has gone before there was one."""

    guest: int


class Leaving(NamedTuple):
    """A guest wants to go."""

    number: int


class Finished(NamedTuple):
    """All a worker sent is settled and all it got; it ends."""

    number: int


class Looked(NamedTuple):
    """The answer to ``action.Look``."""

    number: int
    started: float | None
    """When the call of user code began that is still going on; ``None``: no call is."""


class Counted(NamedTuple):
    """The answer to ``action.Count``."""

    items: dict[str, int]
    """By stage, what its feeders have for it that is not done."""
    motion: object
    """Equal to that of another time: nothing has moved in between."""


class Died(NamedTuple):
    """A worker's process has ended, for whatever reason."""

    number: int
    death: Death


class Scale(NamedTuple):
    """So many replicas are wanted."""

    stage: str
    replicas: int


class Deploy(NamedTuple):
    """Another version of a service is to have a part of its calls."""

    stage: Stage
    """Its seat group: ``of`` names the service."""
    share: float


class Share(NamedTuple):
    """... or another part of them, from 0 to 1."""

    service: str
    share: float


class Settle(NamedTuple):
    """It is to have all of them, or none."""

    service: str
    everything: bool


class Pause(NamedTuple):
    """A stage is to begin nothing more, or to go on."""

    stage: str
    paused: bool


class Restart(NamedTuple):
    """These workers are to be replaced by new ones, one after another."""

    numbers: tuple[int, ...]
    drain_first: bool = False
    """Each ends before its successor is started; sources always do."""


class HostJoined(NamedTuple):
    """Workers may be started on another host."""

    host: Host


class HostLeaves(NamedTuple):
    """Somebody there wants to have it back."""

    host: str


class HostLost(NamedTuple):
    """It was not heard for too long, or its agent ended. The deaths of its workers follow."""

    host: str
    cause: str


class Drain(NamedTuple):
    """Take nothing new, finish what is in flight, end."""


class Stop(NamedTuple):
    """End after the current items."""


class Interrupt(NamedTuple):
    """Ctrl-C, or SIGTERM: the first drains, the second stops, the third kills."""


Stimulus = Union[
    Begin,
    Tick,
    Bound,
    Ready,
    Failed,
    Attach,
    Withdrawn,
    Leaving,
    Finished,
    Looked,
    Counted,
    Died,
    Scale,
    Deploy,
    Share,
    Settle,
    Pause,
    Restart,
    HostJoined,
    HostLeaves,
    HostLost,
    Drain,
    Stop,
    Interrupt,
]


def said(
    number: int, message: control.Ready | control.Leaving | control.Finished | control.Failed
) -> Stimulus:
    """What it is to the run that this worker says so."""
    match message:
        case control.Ready(resumes):
            return Ready(number, resumes)
        case control.Leaving():
            return Leaving(number)
        case control.Finished():
            return Finished(number)
        case control.Failed(error, traceback, permanent):
            return Failed(number, error, traceback, permanent)
