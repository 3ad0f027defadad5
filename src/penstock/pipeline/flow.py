"""What ``>>`` makes: stages and wires as one value, typed by what goes in and what comes out.

    camera >> detect            Flow[Start, Box]    nothing can be fed into it, boxes come out of it
    detect >> save              Flow[Image, End]    images can be fed into it, nothing comes out
    camera >> detect >> save    Flow[Start, End]    complete

Nothing is sent for ``None``, so everything takes it: a stage on images is a ``Stage[Image | None, Box]``,
and one that may return ``None`` can feed it.

A flow is never changed: ``>>`` makes a new one, so a part can be used in several wirings. What a source
takes and a sink gives are two types without values; so one signature of ``>>`` serves every kind, and a
type checker refuses ``save >> detect`` for the same reason as a string wired to a number.

mypy leaves the type of a decorated *class* as it was (pyright does not). Therefore ``>>`` also takes
classes, by what their ``__call__`` says; for mypy ``Load >> Detect``, of classes only, has to begin with
``source(Load)``.
"""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterator,
    Coroutine,
    Generic,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Protocol,
    Tuple,
    Type,
    TypeVar,
    Union,
    overload,
)

from penstock.errors import WiringError
from penstock.pipeline import reference
from penstock.pipeline.edge import Choice, Edge
from penstock.pipeline.place import Place, caller
from penstock.pipeline.plan import By, OnFull

if TYPE_CHECKING:
    from penstock.pipeline.stage import Node
    from penstock.pipeline.window import Window

I_contra = TypeVar("I_contra", contravariant=True)
O_co = TypeVar("O_co", covariant=True)
J = TypeVar("J")
T = TypeVar("T")
X = TypeVar("X")
Y = TypeVar("Y")


Awaited = Coroutine[Any, Any, X]
"""What an async function gives."""


class Start:
    """What goes into a source: there are no such values."""


class End:
    """What comes out of a sink: there are no such values."""


class Handler(Protocol[I_contra, O_co]):
    """An instance of a class that handles items; any further parameter is the context."""

    def __call__(self, item: I_contra, /, *args: Any, **kwargs: Any) -> O_co:
        """Handle one item."""
        ...


class Producer(Protocol[O_co]):
    """An instance of a class that makes items."""

    def __call__(self, *args: Any, **kwargs: Any) -> Union[Iterator[O_co], AsyncIterator[O_co]]:
        """Make them."""
        ...


class Chooser(Protocol[I_contra]):
    """A function that says where a value goes: to a stage, a stage's name, or a position."""

    def __call__(self, value: I_contra, /) -> object:
        """Choose."""
        ...


class Exit(NamedTuple):
    """Where values come out of a flow."""

    stage: str
    port: str = ""


Entry = Union[str, Choice]
"""Where values go into a flow: a stage, or one of several by choice."""


