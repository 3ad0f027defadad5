"""The graph of stages and wires: what can run becomes a plan, what cannot is refused with its place.

Pure: stages and edges in, plan or sentence out. Edges name stages, so the first thing to be sure of is
that a name means one stage.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from penstock.errors import WiringError
from penstock.observe.page import LINKS
from penstock.pipeline import forks, ordering
from penstock.pipeline.edge import Choice, Edge
from penstock.pipeline.nearest import nearest
from penstock.pipeline.plan import SERVICE, SUBSCRIBER, WRITTEN, LinkPlan, Plan, RoutePlan, StagePlan


def plan(
    pipeline: str,
    stages: Iterable[StagePlan],
    edges: Iterable[Edge],
    *,
    where: str = "",
    allow_pickle: bool = False,
    config: Optional[Dict[str, Any]] = None,
) -> Plan:
    """The plan of a pipeline. The same edge may come more than once, and so may the same stage.

    Raises:
        WiringError: two stages have one name; no such stage or port; a sink with outputs or a source
            with inputs; a circle; a stage that nothing feeds, or whose output goes nowhere; no stages;
            a link that drops, to a stage with a key; an order that nobody could keep.
    """
    named = _by_name(stages)
    if not named:
        raise WiringError(
            f"the pipeline {pipeline!r} has no stages; give it some: Pipeline({pipeline!r}, a >> b)", where
        )
    wired = _distinct(edges)
    for edge in wired:
        _check_ends(edge, named)
        _check_shaped(edge, named)
    order = _order(named, wired)
    for name in order:
        _check_stage(named[name], wired)
        _check_ids(named[name], wired, named)
    links = [_link(at, edge, named[edge.target]) for at, edge in enumerate(wired)]
    ordering.check(list(named.values()), links)
    order.sort(key=lambda name: named[name].kind == SUBSCRIBER)
    return Plan(pipeline, [named[name] for name in order], links, allow_pickle, _routes(wired), config or {})


def _link(at: int, edge: Edge, target: StagePlan) -> LinkPlan:
    """The link of an edge.

    Raises:
        WiringError: it drops items, and its target has a key.
    """
    on_full = edge.on_full or target.on_full
    if target.key is not None and target.max_age is not None:
        raise WiringError(
            f"{target.name!r} has a key= and a max_age=; a link with a key keeps all; take one away",
            target.where,
        )
    if target.key is not None and on_full != "block":
        raise WiringError(
            f"{target.name!r} has a key= and {_out(edge)} drops what is too much (on_full={on_full!r});"
            " a link with a key keeps all: take one of the two away",
            edge.where if edge.on_full else target.where,
        )
    return LinkPlan(at, edge.source, edge.target, edge.port, on_full, edge.side)


def _by_name(stages: Iterable[StagePlan]) -> Dict[str, StagePlan]:
    """Stages by name.

    Raises:
        WiringError: a name means two stages.
    """
    named: Dict[str, StagePlan] = {}
    for stage in stages:
        known = named.setdefault(stage.name, stage)
        if known is not stage and (known != stage or stage.how not in WRITTEN):
            alike = "another of it" if known == stage else "the same with other options"
            other = f"the one of {known.where}" if known.where != stage.where else alike
            cure = 'call one .named("...")' if stage.shape is None else 'give one another: name="..."'
            raise WiringError(f"two stages are named {stage.name!r}: this and {other}; {cure}", stage.where)
    return named


def _distinct(edges: Iterable[Edge]) -> List[Edge]:
    """Each edge once: ``a >> b >> c`` and ``a >> b >> d`` in one pipeline mean one link from a to b.

    Raises:
        WiringError: two stages are joined both by a copy and by a route, or by two routes, or what happens
            when the link is full is said in two ways.
    """
    known: Dict[Tuple[str, str, str], Edge] = {}
    for edge in edges:
        first = known.setdefault(edge.ends, edge)
        if first.choice != edge.choice:
            raise WiringError(
                f"{_out(edge)} leads to {edge.target!r} here and, chosen otherwise, in {first.where};"
                " an item would arrive there twice",
                edge.where,
            )
        if first.side != edge.side:
            raise WiringError(
                f"{_out(edge)} is in two flows of {edge.target!r}; an item has no partner but itself there",
                edge.where,
            )
        if None not in {first.on_full, edge.on_full} and first.on_full != edge.on_full:
            raise WiringError(
                f"{_out(edge)} >> {edge.target!r} has on_full={edge.on_full!r} here and"
                f" {first.on_full!r} in {first.where}; it is one link, so say it once",
                edge.where,
            )
        known[edge.ends] = first._replace(on_full=first.on_full or edge.on_full)
    return list(known.values())


def _check_ends(edge: Edge, named: Mapping[str, StagePlan]) -> None:
    for name in (edge.source, edge.target):
        if name not in named:
            raise WiringError(f"there is no stage {name!r}{nearest(name, named)}", edge.where)
    source, target = named[edge.source], named[edge.target]
    for each in (source, target):
        if each.kind == SERVICE:
            raise WiringError(
                f"{each.name!r} is a service: it is called, {each.name}.call(...), and not wired;"
                " make it a @stage for that",
                edge.where,
            )
    if source.kind == "sink":
        raise WiringError(
            f"nothing comes out of {source.name!r}, a sink; make it a @stage to wire it on", edge.where
        )
    if target.kind == "source":
        raise WiringError(
            f"nothing goes into {target.name!r}, a source; make it a @stage to feed it", edge.where
        )
    if edge.port and edge.port not in source.ports:
        declare = nearest(edge.port, source.ports) or f"; declare it: ports=({edge.port!r},)"
        raise WiringError(f"{source.name!r} has no port {edge.port!r}{declare}", edge.where)


def _check_shaped(edge: Edge, named: Mapping[str, StagePlan]) -> None:
    """What a window or a join lets out always finds its way. The items in it are finished by then: were user
    code asked where it goes, and raised, nobody could try again or write a letter."""
    source, target = named[edge.source], named[edge.target]
    if source.shape is not None and (edge.choice is not None or target.key is not None):
        asks = "a route" if edge.choice is not None else f"the key= of {target.name!r}"
        raise WiringError(
            f"{asks} cannot ask what comes out of {source.name!r}; put a @stage between them that returns it,"
            " or penstock.map(same), where same is a function that does",
            edge.where,
        )


def _order(named: Mapping[str, StagePlan], edges: Sequence[Edge]) -> List[str]:
    """Names of the stages, upstream before downstream.

    Raises:
        WiringError: they are wired in a circle.
    """
    feeds: Dict[str, List[str]] = {name: [] for name in named}
    for edge in edges:
        feeds[edge.target].append(edge.source)
    try:
        return list(TopologicalSorter(feeds).static_order())
    except CycleError as error:
        circle: List[str] = error.args[1]
        steps = set(zip(circle, circle[1:]))
        closing = [edge.where for edge in edges if (edge.source, edge.target) in steps][-1]
        raise WiringError(
            f"the wires run in a circle: {' → '.join(circle)}; items would never leave it", closing
        ) from None


def _check_stage(stage: StagePlan, edges: Sequence[Edge]) -> None:
    """Every stage but a source is fed, every output but a sink's leads somewhere; some have no links."""
    if stage.kind in {SERVICE, SUBSCRIBER}:
        return
    into = [edge for edge in edges if edge.target == stage.name]
    out = [edge for edge in edges if edge.source == stage.name]
    if not into and stage.kind != "source":
        could_make = stage.how == "stage" and not stage.external
        cure = "wire something to it, or make it a @source" if could_make else "put a source before it"
        raise WiringError(f"nothing feeds {stage.name!r}; {cure}", stage.where)
    if not out and stage.kind != "sink":
        cure = "wire it on" if stage.kind == "source" else "wire it on, or make it a @sink"
        raise WiringError(f"what {stage.name!r} puts out goes nowhere; {cure}", stage.where)
    for port in stage.ports:
        if all(edge.port != port for edge in out):
            raise WiringError(
                f"the port {port!r} of {stage.name!r} goes nowhere; wire {stage.name}[{port!r}] on",
                stage.where,
            )
    if len(into) + len(out) > LINKS:
        raise WiringError(
            f"{stage.name!r} has {len(into) + len(out)} links; {LINKS} is the most", stage.where
        )


