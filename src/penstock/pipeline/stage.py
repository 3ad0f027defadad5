"""Sources, stages and sinks: what the decorators make of functions and classes.

The object stays what it was: calling it calls the function (or makes an instance), so a test of it is
one line and needs no pipeline. Besides, it can be wired.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterator,
    Callable,
    ClassVar,
    Generic,
    Iterator,
    Mapping,
    Optional,
    Type,
    TypeVar,
    overload,
)

import msgspec

from penstock.errors import WiringError
from penstock.pipeline import reference as code
from penstock.pipeline.checks import check
from penstock.pipeline.flow import Awaited, End, Exit, Flow, Handler, I_contra, O_co, Producer, Start
from penstock.pipeline.knobs import Knobs
from penstock.pipeline.nearest import nearest
from penstock.pipeline.options import Options
from penstock.pipeline.overlay import Overlay
from penstock.pipeline.place import Place, caller
from penstock.pipeline.plan import SUBSCRIBER, Gives, How, StagePlan
from penstock.pipeline.signature import Signature, describe, misfit, misfit_batch, misfit_hand

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec, Self, Unpack

    from penstock.pipeline.batched import BatchSinkDecorator, BatchStageDecorator
    from penstock.pipeline.knobs import Batching, Common

    P = ParamSpec("P")

NO_KNOBS = ("name", "external", "places")
"""What ``Options`` has and a plan keeps otherwise, or not at all."""

NO_ENTRY, NO_EXIT = ("source", SUBSCRIBER), ("sink", SUBSCRIBER)
"""Kinds into which, and out of which, nothing is wired."""

In = TypeVar("In")
Out = TypeVar("Out")
R_co = TypeVar("R_co", covariant=True)


class Node(Flow[I_contra, O_co]):
    """One source, stage or sink: its code, its name and its options; also the flow of itself alone.

    Attributes:
        target: The function or class; ``None`` when it is named by a string.
        where: ``file:line`` of the definition.
        options: Its knobs, checked.
    """

    kind: ClassVar[str]
    """Its part in the graph: source, stage or sink."""
    how: ClassVar[How]
    """What it was declared as: that, or a one-liner's word."""
    arguments: Mapping[str, Any] = MappingProxyType({})
    """What a configuration may say of it besides its knobs: numbers and times of a window or a join."""

    def __init__(
        self, target: Any, options: Options, where: str, named: Optional[code.Reference] = None
    ) -> None:
        self.target = target
        self.options = options
        self.where = where
        self._named = named
        exits = () if self.kind in NO_EXIT else (Exit(self.name),)
        super().__init__((self,), entries=() if self.kind in NO_ENTRY else (self.name,), exits=exits)
        if target is not None:
            self.__wrapped__ = target  # help(), inspect.signature() and doctest look through it
            self.__doc__ = target.__doc__

    @property
    def name(self) -> str:
        """Its name in a pipeline: as chosen, else that of its code."""
        found = self._named.name if self._named else code.name_of(self.target)
        return self.options.name or str(found).rpartition(".")[2]

    @property
    def reference(self) -> code.Reference:
        """Where a worker finds the code.

        Raises:
            WiringError: no other process could import it.
        """
        return self._named or code.of(self.target)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, or make an instance of the class.

        Raises:
            WiringError: it is named by a string, so that its code is not imported here.
        """
        if self.options.external:
            raise WiringError(
                f"{self.name!r} has no code of its own; a script takes part by penstock.attach", self.where
            )
        if self.target is None:
            if self.options.queue:
                raise WiringError(f"{self.name!r} is a queue, and has no code to call", self.where)
            raise WiringError(
                f"the code of {self.name!r} is not loaded here; import {self._named} to call it", self.where
            )
        return self.target(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{self.how} {self.name} {self._named or self.target.__qualname__}>"

    def named(self, name: str) -> Self:
        """The same under another name, for a second use in one pipeline."""
        return self._with({"name": name}, caller())

    def with_options(self, **knobs: Unpack[Knobs]) -> Self:
        """A copy with some knobs chosen anew."""
        return self._with(knobs, caller())

    def _with(self, knobs: Mapping[str, Any], place: Place) -> Self:
        options = self.options.with_knobs(self.how, knobs, place)
        return type(self)(self.target, options, self.where, self._named)

    def check(self, knob: str, value: Any, place: Place) -> Any:
        """The value of a knob, or of one of ``arguments``, as it is kept. ``place``: where it is said.

        Raises:
            ValueError: it cannot be; the end of a sentence about it.
        """
        return check(self.how, knob, value, place, more=self.arguments)

    def plan(self, overlay: Optional[Overlay] = None) -> StagePlan:
        """What the runtime needs to know of it, with what a configuration says on top.

        Raises:
            WiringError: no other process could import the code, or it cannot be called as what it is.
        """
        options, secrets = self.options, {}
        if overlay is not None:
            options, secrets = options.with_checked(overlay.values, overlay.places), overlay.secrets
        try:
            found = self.reference
            signature = describe(self.target) if self.target is not None else None
        except WiringError as error:
            raise WiringError(str(error), self.where) from None
        unfit = self._misfit(signature, options) if signature else None
        if unfit:
            raise WiringError(f"{self.name!r} {unfit}", self.where)
        knobs = {
            knob: value for knob, value in msgspec.structs.asdict(options).items() if knob not in NO_KNOBS
        }
        if signature is not None and signature.is_async and self.kind != "source":
            knobs["concurrency"] = options.concurrency or 1
        return StagePlan(
            name=self.name,
            kind=self.kind,
            how=self.how,
            gives=self._gives(signature),
            code=found,
            where=self.where,
            secrets=secrets,
            **knobs,
        )

    def _misfit(self, signature: Signature, options: Options) -> Optional[str]:
        unfit = misfit(signature, self.kind) or misfit_hand(
            signature, concurrency=options.concurrency, threads=options.threads, batch=options.batch
        )
        if unfit or not options.batch:
            return unfit
        return misfit_batch(signature, options.batch, pad=options.pad is not None)

    def _gives(self, signature: Optional[Signature]) -> Gives:
        """How many outputs it has for one item; no signature: its code is not loaded here."""
        if signature is not None and signature.is_generator:
            return "many"
        return "unsure" if signature is None or signature.asks_context else "one"

    def port(self, port: str, place: Place) -> Flow[I_contra, Any]:
        """The flow of it that goes on from one of its ports: what ``stage[port]`` means, said at ``place``.

        Raises:
            WiringError: it has no such port.
        """
        if port not in self.options.ports:
            hint = nearest(port, self.options.ports) or f"; declare it: ports=({port!r},)"
            raise WiringError(f"{self.name!r} has no port {port!r}{hint}", str(place))
        return Flow((self,), entries=self.entries, exits=(Exit(self.name, port),))


class Source(Node[Start, O_co]):
    """Makes items: ``camera >> detect``."""

    kind = "source"
    how: ClassVar[How] = "source"

    def __getitem__(self, port: str) -> Flow[Start, Any]:
        """What it emits to ``port``: ``camera["broken"] >> review``."""
        return self.port(port, caller())


class Stage(Node[I_contra, O_co]):
    """Takes items and gives items: ``camera >> detect >> save``."""

    kind = "stage"
    how: ClassVar[How] = "stage"

    def __getitem__(self, port: str) -> Flow[I_contra, Any]:
        """What it emits to ``port``: ``clean["rejected"] >> review``."""
        return self.port(port, caller())


class Sink(Node[I_contra, End]):
    """Takes items: ``detect >> save``."""

    kind = "sink"
    how: ClassVar[How] = "sink"


if TYPE_CHECKING:
    # For type checkers only: the call of a decorated function keeps the function's own signature.

    class SourceFunction(Source[O_co], Generic[O_co, P, R_co]):
        """A ``Source`` that is called like its function."""

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...  # noqa: D102

    class StageFunction(Stage[I_contra, O_co], Generic[I_contra, O_co, P, R_co]):
        """A ``Stage`` that is called like its function."""

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...  # noqa: D102

    class SinkFunction(Sink[I_contra], Generic[I_contra, P, R_co]):
        """A ``Sink`` that is called like its function."""

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...  # noqa: D102


class Decorator:
    """``@source``, ``@stage`` and ``@sink``: bare, with options, or on the name of code elsewhere."""

    def __init__(self, node: Type[Node[Any, Any]], options: Optional[Options] = None) -> None:
        self._node = node
        self._options = options or Options()

    def _make(self, target: Any, knobs: Mapping[str, Any], place: Place) -> Any:
        """A node, or, where nothing is given to decorate yet, a decorator with these options."""
        options = self._options.with_knobs(self._node.how, knobs, place)
        if target is None:
            return type(self)(self._node, options)
        named = None
        if isinstance(target, str):
            named, target = self._parse(target, place), None
        elif isinstance(target, Node) or not callable(target):
            raise WiringError(
                f"@{self._node.kind} stands above a function or a class, not {target!r}", str(place)
            )
        return self._node(target, options, str(place), named)

    def _parse(self, text: str, place: Place) -> code.Reference:
        try:
            return code.parse(text, place.file)
        except WiringError as error:
            raise WiringError(str(error), str(place)) from None


class SourceDecorator(Decorator):
    """Makes a ``Source`` of a generator function (async or not), or of a class whose ``__call__`` is one.

    ``@source``, ``@source(max_restarts=3)`` or ``source("cameras.py:front")``, relative to the file.
    """

    @overload
    def __call__(self, target: Type[Producer[Out]], /) -> Source[Out]: ...
    @overload
    def __call__(self, target: Callable[P, Iterator[Out]], /) -> SourceFunction[Out, P, Iterator[Out]]: ...
    @overload
    def __call__(
        self, target: Callable[P, AsyncIterator[Out]], /
    ) -> SourceFunction[Out, P, AsyncIterator[Out]]: ...
    @overload
    def __call__(self, target: str, /, **knobs: Unpack[Knobs]) -> Source[Any]: ...
    @overload
    def __call__(self, /, **knobs: Unpack[Knobs]) -> SourceDecorator: ...
    def __call__(self, target: Any = None, /, **knobs: Any) -> Any:
        """Decorate.

        Raises:
            WiringError: a knob that does not exist or cannot have this value; no such file.
        """
        return self._make(target, knobs, caller())


class StageDecorator(Decorator):
    """Makes a ``Stage`` of a function or generator function (async or not), or of a class whose ``__call__``
    is one.

    ``@stage``, ``@stage(replicas=2)`` or ``stage("steps/clean.py:clean")``, relative to the file.
    """

    # A class is also a function that makes instances: which it is meant to be is decided by the order.
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, target: Type[Handler[In, Iterator[Out]]], /
    ) -> Stage[Optional[In], Out]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, target: Type[Handler[In, AsyncIterator[Out]]], /
    ) -> Stage[Optional[In], Out]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, target: Type[Handler[In, Awaited[Out]]], /
    ) -> Stage[Optional[In], Out]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, target: Type[Handler[In, Out]], /
    ) -> Stage[Optional[In], Out]: ...
    @overload
    def __call__(
        self, target: Callable[Concatenate[In, P], Iterator[Out]], /
    ) -> StageFunction[Optional[In], Out, Concatenate[In, P], Iterator[Out]]: ...
    @overload
    def __call__(
        self, target: Callable[Concatenate[In, P], AsyncIterator[Out]], /
    ) -> StageFunction[Optional[In], Out, Concatenate[In, P], AsyncIterator[Out]]: ...
    @overload
    def __call__(
        self, target: Callable[Concatenate[In, P], Awaited[Out]], /
    ) -> StageFunction[Optional[In], Out, Concatenate[In, P], Awaited[Out]]: ...
    @overload
    def __call__(
        self, target: Callable[Concatenate[In, P], Out], /
    ) -> StageFunction[Optional[In], Out, Concatenate[In, P], Out]: ...
    @overload
    def __call__(self, target: str, /, **knobs: Unpack[Knobs]) -> Stage[Any, Any]: ...
    @overload
    def __call__(self, /, *, batch: int, **knobs: Unpack[Batching]) -> BatchStageDecorator: ...
    @overload
    def __call__(self, /, **knobs: Unpack[Common]) -> StageDecorator: ...
    def __call__(self, target: Any = None, /, **knobs: Any) -> Any:
        """Decorate.

        Raises:
            WiringError: a knob that does not exist or cannot have this value; no such file.
        """
        return self._make(target, knobs, caller())


class SinkDecorator(Decorator):
    """Makes a ``Sink`` of a function (async or not), or of a class that has ``__call__``.

    ``@sink``, ``@sink(replicas=2)`` or ``sink("store.py:save")``, relative to the file.
    """

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, target: Type[Handler[In, object]], /
    ) -> Sink[Optional[In]]: ...
    @overload
    def __call__(
        self, target: Callable[Concatenate[In, P], Out], /
    ) -> SinkFunction[Optional[In], Concatenate[In, P], Out]: ...
    @overload
    def __call__(self, target: str, /, **knobs: Unpack[Knobs]) -> Sink[Any]: ...
    @overload
    def __call__(self, /, *, batch: int, **knobs: Unpack[Batching]) -> BatchSinkDecorator: ...
    @overload
    def __call__(self, /, **knobs: Unpack[Common]) -> SinkDecorator: ...
    def __call__(self, target: Any = None, /, **knobs: Any) -> Any:
        """Decorate.

        Raises:
            WiringError: a knob that does not exist or cannot have this value; no such file.
        """
        return self._make(target, knobs, caller())


source = SourceDecorator(Source)
stage = StageDecorator(Stage)
sink = SinkDecorator(Sink)
