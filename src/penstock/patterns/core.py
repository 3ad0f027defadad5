"""What the nine kinds do, apart from waiting: ``plain`` waits in place, ``aio`` lets others run.

What takes more than one step of a socket is written once, as a generator that yields the steps it wants
done, and is given what came of each.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from types import UnionType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypedDict, TypeVar

from penstock.errors import PeerError, UserError
from penstock.lifecycle import monotonic
from penstock.message.parcel import Opener, Packer, Parcel
from penstock.patterns.roles import Role
from penstock.patterns.tuning import USUAL, Tuning, check
from penstock.patterns.wire import Wire
from penstock.security.curve import Curve

log = logging.getLogger("penstock.patterns")

T = TypeVar("T")
if TYPE_CHECKING:
    from typing_extensions import TypeVar as Defaulted

    V = Defaulted("V", default=Any)
else:
    V = TypeVar("V")
Asked = type[V] | UnionType | None
"""``of``, as those who check types see it."""
Handler = Callable[[Any], Any]
"""Takes a request, gives its reply."""


class Take(NamedTuple):
    """A step: the first frame of the next message, within that time."""

    timeout: float | None


class Put(NamedTuple):
    """A step: send that."""

    parcel: Parcel
    timeout: float | None


class Call(NamedTuple):
    """A step: what a handler makes of a value; it may be a coroutine where there is asyncio."""

    handler: Handler
    value: Any


class Forget(NamedTuple):
    """A step: forget what is on its way."""


class Renew(NamedTuple):
    """A step: connect anew, after that."""


Steps = Generator[Take | Put | Call | Forget | Renew, Any, T]


class _Refused:
    """In place of a value: what came was none."""


REFUSED = _Refused()


class Options(TypedDict, total=False):
    """What every socket takes; see ``Core``."""

    bind: bool | None
    timeout: float | None
    curve: Curve | None
    tuning: Tuning | None


class Core(Generic[V]):
    """One socket, and how values become its messages."""

    role: ClassVar[Role]

    def __init__(
        self,
        *endpoints: str,
        bind: bool | None = None,
        timeout: float | None = 5.0,
        of: Asked[V] = None,
        curve: Curve | None = None,
        tuning: Tuning | None = None,
    ) -> None:
        """Bind or connect to all ``endpoints``.

        Args:
            endpoints: ``tcp://host:port``, ``ipc://path`` or ``inproc://name``.
            bind: Whether others find this one there; unless said, that is up to the kind.
            timeout: Seconds after which a wait ends with ``TimedOut``, unless a call says otherwise;
                None: never.
            of: What each value that comes is to be, as an annotation says it: a dataclass, a msgspec Struct,
                ``list[int]``. One that is not is refused.
            curve: Keys, by which both sides prove who they are and all is encrypted: where it binds a
                ``Keyring`` (or ``keyring.admitting("client")``), where it connects
                ``keyring.towards("server")``.
            tuning: The finer settings.

        Raises:
            UserError: an endpoint is none, would be open to strangers, or cannot be bound.
            WiringError: nothing could be built for ``of``.
        """
        if timeout is not None:
            check("timeout", timeout)
        self.refused = 0
        """Messages that were none, and were left out; the log says why."""
        self._refusal = ""
        """Why the last of them was."""
        self._packer = Packer()
        self._pack = self._packer.packed
        self._opener = Opener(of)
        self._value = self._opener.value
        self._quick: Callable[[Any], V] = self._opener.quick
        self._wire = Wire(
            type(self).__name__,
            self._kind(),
            binds=self.role.binds if bind is None else bind,
            timeout=timeout,
            curve=curve,
            tuning=tuning or Tuning(),
        )
        try:
            self._prepare()
            self._wire.open(_all(endpoints))
        except BaseException:
            self._wire.close()
            raise

    def _kind(self) -> str:
        return self.role.kind

    def _prepare(self) -> None:
        """What is to be set before there is a peer."""

    @property
    def endpoint(self) -> str:
        """Where it is bound or connected, with the port that was free; the last of several."""
        return self._wire.endpoints[-1]

    def close(self) -> None:
        """Close it. What was sent and not yet taken leaves in the background, for as long as it may
        linger."""
        self._wire.close()

    def __str__(self) -> str:
        return str(self._wire)

    # ----------------------------------------------------------------------------------- values

    def _opened(self, first: Any) -> Any:
        """The value of a message; ``REFUSED`` where it is none."""
        try:
            return self._value(first) if first else self._opener.opened(self._wire.rest())
        except PeerError as error:
            return self._refuse(error)

    def _refuse(self, error: PeerError) -> Any:
        self.refused += 1
        self._refusal = str(error)
        if not self.refused & (self.refused - 1):  # 1, 2, 4, 8 ...: a flood is not to fill the log
            log.warning("%s has refused %d so far: %s", self, self.refused, error)
        return REFUSED

    def _receiving(self, timeout: float | None) -> Steps[Any]:
        """The next value that is one; what was refused before has not moved the end."""
        wait = until(self._wire.timeout if timeout == USUAL else timeout)
        while True:
            value = self._opened((yield Take(wait())))
            if value is not REFUSED:
                return value


def _all(endpoints: tuple[str, ...]) -> tuple[str, ...]:
    if not endpoints:
        raise UserError("a socket needs an endpoint, like 'tcp://127.0.0.1:5555' or 'ipc:///tmp/here'")
    return endpoints


def until(seconds: float | None) -> Callable[[], float | None]:
    """What is left of that time, asked again and again."""
    if seconds is None:
        return lambda: None
    end = monotonic() + seconds
    return lambda: max(0.0, end - monotonic())
