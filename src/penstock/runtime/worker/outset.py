"""In the worker: what its assignment names, made: the code by reference, the out-links, the ports."""

from __future__ import annotations

from typing import Any, Dict

from penstock.link.link import Link
from penstock.observe import page
from penstock.pipeline.plan import By, OutLink
from penstock.pipeline.reference import Reference, load
from penstock.pipeline.stage import Node
from penstock.runtime.control import Assignment
from penstock.runtime.worker.chooser import Chooser, Key
from penstock.runtime.worker.emitter import Port, Route
from penstock.runtime.worker.order import ordering


def target(code: Reference) -> Any:
    """The function or class that a reference means, without its decorator."""
    found = load(code)
    return found.target if isinstance(found, Node) else found


def make_links(assignment: Assignment) -> Dict[int, Link]:
    """Its out-links, by their numbers."""
    links: Dict[int, Link] = {}
    pool = assignment.arena_bytes // max(1, sum(len(outlet.links) for outlet in assignment.outlets))
    for outlet in assignment.outlets:
        for out in outlet.links:
            word = page.link_word(len(links), 0)
            links[out.id] = link = _link(out, word=word, pool=pool)
            if out.tells:
                ordering.prepare(link, ahead=out.ahead, assignment=assignment, pool=pool)
    return links


def _link(out: OutLink, **place: int) -> Link:
    """The kind of link that was chosen: one that drops nothing has nothing of one that does."""
    common: Dict[str, Any] = {"id": out.id, "target": out.target, "max_failures": out.max_failures, **place}
    if out.key is not None:
        from penstock.link.keyed import KeyedLink

        return KeyedLink(**common, replicas=out.replicas)
    if out.on_full == "block" and out.max_age is None:
        return Link(**common)
    from penstock.link.lossy import Lossy

    return Lossy(**common, on_full=out.on_full, window=out.window, max_age=out.max_age)


def chooser(by: By) -> Chooser:
    """What is asked about each value."""
    return target(by) if isinstance(by, Reference) else by


def make_ports(assignment: Assignment, links: Dict[int, Link]) -> Dict[str, Port]:
    """Where each of its ports leads. Imports what routes and keys are decided by."""
    ports: Dict[str, Port] = {}
    for outlet in assignment.outlets:
        port = ports.setdefault(outlet.port, Port())
        for out in outlet.links:
            link = links[out.id]
            if out.key is not None:
                keyed: Any = link
                keyed.shard = Key(chooser(out.key), out.target).shard
            if outlet.by is None:
                (port.copies if out.key is None else port.keyed).append(link)
        if outlet.by is not None:
            routed = [links[out.id] for out in outlet.links]
            port.routes.append(Route(chooser(outlet.by), routed))
            port.telling += [link for link in routed if link.passage is not None]
    return ports
