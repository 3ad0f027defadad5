"""What it means for the rest of a pipeline that a stage takes its items in order. Pure: plan in, answers out.

Whoever lies between a source and an ordered stage says which ids will never arrive there. That can be added
up where each id comes by each in-link of the ordered stage at most once: so between a source and such a link
there is one way. Several ways may meet at the ordered stage itself.
"""

from __future__ import annotations

from collections import Counter
from typing import Counter as Count
from typing import Dict, Iterator, List, Mapping, Sequence, Set

import msgspec

from penstock.errors import WiringError
from penstock.pipeline.plan import UNBOUNDED, InLink, LinkPlan, Outlet, Plan, StagePlan


def leading(stages: Sequence[StagePlan], links: Sequence[LinkPlan]) -> Set[str]:
    """The ordered stages, and all that lead to one."""
    found = {stage.name for stage in stages if stage.ordered}
    before = -1
    while len(found) != before:
        before = len(found)
        found |= {link.source for link in links if link.target in found}
    return found


def told(plan: Plan, outlets: Sequence[Outlet]) -> List[Outlet]:
    """``outlets`` with what their links have to say for the order of others."""
    wanted = leading(plan.stages, plan.links)
    if not wanted:
        return list(outlets)
    replace = msgspec.structs.replace
    return [
        replace(
            outlet,
            links=[
                replace(out, tells=True, ahead=ahead(plan, out.target)) if out.target in wanted else out
                for out in outlet.links
            ],
        )
        for outlet in outlets
    ]


def rooted(plan: Plan, inlinks: Sequence[InLink]) -> List[InLink]:
    """``inlinks`` of an ordered stage with the sources whose items come by them; of others as they are."""
    ordered = {link.id for link in plan.links if plan.stage(link.target).ordered}
    ways = _ways(plan.stages, plan.links) if ordered else {}
    return [
        msgspec.structs.replace(link, roots=sorted(ways[link.id])) if link.id in ordered else link
        for link in inlinks
    ]


def ahead(plan: Plan, stage: str) -> int:
    """How many items a source may be ahead that feeds ``stage``: the smallest window of those that take them
    in order; 0: none says. ``UNBOUNDED`` where a window or join may hold some of them: it could wait for just
    those that the source holds back."""
    below = _below(plan.links, stage)
    found = [each for each in plan.stages if each.name in below]
    if any(each.shape is not None for each in found):
        return UNBOUNDED
    return min((each.window for each in found if each.ordered and each.window), default=0)


def _below(links: Sequence[LinkPlan], stage: str) -> Set[str]:
    """``stage``, and all that it leads to."""
    found, new = {stage}, {stage}
    while new:
        new = {link.target for link in links if link.source in new} - found
        found |= new
    return found


def _ways(stages: Sequence[StagePlan], links: Sequence[LinkPlan]) -> Dict[int, Mapping[str, int]]:
    """For each link the sources whose items come by it, and in how many ways."""
    named = {stage.name: stage for stage in stages}
    found: Dict[int, Mapping[str, int]] = {}

    def of(link: LinkPlan) -> Mapping[str, int]:
        if link.id not in found:
            if named[link.source].kind == "source":
                found[link.id] = dict.fromkeys(_made(named[link.source], link), 1)
            else:
                total: Count[str] = Counter()
                for each in links:
                    if each.target == link.source:
                        total.update(of(each))
                found[link.id] = total
        return found[link.id]

    for link in links:
        of(link)
    return found


def _made(source: StagePlan, link: LinkPlan) -> Sequence[str]:
    """Whose items a source puts on a link: its own, or what it plays."""
    if source.reel is not None:
        return source.reel.sources[source.reel.tracks[link.id]]
    return [f"{link.source}:{link.port}" if link.port else link.source]


def check(stages: Sequence[StagePlan], links: Sequence[LinkPlan]) -> None:
    """Refuse an order that nobody could keep.

    Raises:
        WiringError: several ways lead from a source to one in-link of an ordered stage, or one through a
            window or a join; or it bounds a source that a window waits for.
    """
    ways = _ways(stages, links)
    wanted = leading(stages, links)
    for stage in stages:
        if stage.name in wanted and stage.shape is not None:
            ordered = next(each for each in stages if each.ordered)
            raise WiringError(
                f"{ordered.name!r} is ordered, and {stage.name!r} puts items together: what it makes has no"
                " place in the order of a source; take ordered=True away",
                ordered.where,
            )
    for stage in stages:
        if stage.ordered:
            _check_window(stage, stages, links)
            for link in links:
                if link.target == stage.name:
                    _check(stage, link, ways[link.id])


def _check_window(stage: StagePlan, stages: Sequence[StagePlan], links: Sequence[LinkPlan]) -> None:
    """Refuse a bound that could stop a source while a window waits for its next item."""
    if not stage.window:
        return
    sources = {each.name for each in stages if each.kind == "source"}
    firsts = [link.target for link in links if link.source in sources]
    for first in firsts:
        below = _below(links, first)
        holder = next((each.name for each in stages if each.name in below and each.shape is not None), None)
        if holder and stage.name in below:
            raise WiringError(
                f"{stage.name!r} is ordered with window={stage.window}, and {holder!r} puts items of the same"
                " source together: it could wait for one that the source may not send yet; leave window= out",
                stage.where,
            )


def _check(stage: StagePlan, link: LinkPlan, ways: Mapping[str, int]) -> None:
    for source in _several(ways):
        name = source.partition(":")[0]
        raise WiringError(
            f"{stage.name!r} is ordered, and items of {name!r} come to {link.source!r}, which feeds it, in"
            f" {ways[source]} ways: nobody could tell how often one is still to come; let the ways meet at"
            f" {stage.name!r} itself",
            stage.where,
        )


def _several(ways: Mapping[str, int]) -> Iterator[str]:
    return (source for source, count in ways.items() if count > 1)
