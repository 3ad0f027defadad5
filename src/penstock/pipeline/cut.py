"""Which part of a pipeline is run again on what was recorded. A decision module: plans in, a plan out.

camera --> detect --> track --> save          recorded: camera→detect, detect→track, track→save

without ``into``       (camera) --> detect --> track --> save          (camera) plays what it sent
``into="track"``                  (detect) --> track --> save
with ``compare``       (camera) --> detect --> track --> [save]        [save] does nothing with what comes

What a window or a join puts out depends on what came when, which is never the same twice. So with
``compare`` none of them is run, and what it had put out is played to what is behind it:

camera --> detect --> pairs --> mean --> save                            recorded: all

with ``compare``       (camera) --> detect --> [pairs]     (pairs~replay) --> mean --> [save]
"""

from __future__ import annotations

from typing import Any, Collection, Dict, Iterable, List, Mapping, NamedTuple, Optional, Set

from msgspec.structs import replace

from penstock.errors import UserError
from penstock.pipeline import fusion
from penstock.pipeline.nearest import nearest
from penstock.pipeline.plan import LinkPlan, Plan, Reel, StagePlan
from penstock.pipeline.reference import Reference

MADE = Reference("", "penstock.runtime.worker.order.replayer", "made")
LET_GO = Reference("", "penstock.runtime.worker.order.replayer", "let_go")
PLAYED = "~replay"
"""Ends the name of what plays for a window or a join. (No name that people give has this sign.)"""


class Cut(NamedTuple):
    """A part of a pipeline."""

    plan: Plan
    fed: List[LinkPlan]
    """The links on which what was recorded is played."""
    unfed: List[LinkPlan]
    """Those that lead into the part and are not recorded: nothing comes by them."""
    compared: List[LinkPlan]
    """Those behind it of which it is known what went by."""
    uncompared: List[LinkPlan]
    """Of which it is known, too, but they come out of a window or a join."""


def cut(
    plan: Plan, reel: Reel, recorded: Collection[str], *, into: Optional[str] = None, compare: bool = False
) -> Cut:
    """The part of ``plan`` behind what is recorded.

    Nothing is dropped there: what is recorded may be played faster than it was.

    Args:
        plan: The whole.
        reel: How it is played; the tracks are chosen here, and of its sources those that are played.
        recorded: The links that are recorded, by their labels.
        into: Where the part begins; ``None``: with all that the sources feed.
        compare: End it before the sinks, and leave out what leads to no link that can be compared.

    Raises:
        UserError: there is no such stage, or nothing is recorded that leads into it, or out of it.
    """
    inside = _behind(plan, into)
    shaped = {stage.name for stage in plan.stages if compare and stage.shape is not None} & inside
    uncompared = [link for link in plan.links if link.source in shaped and link.label in recorded]
    plan = _apart(plan, shaped)
    entries = [link for link in plan.links if link.target in inside and link.source not in inside]
    fed = [link for link in entries if _label(link) in recorded]
    if not fed:
        raise UserError(
            _nothing(reel.path, entries, recorded, f"goes into {into}" if into else "sources sent")
        )
    inside &= _reached(plan, [link.target for link in fed], inside)
    compared = [link for link in plan.links if link.source in inside and link.label in recorded]
    kept = inside
    if compare:
        if not compared:
            raise UserError(_incomparable(reel.path, plan, inside, recorded))
        kept = _leading_to(plan, {link.source for link in compared}, inside)
        fed = [link for link in fed if link.target in kept]
    unfed = [link for link in entries if link not in fed and link.target in kept]
    part = _part(plan, reel, kept, fed)
    return Cut(part, _named(fed), _named(unfed), compared if compare else [], uncompared)


def _apart(plan: Plan, shaped: Set[str]) -> Plan:
    """``plan`` with each of ``shaped`` made two: a sink for what comes to it, a source of what it had put
    out."""
    ends = [
        replace(stage, kind="sink", shape=None) if stage.name in shaped else stage for stage in plan.stages
    ]
    begins = [
        replace(stage, kind="source", shape=None, name=stage.name + PLAYED)
        for stage in plan.stages
        if stage.name in shaped
    ]
    links = [
        replace(link, source=link.source + PLAYED) if link.source in shaped else link for link in plan.links
    ]
    return replace(plan, stages=begins + ends, links=links)


