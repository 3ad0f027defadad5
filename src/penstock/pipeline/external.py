"""Stages without code: a script that owns its loop takes part in them while the pipeline runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Literal, Type, overload

from penstock.errors import WiringError
from penstock.pipeline.nearest import nearest
from penstock.pipeline.options import Options
from penstock.pipeline.place import caller
from penstock.pipeline.reference import EXTERNAL
from penstock.pipeline.stage import Node, Sink, Source, Stage

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from penstock.pipeline.knobs import Common

_KINDS: Dict[str, Type[Node[Any, Any]]] = {"source": Source, "stage": Stage, "sink": Sink}


@overload
def external(name: str, /, *, kind: Literal["source"], **knobs: Unpack[Common]) -> Source[Any]: ...
@overload
def external(name: str, /, *, kind: Literal["sink"], **knobs: Unpack[Common]) -> Sink[Any]: ...
@overload
def external(
    name: str, /, *, kind: Literal["stage"] = "stage", **knobs: Unpack[Common]
) -> Stage[Any, Any]: ...
def external(name: str, /, *, kind: str = "stage", **knobs: Any) -> Any:
    """A stage that has no code here: a script, a notebook, a simulator takes part by ``penstock.attach``.

    ::

        simulate: Stage[Action, Frame] = penstock.external("simulate")
        pipeline = Pipeline("robot", plan >> simulate >> save)

    The pipeline runs without one: what is for it waits, and so do those who make it. As many scripts can be
    attached at a time as it has ``replicas``.

    Args:
        name: its name in the pipeline, by which a script asks for it.
        kind: ``"source"``, ``"stage"`` or ``"sink"``.
        knobs: as of ``@stage``, without those that are about a process of ours or about batches.

    Raises:
        WiringError: no such kind; a knob that does not exist, or says nothing here.
    """
    place = caller()
    if kind not in _KINDS:
        raise WiringError(f"kind={kind!r}: there is no such kind{nearest(str(kind), _KINDS)}", str(place))
    options = Options(external=True).with_knobs(_KINDS[kind].how, {**knobs, "name": name}, place)
    return _KINDS[kind](None, options, str(place), EXTERNAL)
