"""On which host a worker is started. A decision module: who is there and what waits in, a host's name out.

The first host is called ``""`` here; the others have names. For each worker that is to be started:

    a seat that a host has brought (``--stage detect=4``)    there, and nowhere else
    a stage that says ``hosts="gpu"``                           a host with that label; none has it: it waits
    ``hosts="first"``, sources, sinks and external stages        the first host
    all others                                               where there are the fewest workers to a core

Sources and sinks stay on the first host unless they say otherwise: the files and ports that they read and
write are there. (Among equals the first host comes first: what is on one host shares memory.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

FIRST = ""
"""The host that decides."""
FIRST_LABEL = "first"
"""``hosts="first"``: no other host may call itself so."""


class Host(NamedTuple):
    """A host whose workers this run may use."""

    name: str
    cores: int
    labels: frozenset[str] = frozenset()
    brings: tuple[tuple[str, int], ...] = ()
    """Stages, each with the replicas that it has more for as long as this host is there."""
    leaving: bool = False
    """It takes nobody new; when nobody is left there it goes."""
    unfit: str = ""
    """Why it was sent away, if it was."""


class Wish(NamedTuple):
    """What is known of a worker that is to be started."""

    on: str = ""
    """The label that its stage names; empty: none."""
    stays: bool = False
    """It is a source, a sink, one that scripts take part in, or has GPUs of the first host."""
    pinned: str | None = None
    """The host that has brought its seat."""


def choose(hosts: Mapping[str, Host], there: Iterable[str], wish: Wish) -> str | None:
    """Where the worker goes; None: nowhere for now.

    Args:
        hosts: all of them, the first among them.
        there: the host of each living worker.
        wish: what the worker needs.
    """
    if wish.pinned is not None:
        host = hosts.get(wish.pinned)
        return wish.pinned if host is not None and not host.leaving else None
    fit = [host for host in hosts.values() if not host.leaving and fits(host, wish)]
    if not fit:
        return None
    counts = list(there)
    return min(fit, key=lambda host: ((counts.count(host.name) + 1) / host.cores, host.name != FIRST)).name


def fits(host: Host, wish: Wish) -> bool:
    """Whether a worker that nobody has brought may be there."""
    if wish.on and wish.on != FIRST_LABEL:
        return wish.on in host.labels
    return host.name == FIRST or not (wish.on or wish.stays)