def _label(link: LinkPlan) -> str:
    """What the link is called in a recording."""
    return link.label.replace(PLAYED, "")


def _named(links: List[LinkPlan]) -> List[LinkPlan]:
    """The links as they are in the whole."""
    return [replace(link, source=link.source.replace(PLAYED, "")) for link in links]


def _behind(plan: Plan, into: Optional[str]) -> Set[str]:
    """A stage and all behind it; without one, all but the sources.

    Raises:
        UserError: there is none of that name.
    """
    kinds = {stage.name: stage.kind for stage in plan.stages}
    if into is None:
        return {name for name, kind in kinds.items() if kind != "source"}
    if host := fusion.host_of(plan, into):
        raise UserError(f"{into!r} runs in the process of {host!r}: name that, or say fuse=False of {into!r}")
    if into not in kinds:
        raise UserError(f"{plan.pipeline} has no stage {into!r}{nearest(into, kinds)}")
    if kinds[into] == "source":
        raise UserError(f"nothing goes into {into}, a source; leave --into out to play what it has sent")
    return _reached(plan, [into], set(kinds))


def _reached(plan: Plan, begin: Iterable[str], inside: Set[str]) -> Set[str]:
    """Those of ``inside`` to which items come that come to one of ``begin``."""
    return _walk(begin, {name: [x.target for x in plan.links if x.source == name] for name in inside})


def _leading_to(plan: Plan, ends: Iterable[str], inside: Set[str]) -> Set[str]:
    """Those of ``inside`` from which items come to one of ``ends``."""
    return _walk(ends, {name: [x.source for x in plan.links if x.target == name] for name in inside})


def _walk(begin: Iterable[str], steps: Mapping[str, List[str]]) -> Set[str]:
    found: Set[str] = set()
    todo = [name for name in begin if name in steps]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += [step for step in steps[name] if step in steps]
    return found


def _part(plan: Plan, reel: Reel, kept: Set[str], fed: List[LinkPlan]) -> Plan:
    """The plan of the stages ``kept``: before them players, behind them what takes and does nothing."""
    players = {link.source for link in fed}
    labels = {link.id: _label(link) for link in fed}
    reel = replace(reel, sources={label: reel.sources[label] for label in labels.values() if reel.sources})
    links = [link for link in plan.links if link in fed or link.source in kept]
    takers = {link.target for link in links} - kept
    stages = []
    for stage in plan.stages:
        if stage.name in kept:
            stages.append(replace(stage, max_age=None, on_full="block"))
        elif stage.name in players:
            tracks = {link.id: labels[link.id] for link in fed if link.source == stage.name}
            stages.append(_stand_in(stage, "source", MADE, reel=replace(reel, tracks=tracks)))
        elif stage.name in takers:
            stages.append(_stand_in(stage, "sink", LET_GO))
    ids = {link.id for link in links if link.source in kept}
    routes = [route for route in plan.routes if ids.issuperset(route.links)]
    return replace(
        plan, stages=stages, links=[replace(link, on_full="block") for link in links], routes=routes
    )


def _stand_in(stage: StagePlan, kind: str, code: Reference, **more: Any) -> StagePlan:
    """Another in the place of ``stage``, under its Python: what it sends or gets may need its libraries."""
    same: Dict[str, Any] = {
        name: getattr(stage, name)
        for name in ("name", "env", "interpreter", "variables", "secrets", "start_timeout", "where")
    }
    return StagePlan(**same, kind=kind, code=code, **more)


def _incomparable(path: str, plan: Plan, inside: Set[str], recorded: Collection[str]) -> str:
    """Why there is nothing to compare."""
    behind = [link for link in plan.links if link.source in inside]
    if behind:
        return _nothing(path, behind, recorded, "comes out of what is run again")
    return (
        "there is nothing to compare: only windows and joins would be run again, and what they put out"
        " depends on what came when"
    )


def _nothing(path: str, wanted: List[LinkPlan], recorded: Collection[str], what: str) -> str:
    labels = ", ".join(map(_label, wanted))
    return f"{path} has nothing that {what} ({labels}); it has {', '.join(recorded) or 'no link'}"