class Flow(Generic[I_contra, O_co]):
    """Stages wired together: takes what its first stages take, gives what its last ones give."""

    def __init__(
        self,
        nodes: Tuple[Node[Any, Any], ...],
        edges: Tuple[Edge, ...] = (),
        *,
        entries: Tuple[Entry, ...],
        exits: Tuple[Exit, ...],
    ) -> None:
        self._nodes = nodes
        self._edges = edges
        self._entries = entries
        self._exits = exits

    @property
    def nodes(self) -> Tuple[Node[Any, Any], ...]:
        """The stages in it, in the order they were written; one may come twice."""
        return self._nodes

    @property
    def edges(self) -> Tuple[Edge, ...]:
        """The wires in it."""
        return self._edges

    @property
    def entries(self) -> Tuple[Entry, ...]:
        """Where values go in; none: it begins with a source."""
        return self._entries

    @property
    def exits(self) -> Tuple[Exit, ...]:
        """Where values come out; none: it ends in a sink."""
        return self._exits

    def __repr__(self) -> str:
        wires = ", ".join(f"{edge.source} >> {edge.target}" for edge in self.edges)
        return f"<flow {wires or ', '.join(node.name for node in self.nodes)}>"

    # A window takes whatever comes. A copy goes to each of a tuple. Classes come last, for mypy alone.
    @overload
    def __rshift__(self: Flow[J, Optional[Y]], other: Window) -> Flow[J, List[Y]]: ...
    @overload
    def __rshift__(self, other: Flow[O_co, X]) -> Flow[I_contra, X]: ...
    @overload
    def __rshift__(self, other: Tuple[Flow[O_co, X], Flow[O_co, Y]]) -> Flow[I_contra, Union[X, Y]]: ...
    @overload
    def __rshift__(self, other: Tuple[Flow[O_co, X], ...]) -> Flow[I_contra, X]: ...
    @overload
    def __rshift__(self: Flow[J, Optional[Y]], other: Type[Handler[Y, Iterator[X]]]) -> Flow[J, X]: ...
    @overload
    def __rshift__(self: Flow[J, Optional[Y]], other: Type[Handler[Y, AsyncIterator[X]]]) -> Flow[J, X]: ...
    @overload
    def __rshift__(self: Flow[J, Optional[Y]], other: Type[Handler[Y, None]]) -> Flow[J, End]: ...
    @overload
    def __rshift__(self: Flow[J, Optional[Y]], other: Type[Handler[Y, Awaited[None]]]) -> Flow[J, End]: ...
    @overload
    def __rshift__(self: Flow[J, Optional[Y]], other: Type[Handler[Y, Awaited[X]]]) -> Flow[J, X]: ...
    @overload
    def __rshift__(self: Flow[J, Optional[Y]], other: Type[Handler[Y, X]]) -> Flow[J, X]: ...
    @overload
    def __rshift__(
        self: Flow[J, Optional[Y]], other: Tuple[Union[Flow[Y, Any], Type[Handler[Y, Any]]], ...]
    ) -> Flow[J, Any]: ...
    def __rshift__(self, other: Any) -> Flow[Any, Any]:
        """Wire what comes out of this to ``other``: a flow, or a tuple of flows that each get a copy.

        Raises:
            WiringError: nothing comes out of this, nothing goes into ``other``, or it is no flow.
        """
        place = caller()
        return join(self, as_flow(other, place), place)

    @overload
    def __rrshift__(self, other: Tuple[Flow[J, I_contra], ...]) -> Flow[J, O_co]: ...
    @overload
    def __rrshift__(self, other: Type[Producer[I_contra]]) -> Flow[Start, O_co]: ...
    @overload
    def __rrshift__(self, other: Type[Handler[J, Iterator[I_contra]]]) -> Flow[J, O_co]: ...
    @overload
    def __rrshift__(self, other: Type[Handler[J, AsyncIterator[I_contra]]]) -> Flow[J, O_co]: ...
    @overload
    def __rrshift__(self, other: Type[Handler[J, Awaited[I_contra]]]) -> Flow[J, O_co]: ...
    @overload
    def __rrshift__(self, other: Type[Handler[J, I_contra]]) -> Flow[J, O_co]: ...
    @overload
    def __rrshift__(
        self,
        other: Tuple[
            Union[
                Flow[Any, I_contra],
                Type[Producer[I_contra]],
                Type[Handler[Any, Union[Iterator[I_contra], I_contra]]],
            ],
            ...,
        ],
    ) -> Flow[Any, O_co]: ...
    def __rrshift__(self, other: Any) -> Flow[Any, Any]:
        """Wire what comes out of each flow of a tuple to this.

        Raises:
            WiringError: nothing comes out of one of them, nothing goes into this, or one is no flow.
        """
        place = caller()
        return join(as_flow(other, place), self, place)


def as_flow(value: Any, place: Place) -> Flow[Any, Any]:
    """``value`` as one flow; the flows of a tuple lie side by side.

    Raises:
        WiringError: it is something else.
    """
    if isinstance(value, Flow):
        return value
    if isinstance(value, tuple) and value:
        return _beside([as_flow(each, place) for each in value])
    if callable(value):
        name = getattr(value, "__qualname__", repr(value))
        raise WiringError(
            f"{name} is no stage; write @stage (or @source, @sink) above its definition", str(place)
        )
    raise WiringError(f"{value!r} cannot be wired; it takes a stage, a flow, or a tuple of them", str(place))


def _beside(flows: List[Flow[Any, Any]]) -> Flow[Any, Any]:
    """Flows side by side. An end that is closed in one of them is closed in all.

    Else ``camera >> (detect, save) >> show`` would quietly mean that save shows nothing.
    """
    return Flow(
        tuple(node for flow in flows for node in flow.nodes),
        tuple(edge for flow in flows for edge in flow.edges),
        entries=_all_or_none([flow.entries for flow in flows]),
        exits=_all_or_none([flow.exits for flow in flows]),
    )


