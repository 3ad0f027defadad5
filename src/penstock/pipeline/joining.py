"""Joins: stages of ours that put items of several flows together, one of each."""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    ClassVar,
    List,
    Literal,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
    get_args,
    overload,
)

from penstock.pipeline import flow
from penstock.pipeline.duration import Duration
from penstock.pipeline.flow import Flow, as_flow
from penstock.pipeline.nearest import nearest
from penstock.pipeline.options import Options
from penstock.pipeline.place import caller
from penstock.pipeline.plan import By, How, JoinPlan, Rows
from penstock.pipeline.reference import told
from penstock.pipeline.shape import LIMIT, Argument, Arguments, Shape

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from penstock.pipeline.knobs import Common

X = TypeVar("X")
Y = TypeVar("Y")
Z = TypeVar("Z")

Key = Union[str, Callable[[Any], Any]]
Keys = Union[Key, Tuple[Key, ...]]
Side = Union[Flow[Any, Optional[X]], Tuple[Flow[Any, Optional[X]], ...]]
"""One of the flows that are joined, or several merged."""


class Join(Shape):
    """Puts items of several flows together in tuples."""

    how: ClassVar[How] = "join"


@overload
def join(
    left: Side[X], right: Side[Y], /, *, on: Keys, within: Duration,
    how: Literal["inner"] = "inner", limit: int = LIMIT, **knobs: Unpack[Common],
) -> Flow[Any, Tuple[X, Y]]: ...  # fmt: skip
@overload
def join(
    left: Side[X], right: Side[Y], /, *, on: Keys, within: Duration,
    how: Literal["left"], limit: int = LIMIT, **knobs: Unpack[Common],
) -> Flow[Any, Tuple[X, Optional[Y]]]: ...  # fmt: skip
@overload
def join(
    left: Side[X], right: Side[Y], /, *, on: Keys, within: Duration,
    how: Literal["outer"], limit: int = LIMIT, **knobs: Unpack[Common],
) -> Flow[Any, Tuple[Optional[X], Optional[Y]]]: ...  # fmt: skip
@overload
def join(
    left: Side[X], middle: Side[Y], right: Side[Z], /, *, on: Keys,
    within: Duration, how: Literal["inner"] = "inner", limit: int = LIMIT, **knobs: Unpack[Common],
) -> Flow[Any, Tuple[X, Y, Z]]: ...  # fmt: skip
@overload
def join(
    first: Side[Any], second: Side[Any], third: Side[Any], /, *more: Side[Any], on: Keys,
    within: Duration, how: Rows = "inner", limit: int = LIMIT, **knobs: Unpack[Common],
) -> Flow[Any, Tuple[Any, ...]]: ...  # fmt: skip
def join(
    *flows: Any, on: Any, within: Duration, how: Rows = "inner", limit: int = LIMIT, **knobs: Any
) -> Flow[Any, Any]:
    """A flow of tuples: one item of each of ``flows``, in this order, that have the same key.

    ::

        join(left, right, on="id", within="1s") >> fuse

    An item waits for its partners until one has come from every flow, for ``within`` at most. Items of one
    key are put together in the order of their arrival, and each is in one tuple at most. Time is that of
    arrival.

    Args:
        flows: Two or more; a flow may be a tuple of flows, merged.
        on: What partners have in common: a key (or attribute) of the items, or a function of them at the top
            level of a module. A tuple says it for each flow.
        within: How long an item waits, with its unit: ``"500ms"``.
        how: What becomes of an item that has waited so long. ``"inner"``: it is counted as unmatched, and
            nothing comes out; ``"left"``: it comes out, with ``None`` for what is missing, if it is of the
            first flow or one of that waits for it; ``"outer"``: it comes out in any case.
        limit: Items of one flow that wait at most. A flow that is so far ahead waits for the others.
        knobs: As of a stage: ``name``, ``interpreter``, ``on_full`` ...

    Raises:
        WiringError: fewer than two flows, one that ends in a sink, or a value that cannot be.
    """
    place = caller()
    ask = Argument("join", place)
    if len(flows) < 2:
        raise ask.refuse("): what is joined with what? Give it two flows: join(left, right, ...)")
    sides = [as_flow(each, place) for each in flows]
    keys, rows = _keys(on, len(sides), ask), _how(how, ask)

    def rule(said: Arguments, ask: Argument) -> JoinPlan:
        within, limit = ask.time("within", said["within"]), ask.number("limit", said["limit"])
        return JoinPlan(on=keys, within=within, how=rows, limit=limit)

    said = {"within": within, "limit": limit}
    node = Join("join", rule, said, Options().with_knobs(Join.how, knobs, place), place)
    return _wired(sides, node, [flow.join(each, node, place, side=at) for at, each in enumerate(sides)])


def _wired(sides: Sequence[Flow[Any, Any]], node: Join, wired: Sequence[Flow[Any, Any]]) -> Flow[Any, Any]:
    entries = [side.entries for side in sides]
    return Flow(
        (*(each for side in sides for each in side.nodes), node),
        tuple(edge for each in wired for edge in each.edges),
        entries=tuple(entry for some in entries for entry in some) if all(entries) else (),
        exits=node.exits,
    )


def _keys(on: Keys, sides: int, ask: Argument) -> List[By]:
    """What is asked of the items of each flow."""
    keys = on if isinstance(on, tuple) else (on,) * sides
    if len(keys) != sides:
        raise ask.refuse(
            f"on=({', '.join(map(told, keys))})): there are {sides} flows, and this is for {len(keys)}"
        )
    return [ask.key("on", key) for key in keys]


def _how(how: Rows, ask: Argument) -> Rows:
    if how not in get_args(Rows):
        raise ask.refuse(f"how={how!r}): there is no such choice{nearest(str(how), get_args(Rows))}")
    return how
