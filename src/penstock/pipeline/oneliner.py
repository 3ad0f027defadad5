"""Small steps in one line: ``camera >> penstock.map(shrink) >> penstock.filter(is_sharp) >> detect``.

They are stages in all: they have names, can be wired, can fail and be tried again. What makes them small
is that the function says less (a filter answers yes or no), and that they run in the process of a
neighbour where they fit: see ``fusion.py``.

Functions and not methods of a flow: ``>>`` stays the only way to wire, which tuples and classes have too.
"""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    ClassVar,
    Generic,
    Iterable,
    Mapping,
    Optional,
    Type,
    TypeVar,
    overload,
)

from penstock.errors import WiringError
from penstock.pipeline import reference as code
from penstock.pipeline.flow import Handler, I_contra, O_co
from penstock.pipeline.options import Options
from penstock.pipeline.place import Place, caller
from penstock.pipeline.plan import Gives, How
from penstock.pipeline.signature import Signature
from penstock.pipeline.stage import Node, Stage

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec, Unpack

    from penstock.pipeline.knobs import Common

    P = ParamSpec("P")

In = TypeVar("In")
Out = TypeVar("Out")


class OneLiner(Stage[I_contra, O_co], Generic[I_contra, O_co]):
    """A stage that was declared in one line, by the name of its function."""

    def _misfit(self, signature: Signature, options: Options) -> Optional[str]:
        if signature.is_async:
            return f"is async, and a {self.how} is plain code; make it a @stage"
        if signature.is_generator and self.how != "split":
            return f"yields, and a {self.how} answers once; for several of one item say penstock.split"
        return super()._misfit(signature, options)

    def _gives(self, signature: Optional[Signature]) -> Gives:
        return "one"


class Map(OneLiner[I_contra, O_co]):
    """Sends what its function returns."""

    how: ClassVar[How] = "map"


class Filter(OneLiner[I_contra, O_co]):
    """Sends the items of which its function says yes."""

    how: ClassVar[How] = "filter"


class Split(OneLiner[I_contra, O_co]):
    """Sends each part of what its function returns."""

    how: ClassVar[How] = "split"

    def _gives(self, signature: Optional[Signature]) -> Gives:
        return "many"


# A class is also a function that makes instances: which it is meant to be is decided by the order.
@overload
def map(function: Type[Handler[In, Out]], /, **knobs: Unpack[Common]) -> Stage[Optional[In], Out]: ...
@overload
def map(
    function: Callable[Concatenate[In, P], Out], /, **knobs: Unpack[Common]
) -> Stage[Optional[In], Out]: ...
@overload
def map(function: str, /, **knobs: Unpack[Common]) -> Stage[Any, Any]: ...
def map(function: Any, /, **knobs: Any) -> Any:
    """A small step: what ``function`` returns goes on; for ``None`` nothing does.

    Args:
        function: A function (or class) that other processes can import, as for ``@stage``; a lambda where a
            variable at the top level of its file holds it; or a text that names it, ``"steps.py:shrink"``.
        knobs: As of ``@stage``: ``name=`` (else it is called like the function), ``fuse=False`` for a process
            of its own. Any other gives it such a process, too, as it could not hold for a neighbour's.

    Raises:
        WiringError: it is no such function; a knob that does not exist or cannot have this value.
    """
    return _made(Map, function, knobs, caller())


@overload
def filter(function: Type[Handler[In, object]], /, **knobs: Unpack[Common]) -> Stage[Optional[In], In]: ...
@overload
def filter(
    function: Callable[Concatenate[In, P], object], /, **knobs: Unpack[Common]
) -> Stage[Optional[In], In]: ...
@overload
def filter(function: str, /, **knobs: Unpack[Common]) -> Stage[Any, Any]: ...
def filter(function: Any, /, **knobs: Any) -> Any:
    """A small step: items go on as they are if ``function`` answers something true, and else are done with.

    Args:
        function: As of ``map``.
        knobs: As of ``map``.

    Raises:
        WiringError: as ``map``.
    """
    return _made(Filter, function, knobs, caller())


@overload
def split(
    function: Type[Handler[In, Iterable[Out]]], /, **knobs: Unpack[Common]
) -> Stage[Optional[In], Out]: ...
@overload
def split(
    function: Callable[Concatenate[In, P], Iterable[Out]], /, **knobs: Unpack[Common]
) -> Stage[Optional[In], Out]: ...
@overload
def split(function: str, /, **knobs: Unpack[Common]) -> Stage[Any, Any]: ...
def split(function: Any, /, **knobs: Any) -> Any:
    """A small step: one item becomes several, each part of what ``function`` returns or yields.

    Each part goes to everything that is wired behind; what chooses between targets is ``route``.

    Args:
        function: As of ``map``; returns an iterable: a list, an array (along its first axis), a generator.
        knobs: As of ``map``.

    Raises:
        WiringError: as ``map``.
    """
    return _made(Split, function, knobs, caller())


def _made(node: Type[Node[Any, Any]], function: Any, knobs: Mapping[str, Any], place: Place) -> Any:
    options = Options().with_knobs(node.how, knobs, place)
    if isinstance(function, Node):
        raise WiringError(f"{function.name!r} is a stage already; wire it as it is", str(place))
    try:
        if isinstance(function, str):
            return node(None, options, str(place), code.parse(function, place.file))
        if not callable(function):
            raise WiringError(f"penstock.{node.how} takes a function, not {function!r}")
        code.of(function)  # a lambda without a name is refused here, where it stands
        return node(function, options, str(place))
    except WiringError as error:
        raise WiringError(str(error), str(place)) from None
