"""Which stages share a process: a plan in which each has one of its own becomes one with fewer hops.

    camera ──> shrink ──> detect ──> save         four processes
    camera ──> [shrink + detect] ──> save         three: shrink is called where detect is

A step goes into the stage *behind* it: then the link in front of both is where its items are given back,
tried again and given up, and what holds for that link holds for the step. Where it does not fit there, it
goes into the one *before*; else it has a process for itself. It is only put where nobody could tell from
what comes out: the same items under the same ids, and the same ones dead. So what has several outputs for
an item comes last in its process (a failure further on would fail them all), and nothing goes into a source
(what is raised there ends it, and nobody has the item to try it again).

Pure: plan in, plan or sentence out.
"""

from __future__ import annotations

from typing import AbstractSet, Any, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Set

import msgspec

from penstock.errors import WiringError
from penstock.observe.page import LINKS
from penstock.pipeline.plan import ONE_LINERS, LinkPlan, Plan, StagePlan, Step

ITSELF = frozenset(("name", "kind", "code", "how", "gives", "steps", "shape", "where", "fuse"))
"""What says what a stage is, and not how its process is to be run."""
HOME = frozenset(("env", "hosts", "interpreter", "variables", "secrets"))
"""What must be the same for code that shares a process."""
EITHER = ITSELF | HOME | {"replicas", "window", "window_bytes", "timeout", "max_failures", "max_restarts"}
EITHER |= {"start_timeout", "ports", "ordered"}
"""What a stage may choose, and still take in others, before it or after it."""
AFTER = EITHER | {"key", "on_full", "max_age"}
"""What it may choose and take in what comes after it: these are about what comes to it, as ever."""
BEFORE = EITHER | {"batch", "batch_wait", "compress", "dedupe", "pad"}
"""What it may choose and take in what comes before it: items go through that on their way into a batch."""


class Fit(NamedTuple):
    """Whether a step can go into a neighbour."""

    host: str = ""
    """The neighbour; none: there are several, or none."""
    reason: str = ""
    """Why it cannot; empty: it can."""


def fused(plan: Plan, places: Mapping[str, str], named: AbstractSet[str] = frozenset()) -> Plan:
    """``plan`` with what may share a process in one.

    Args:
        plan: Each stage has a process of its own.
        places: Where ``fuse`` was said, by stage.
        named: The stages whose code is named by a text, and not imported here.

    Raises:
        WiringError: a stage says ``fuse=True`` and fits nowhere.
    """
    for name in [stage.name for stage in reversed(plan.stages)]:
        if _may(plan.stage(name)) and not (fit := _into_next(plan, plan.stage(name), named)).reason:
            plan = _merged(plan, first=name, second=fit.host, host=fit.host)
    for name in [stage.name for stage in plan.stages]:
        if _may(plan.stage(name)) and not (fit := _into_last(plan, plan.stage(name), named)).reason:
            plan = _merged(plan, first=fit.host, second=name, host=fit.host)
    for stage in plan.stages:
        if stage.fuse:
            raise WiringError(_refusal(plan, stage, named), places.get(stage.name, stage.where))
    return plan


def host_of(plan: Plan, name: str) -> Optional[str]:
    """The stage in whose process the step ``name`` runs; None: it has one of its own, or is not there."""
    return next(
        (
            stage.name
            for stage in plan.stages
            if name != stage.name and any(step.name == name for step in stage.steps)
        ),
        None,
    )


def _may(stage: StagePlan) -> bool:
    """Whether it is to go into a neighbour if it fits."""
    return stage.fuse if stage.fuse is not None else stage.how in ONE_LINERS


def _refusal(plan: Plan, stage: StagePlan, named: AbstractSet[str]) -> str:
    fits = {fit.reason: fit for fit in (_into_next(plan, stage, named), _into_last(plan, stage, named))}
    reasons = [f"not into {fit.host!r}: {fit.reason}" if fit.host else fit.reason for fit in fits.values()]
    return f"{stage.name!r} has fuse=True and fits into no neighbour's process; {'; '.join(reasons)}"


# ---------------------------------------------------------------------------------------- what fits where


def _into_next(plan: Plan, step: StagePlan, named: AbstractSet[str]) -> Fit:
    """Whether ``step`` fits into the stage behind it."""
    out = [link for link in plan.links if link.source == step.name]
    into = [link for link in plan.links if link.target == step.name]
    if reason := _unfit(step):
        return Fit("", reason)
    if len(out) != 1:
        return Fit("", "what it gives goes to several stages")
    host = plan.stage(out[0].target)
    if reason := _several(step, by_wish=bool(step.fuse)):
        return Fit(host.name, reason)
    if reason := _special(plan, [*into, *out]):
        return Fit(host.name, reason)
    if any(link.target == host.name and link != out[0] for link in plan.links):
        return Fit(host.name, f"{host.name!r} gets items from elsewhere, too")
    return Fit(
        host.name, _apart(step, host, BEFORE) or _hidden(step, host, named) or _crowded(plan, step, host)
    )


