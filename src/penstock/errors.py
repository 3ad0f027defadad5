"""Everything penstock raises, in one tree.

    PenstockError                the root: catch this to catch all of ours
    |- UserError                 you wrote something we cannot do (exit code 4)
    |  |- Placed                 ... in that line
    |  |  |- WiringError         the graph or a knob is wrong
    |  |  |- BadSpec             an environment is described wrong
    |  |  |- Unsatisfiable       no set of packages is what an environment asks for
    |  |  |- StaleLock           penstock.lock does not say how to make an environment here
    |  |- UnsupportedType        a value that cannot travel; says the ways out
    |  |- Unroutable             no queue of the broker takes such a message
    |- EnvironmentFault          an interpreter or package is missing (exit code 5)
    |  |- BuildFailed            an environment cannot be made here
    |  |  |- SourceAway          ... now: an index or a channel cannot be reached
    |  |- BrokerFault            the broker cannot be reached, or refuses
    |     |- BrokerAway          ... now: trying again may help
    |        |- BrokerLost       the connection to it has ended
    |- PeerError                 the other side of a wire broke the protocol
    |  |- PeerGone               ... or is not there (any more)
    |- RequestFailed             what was asked raised where it was answered
    |  |- RemoteError            ... in a service; with its traceback
    |- ServiceError              a call was lost with its replicas, again and again (exit code 1)
    |- NotRunning                no such pipeline is running here (exit code 3)
    |- TimedOut                  a wait came to its end (exit code 6)
    |  |- ServiceBusy            no replica of a service has had room for a call
    |- PipelineFailed            the pipeline ran and gave up (exit code 1)
    |- JobFailed                 a job that was waited for is dead (exit code 1)
    |- JobCancelled              a job that was waited for was cancelled (exit code 1)

    Reject, Retry                raised *by* user code to settle one item; not errors of ours

Ours, the peer's and the world's are apart (the idea is h11's Local/RemoteProtocolError): a
``UserError`` is cured by an edit, an ``EnvironmentFault`` by an install, a ``PeerError`` by nobody here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    import datetime


class PenstockError(Exception):
    """The root of the tree. ``exit_code`` is what the command line answers with."""

    exit_code = 70


class UserError(PenstockError):
    """Something in the pipeline's own files must be changed."""

    exit_code = 4


class Placed(UserError):
    """Something is written wrong. ``where`` is ``file:line`` or ``file:line:column`` when it is known."""

    def __init__(self, message: str, where: Optional[str] = None) -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class WiringError(Placed):
    """The graph, a reference or a knob is wrong."""


class BadSpec(Placed):
    """What an environment is to be made from is described wrong."""


class Unsatisfiable(Placed):
    """No set of packages is what an environment asks for. The message ends with the solver's own words."""


class StaleLock(Placed):
    """``penstock.lock`` does not say how to make an environment here. The message ends with the cure."""


class UnsupportedType(UserError):
    """A value cannot travel. The message names its type, where it sits and the ways out."""


class EnvironmentFault(PenstockError):
    """A stage's interpreter cannot run it: missing, too old, or without pyzmq and msgspec; or an item needs
    a library that is not installed there."""

    exit_code = 5


class BuildFailed(EnvironmentFault):
    """An environment cannot be made here, or cannot run a worker. Nothing of it is left."""


class SourceAway(BuildFailed):
    """Packages cannot be had now: no network, or an index or channel that does not answer or refuses us."""


class Unroutable(UserError):
    """No queue of the broker takes a message of that key: the group is not declared there."""


class BrokerFault(EnvironmentFault):
    """The message broker cannot be reached, does not let us in, or refuses what was asked of it."""


class BrokerAway(BrokerFault):
    """The broker cannot be reached now, or takes nothing now; trying again may help."""


class BrokerLost(BrokerAway):
    """The connection to the broker has ended. What was under way may or may not have arrived."""


class PeerError(PenstockError):
    """A message was refused before anything was built from it. The peer is named."""


class PeerGone(PeerError):
    """Nobody of that name is connected."""


class RequestFailed(PenstockError):
    """What was asked raised where it was answered. ``kind`` is the name of the exception there."""

    def __init__(self, message: str, *, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind


class RemoteError(RequestFailed):
    """A service has raised. ``kind`` is the name of the exception there, ``message`` its text, ``traceback``
    where that was, from the service's own first frame on."""

    def __init__(self, message: str, *, kind: str = "", traceback: str = "") -> None:
        where = f"\n\n{traceback.rstrip()}" if traceback else ""
        super().__init__(f"{message}{where}", kind=kind)
        self.message = message
        self.traceback = traceback


class ServiceError(PenstockError):
    """A call has no answer: each replica that had it died. The message says of what the last one did."""

    exit_code = 1


class NotRunning(PenstockError):
    """No pipeline of that name answers on this machine. Start one with ``penstock run``."""

    exit_code = 3


class TimedOut(PenstockError):
    """What was waited for did not happen in time."""

    exit_code = 6


class ServiceBusy(TimedOut):
    """No replica of a service has had room for a call in the time that it had; it was never begun."""


class PipelineFailed(PenstockError):
    """A stage could not be kept running, so the pipeline was stopped."""

    exit_code = 1


class JobFailed(PenstockError):
    """A job is dead: it failed too often, or in a way that no other attempt would cure.

    ``penstock tasks retry`` puts it back once its cause is gone.

    Attributes:
        job: Its id.
        cause: Why its last attempt failed: ``error`` (the code raised), ``rejected``, ``crash``, ``oom``,
            ``timeout``, ``unusable`` (it could not be begun), or nothing where none was.
        traceback: Of the last attempt, if its code raised.
    """

    exit_code = 1

    def __init__(self, message: str, *, job: str = "", cause: str = "", traceback: str = "") -> None:
        super().__init__(message)
        self.job = job
        self.cause = cause
        self.traceback = traceback


class JobCancelled(PenstockError):
    """A job was cancelled, so there is no result of it. ``job`` is its id."""

    exit_code = 1

    def __init__(self, message: str, *, job: str = "") -> None:
        super().__init__(message)
        self.job = job


class Reject(Exception):
    """Raise in a stage or task to give this item or job up at once, with this reason: it is dead."""


class Retry(Exception):
    """Raise in a stage or task to have this item or job tried again later.

    It counts as one failure, like any exception; ``after`` replaces the back-off for this once.
    """

    def __init__(self, reason: str = "", *, after: str | datetime.timedelta | None = None) -> None:
        """``after`` as text with a unit (``"250ms"``, ``"2s"``, ``"1m"``, ``"1h"``) or a timedelta."""
        super().__init__(reason or "retry asked for")
        self.after = after
