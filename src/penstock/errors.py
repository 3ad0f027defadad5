"""Everything penstock raises, in one tree.

    PenstockError                the root: catch this to catch all of ours
    |- UserError                 you wrote something we cannot do (exit code 4)
    |  |- WiringError            the graph or a knob is wrong; says file:line
    |  |- UnsupportedType        a value that cannot travel; says the ways out
    |  |- Unroutable             no queue of the broker takes such a message
    |- EnvironmentFault          an interpreter or package is missing (exit code 5)
    |  |- BrokerFault            the broker cannot be reached, or refuses
    |     |- BrokerAway          ... now: trying again may help
    |        |- BrokerLost       the connection to it has ended
    |- PeerError                 the other side of a wire broke the protocol
    |- NotRunning                no such pipeline is running here (exit code 3)
    |- TimedOut                  a wait came to its end (exit code 6)
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


class WiringError(UserError):
    """The graph, a reference or a knob is wrong. ``where`` is ``file:line`` when it is known."""

    def __init__(self, message: str, where: Optional[str] = None) -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class UnsupportedType(UserError):
    """A value cannot travel. The message names its type, where it sits and the ways out."""


class EnvironmentFault(PenstockError):
    """A stage's interpreter cannot run it: missing, too old, or without pyzmq and msgspec; or an item needs
    a library that is not installed there."""

    exit_code = 5


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


class NotRunning(PenstockError):
    """No pipeline of that name answers on this machine. Start one with ``penstock run``."""

    exit_code = 3


class TimedOut(PenstockError):
    """What was waited for did not happen in time."""

    exit_code = 6


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