def _check_ids(stage: StagePlan, edges: Sequence[Edge], named: Mapping[str, StagePlan]) -> None:
    """Who leaves out what has an id that was there before is fed by nobody who gives one id to two items."""
    renumbering = [name for name, each in named.items() if each.shape is not None]
    found = forks.meeting(edges, stage.name, renumbering) if stage.dedupe else None
    if found is not None:
        raise WiringError(
            f"{stage.name!r} has dedupe=, and copies that {found.fork!r} makes meet again at {found.place!r}:"
            " two items of one id come from there, and the second would be left out; wire both ways to"
            f" {stage.name!r} itself, or take dedupe= away",
            stage.where,
        )


def _routes(edges: Sequence[Edge]) -> List[RoutePlan]:
    """Edges of one choice at one port belong together, in the order of the choice's targets."""
    numbers: Dict[Tuple[str, str, Choice], Dict[str, int]] = {}
    for number, edge in enumerate(edges):
        if edge.choice is not None:
            numbers.setdefault((edge.source, edge.port, edge.choice), {})[edge.target] = number
    return [
        RoutePlan(choice.by, [links[target] for target in choice.targets])
        for (_, _, choice), links in numbers.items()
    ]


def _out(edge: Edge) -> str:
    return f"{edge.source}[{edge.port!r}]" if edge.port else repr(edge.source)
