"""Runs in the supervisor: whether a host may take part, and what it is called then. A decision module."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from penstock import __version__
from penstock.runtime import hostwire
from penstock.runtime.hosts import tunnel
from penstock.runtime.policy import policy
from penstock.runtime.policy.placement import FIRST_LABEL
from penstock.runtime.policy.roster import Roster

_NAME = re.compile(r"[\w.-]{1,64}")
_PLACE = re.compile(r"[\w.:%-]{0,255}")


def refusal(said: hostwire.Join, roster: Roster, here: tunnel.End, others: Iterable[hostwire.Join]) -> str:
    """Why it cannot take part; empty: it can. ``here``: the first host, as it finds it; ``others``: who has
    joined before."""
    if said.version != hostwire.VERSION or said.penstock != __version__:
        return f"this run is of penstock {__version__}, and the agent of {said.penstock[:40]}: use the same"
    names = [said.name, *said.labels]
    if not all(map(_NAME.fullmatch, names)) or FIRST_LABEL in names or not 0 < said.cores < 1 << 16:
        return f"{said.name[:80]!r} or one of its labels is no name for a host"
    if not all(map(_PLACE.fullmatch, (said.address, said.found, said.reach))):
        return "its addresses are none"
    for stage, more in said.brings.items():
        asked = roster.stages[stage].asked if stage in roster.stages else 0
        if why := policy.refusal(roster, stage, asked + more if more > 0 else 0, brought=True):
            return why
    return tunnel.refusal(said, here, others)


def free_name(name: str, taken: Collection[str]) -> str:
    """``name``, with a number where another host has it."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found
