"""Services: code that is called, by stages, jobs, notebooks and web servers, and answers.

The replicas of a service are workers like others; what calls them is in ``runtime.calls``.
"""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    ClassVar,
    Generic,
    Iterable,
    Iterator,
    List,
    Optional,
    Tuple,
    Type,
    TypeVar,
    overload,
)

from penstock.pipeline.duration import Duration
from penstock.pipeline.flow import Awaited, Handler, I_contra, O_co
from penstock.pipeline.options import Options
from penstock.pipeline.place import caller
from penstock.pipeline.plan import How
from penstock.pipeline.signature import Signature
from penstock.pipeline.stage import Decorator, Node

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec, Unpack

    from penstock.pipeline.knobs import Knobs
    from penstock.runtime.calls.connection import Connection

    P = ParamSpec("P")

In = TypeVar("In")
Out = TypeVar("Out")
R_co = TypeVar("R_co", covariant=True)

PATIENCE: Duration = "60s"
"""How long a call may take in all, unless something else is said: a call that nobody limits is one that can
wait for ever."""

rehearsed: Optional[Callable[[str, Any], Any]] = None
"""What answers instead of replicas, while a pipeline is under test in this process: ``call(name, value)``."""


class Callee(Generic[I_contra, O_co]):
    """What can be called: a service, wherever its replicas are."""

    name: str
    _way: Any = None

    def call(self, value: I_contra, /, *, timeout: Optional[Duration] = PATIENCE) -> O_co:
        """Have a replica do it, and wait for what it returns.

        The replica with the fewest calls gets it. When it dies, the call goes to another: so a call may be
        done twice, and ``ctx.attempt`` says so there.

        Args:
            value: what the code gets; of the types that travel between stages.
            timeout: how long to wait in all, with its unit: ``"250ms"``, ``"30s"``; ``None``: for ever. The
                replica is told, and does not begin what comes too late.

        Raises:
            RemoteError: the code has raised; with its traceback.
            ServiceBusy: no replica has had room for it in that time.
            TimedOut: there was no answer in that time.
            ServiceError: replicas died with it, more often than the service's ``max_failures``.
            NotRunning: no pipeline runs here that has it, or it ends.
            UnsupportedType: ``value`` cannot travel.
        """
        if rehearsed is not None:
            return rehearsed(self.name, value)  # type: ignore[no-any-return]
        connection, name = self._reach()
        return connection.call(name, value, timeout)  # type: ignore[no-any-return]

    async def acall(self, value: I_contra, /, *, timeout: Optional[Duration] = PATIENCE) -> O_co:
        """``call`` for async code. To cancel it is to cancel the call."""
        if rehearsed is not None:
            return rehearsed(self.name, value)  # type: ignore[no-any-return]
        connection, name = self._reach()
        return await connection.acall(name, value, timeout)  # type: ignore[no-any-return]

    def map(self, values: Iterable[I_contra], /, *, timeout: Optional[Duration] = PATIENCE) -> Iterator[O_co]:
        """Call it with each of ``values``, many at a time; the answers in the order of the values.

        ``timeout`` is that of each call. The first that raises ends it, and the others are cancelled.
        """
        if rehearsed is not None:
            return (rehearsed(self.name, value) for value in values)
        connection, name = self._reach()
        return connection.map(name, values, timeout)

    def _reach(self) -> Tuple[Connection, str]:
        if self._way is None:  # to import it and to find the name take longer than the rest
            from penstock.runtime.calls.connection import ours

            self._way = ours, self.name
        ours, name = self._way
        return ours(name), name


class Service(Callee[I_contra, O_co], Node[I_contra, O_co]):
    """Answers calls: ``classify.call(image)``. In a pipeline it stands by itself: ``Pipeline("x", a >> b,
    classify)``."""

    kind = "service"
    how: ClassVar[How] = "service"

    def _misfit(self, signature: Signature, options: Options) -> Optional[str]:
        if signature.is_generator:
            return "is a service, and yields; a call has one answer: return a list"
        return super()._misfit(signature, options)


class Distant(Callee[Any, Any]):
    """A service of a pipeline that runs on this machine, by its name: see ``connect_service``."""

    def __init__(self, pipeline: str, name: str) -> None:
        self.pipeline = pipeline
        self.name = name

    def __repr__(self) -> str:
        return f"<service {self.name} of {self.pipeline}>"

    def _reach(self) -> Tuple[Connection, str]:
        from penstock.runtime.calls.connection import named

        return named(self.pipeline), self.name


def connect_service(pipeline: str, name: str, /) -> Distant:
    """The service ``name`` of the pipeline ``pipeline``, which runs on this machine.

    For a notebook or a web server that does not import the file of the service. It has ``call``, ``acall``
    and ``map``; the first call makes the connection, also when the pipeline has been started again.
    """
    return Distant(pipeline, name)


if TYPE_CHECKING:

    class ServiceFunction(Service[I_contra, O_co], Generic[I_contra, O_co, P, R_co]):
        """A ``Service`` that is called like its function."""

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...  # noqa: D102

    class BatchServiceDecorator:
        """``service(batch=32)``: the code takes and gives lists, a call one of what is in them."""

        @overload
        def __call__(self, target: Type[Handler[List[In], List[Out]]], /) -> Service[In, Out]: ...
        @overload
        def __call__(self, target: Callable[[List[In]], List[Out]], /) -> Service[In, Out]: ...
        @overload
        def __call__(self, target: Callable[..., Any], /) -> Service[Any, Any]: ...
        def __call__(self, target: Any, /) -> Any:
            """Decorate."""


class ServiceDecorator(Decorator):
    """Makes a ``Service`` of a function (async or not), or of a class whose ``__call__`` is one.

    ``@service``, ``@service(replicas=4)`` or ``service("models.py:classify")``, relative to the file.
    """

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, target: Type[Handler[In, Awaited[Out]]], /
    ) -> Service[In, Out]: ...
    @overload
    def __call__(self, target: Type[Handler[In, Out]], /) -> Service[In, Out]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(
        self, target: Callable[Concatenate[In, P], Awaited[Out]], /
    ) -> ServiceFunction[In, Out, Concatenate[In, P], Awaited[Out]]: ...
    @overload
    def __call__(
        self, target: Callable[Concatenate[In, P], Out], /
    ) -> ServiceFunction[In, Out, Concatenate[In, P], Out]: ...
    @overload
    def __call__(self, target: str, /, **knobs: Unpack[Knobs]) -> Service[Any, Any]: ...
    @overload
    def __call__(self, /, *, batch: int, **knobs: Any) -> BatchServiceDecorator: ...
    @overload
    def __call__(self, /, **knobs: Unpack[Knobs]) -> ServiceDecorator: ...
    def __call__(self, target: Any = None, /, **knobs: Any) -> Any:
        """Decorate.

        Raises:
            WiringError: a knob that does not exist or cannot have this value; no such file.
        """
        return self._make(target, knobs, caller())


service = ServiceDecorator(Service)