def _all_or_none(ends: List[Tuple[T, ...]]) -> Tuple[T, ...]:
    return tuple(end for some in ends for end in some) if all(ends) else ()


def join(
    left: Flow[Any, Any],
    right: Flow[Any, Any],
    place: Place,
    on_full: Optional[OnFull] = None,
    side: int = 0,
) -> Flow[Any, Any]:
    """Each exit of ``left`` wired to each entry of ``right``.

    ``on_full``: what a full link between them does; ``None``: as each target says. ``side``: see ``Edge``.

    Raises:
        WiringError: there are none of one or the other.
    """
    if not left.exits:
        raise WiringError(_dead_end(left, "sink", "comes out of", "to wire it on"), str(place))
    if not right.entries:
        raise WiringError(_dead_end(right, "source", "goes into", "to feed it"), str(place))
    wires = (edge for out in left.exits for entry in right.entries for edge in _edges(out, entry, place))
    made = tuple(wire._replace(on_full=on_full, side=side) for wire in wires)
    return Flow(
        left.nodes + right.nodes,
        left.edges + right.edges + made,
        entries=left.entries,
        exits=right.exits,
    )


def _dead_end(flow: Flow[Any, Any], kind: str, way: str, purpose: str) -> str:
    """Why nothing can be wired there."""
    aside = [node.name for node in flow.nodes if node.kind == "subscriber"]
    if aside:
        return (
            f"nothing {way} {aside[0]!r}: a subscriber gets what is published and is not wired;"
            f" name it beside the others: Pipeline(..., a >> b, {aside[0]})"
        )
    name = next(node.name for node in flow.nodes if node.kind == kind)
    return f"nothing {way} {name!r}, a {kind}; make it a @stage {purpose}"


def _edges(out: Exit, entry: Entry, place: Place) -> List[Edge]:
    if isinstance(entry, Choice):
        return [Edge(out.stage, target, out.port, str(place), entry) for target in entry.targets]
    return [Edge(out.stage, entry, out.port, str(place))]


def route(
    *targets: Union[Flow[J, X], Type[Handler[J, Any]]], by: Union[str, Chooser[J]]
) -> Flow[Optional[J], X]:
    """A flow in which each value goes to one of the targets, and ``by`` says to which.

    ::

        camera >> route(day, night, by=brightness)

    Args:
        targets: Stages, or flows that begin with one stage.
        by: A function at the top level of a module: called with the value, it returns the target: a
            stage, its name, or its position (from 0). Or a text: the key (or attribute) of the value
            that holds one of these.

    Raises:
        WiringError: fewer than two targets, one that begins with several stages or a source, or a
            ``by`` that no other process can import.
    """
    place = caller()
    flows = [as_flow(target, place) for target in targets]
    names = tuple(_only_entry(flow, place) for flow in flows)
    if len(set(names)) < max(2, len(names)):
        raise WiringError("a route needs two or more different stages to choose from", str(place))
    try:
        choice = Choice(chooser(by), names)
    except ValueError as error:
        raise WiringError(f"by={reference.told(by)}: {error}", str(place)) from None
    beside = _beside(flows)
    return Flow(beside.nodes, beside.edges, entries=(choice,), exits=beside.exits)


def _only_entry(flow: Flow[Any, Any], place: Place) -> str:
    if len(flow.entries) == 1 and isinstance(flow.entries[0], str):
        return flow.entries[0]
    raise WiringError(
        f"{flow!r} cannot be chosen by a route; what is chosen begins with one stage", str(place)
    )


def chooser(by: Any) -> By:
    """What is asked about each value: a key as it is, a function by reference.

    Raises:
        ValueError: neither, or no other process could import it.
    """
    if isinstance(by, str) and by:
        if "{" in by or "}" in by:
            raise ValueError("is no format, but the key or the attribute of the value that says it")
        return by
    if isinstance(by, Flow) or not callable(by):
        what = "must be a function at the top level of a module, or the key of the value that says it"
        raise ValueError(what)  # noqa: TRY004  the end of a sentence, as in `options`
    try:
        return reference.of(by)
    except WiringError as error:
        raise ValueError(str(error)) from None