def _into_last(plan: Plan, step: StagePlan, named: AbstractSet[str]) -> Fit:
    """Whether ``step`` fits into the stage before it."""
    into = [link for link in plan.links if link.target == step.name]
    if reason := _unfit(step):
        return Fit("", reason)
    if len(into) != 1:
        return Fit("", "it gets items from several stages")
    host = plan.stage(into[0].source)
    if host.kind == "source":
        return Fit(host.name, "that is a source, and what is raised in one ends it")
    if into[0].port:
        return Fit(host.name, "it is fed by a port")
    if reason := _several(host, by_wish=bool(step.fuse)):
        return Fit(host.name, reason)
    if reason := _special(plan, into):
        return Fit(host.name, reason)
    if any((link.source, link.port) == (host.name, "") and link != into[0] for link in plan.links):
        return Fit(host.name, f"what {host.name!r} gives goes elsewhere, too")
    return Fit(
        host.name, _apart(step, host, AFTER) or _hidden(step, host, named) or _crowded(plan, step, host)
    )


def _unfit(step: StagePlan) -> str:
    """Why it could go into no other process."""
    if step.kind != "stage":
        return f"a {step.kind} takes others in, and goes nowhere; say it of the stage before"
    own = _chosen(step, ITSELF | HOME)
    return f"it has {own[0]}= of its own" if own else ""


def _several(first: StagePlan, *, by_wish: bool) -> str:
    """Why nothing may run behind ``first`` in its process. ``by_wish``: it was asked for, so where it is not
    known how many outputs there are, the worker sees."""
    if first.gives == "one" or (first.gives == "unsure" and by_wish):
        return ""
    if first.gives == "unsure":
        return f"{first.name!r} may have several outputs for an item"
    return f"{first.name!r} has several outputs for an item, and one that fails must not fail the others"


def _special(plan: Plan, links: List[LinkPlan]) -> str:
    """Why a link could not be another's, or none: more happens at it than that items pass."""
    routed = {number for route in plan.routes for number in route.links}
    for link in links:
        if link.id in routed:
            return f"a route chooses at {link.label}"
        if link.on_full != "block":
            return f"{link.label} drops items when it is full"
    return ""


def _apart(step: StagePlan, host: StagePlan, allowed: FrozenSet[str]) -> str:
    """Why their code cannot share a process."""
    if host.external:
        return f"{host.name!r} runs in scripts of yours"
    if host.shape is not None:
        return f"{host.name!r} keeps items, and has its process for itself"
    if host.fuse is False:
        return f"{host.name!r} says fuse=False"
    own = _chosen(host, allowed)
    if own:
        return f"{host.name!r} has {own[0]}="
    for knob in sorted(HOME):
        if getattr(step, knob) != getattr(host, knob):
            other = "another" if knob in {"env", "interpreter"} else "other"
            return f"{host.name!r} has {other} {knob}"
    return ""


def _hidden(step: StagePlan, host: StagePlan, named: AbstractSet[str]) -> str:
    """Why modules of one could hide those of the other. (What is imported here has shared this process.)"""
    steps = [*_steps(step), *_steps(host)]
    roots = sorted({each.code.root for each in steps} - {""})
    if len(roots) < 2 or not any(each.name in named for each in steps):
        return ""
    return f"their code is imported from different directories, {' and '.join(roots)}"


def _crowded(plan: Plan, step: StagePlan, host: StagePlan) -> str:
    ends = [{link.source, link.target} for link in plan.links]
    both = {step.name, host.name}
    count = sum(bool(each & both) for each in ends) - sum(each == both for each in ends)
    return f"together they would have {count} links, and {LINKS} is the most" if count > LINKS else ""


def _chosen(stage: StagePlan, allowed: FrozenSet[str]) -> List[str]:
    """Knobs besides ``allowed`` that are not as they are when nothing is said."""
    return [knob for knob, usual in _USUAL.items() if knob not in allowed and getattr(stage, knob) != usual]


_USUAL: Dict[str, Any] = {
    field.name: field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    for field in msgspec.structs.fields(StagePlan)
}


# ------------------------------------------------------------------------------------------------ merging


def _merged(plan: Plan, *, first: str, second: str, host: str) -> Plan:
    """The plan in which ``first`` and ``second``, its neighbour, are one stage, called ``host``."""
    one, other = plan.stage(first), plan.stage(second)
    whole = msgspec.structs.replace(
        plan.stage(host), kind=other.kind, gives=other.gives, steps=[*_steps(one), *_steps(other)]
    )
    stages = [
        whole if stage.name == host else stage
        for stage in plan.stages
        if stage.name == host or stage.name not in {first, second}
    ]
    kept = [link for link in plan.links if (link.source, link.target) != (first, second)]
    numbers = {link.id: number for number, link in enumerate(kept)}
    links = [_moved(link, numbers[link.id], {first, second}, host) for link in kept]
    routes = [
        msgspec.structs.replace(route, links=[numbers[link] for link in route.links]) for route in plan.routes
    ]
    return msgspec.structs.replace(plan, stages=stages, links=links, routes=routes)


def _moved(link: LinkPlan, number: int, gone: Set[str], host: str) -> LinkPlan:
    source = host if link.source in gone else link.source
    target = host if link.target in gone else link.target
    return msgspec.structs.replace(link, id=number, source=source, target=target)


def _steps(stage: StagePlan) -> List[Step]:
    return stage.steps or [Step(stage.name, stage.how, stage.code)]
