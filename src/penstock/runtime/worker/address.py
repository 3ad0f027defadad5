"""In the worker: how a letter names the link by which its item came, and finds it when it is put back."""

from __future__ import annotations

from typing import Dict, NamedTuple

from penstock.pipeline.plan import LinkPlan
from penstock.runtime.control import Assignment


class Address(NamedTuple):
    """One link of a worker."""

    link: str
    """As people name it: ``camera→detect``, ``detect[rejected]→review``. No other link has that name."""
    key: str
    """What its target's ``key=`` is; empty: it has none."""


def addresses(assignment: Assignment) -> Dict[int, Address]:
    """The links a worker feeds, by id."""
    return {
        out.id: Address(
            LinkPlan(out.id, assignment.stage, out.target, outlet.port).label,
            "" if out.key is None else str(out.key),
        )
        for outlet in assignment.outlets
        for out in outlet.links
    }
