"""Runs in the supervisor: whether hosts find each other that know loopback alone, as through an SSH tunnel.
A decision module.

A tunnel carries the ports that it was told to carry, each under the same number at both of its ends. So
workers listen at ports that were said, no port is that of two hosts, and an address on loopback means the
same worker wherever it is used. (libzmq's way through a SOCKS proxy, which ``ssh -D`` offers, would need no
ports; but libzmq 4.3.5 aborts the process when nobody answers at the proxy, as when ssh has ended.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from penstock.patterns.endpoint import Endpoint, read
from penstock.runtime import hostwire

PORTS = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")


class End(NamedTuple):
    """One host, as others find it."""

    name: str
    address: str
    ports: str
    machine: str

    @property
    def span(self) -> range:
        """Its ports; none: it has not said any that can be."""
        found = PORTS.fullmatch(self.ports)
        span = range(int(found[1]), int(found[2]) + 1) if found else range(0)
        return span if span.start > 0 and span.stop <= 1 << 16 else range(0)

    def hidden_from(self, other: End) -> bool:
        """Whether only a tunnel leads from there to here."""
        known = bool(self.machine and other.machine)
        return known and self.machine != other.machine and Endpoint("tcp", self.address).on_loopback


def first(listen: str, ports: str, *, reach: str, machine: str) -> End:
    """The host that listens there, as one finds it who has reached it at ``reach``."""
    endpoint = read(listen)
    return End("the run", reach if endpoint.on_all_interfaces else endpoint.place, ports, machine)


def refusal(join: hostwire.Join, here: End, others: Iterable[hostwire.Join]) -> str:
    """Why workers of a host that joins and of those that are here would not find each other, or would take
    others for them; empty: all is well."""
    new = _end(join)
    if new.ports and not new.span:
        return "its ports are none"
    if new.hidden_from(here) and not here.hidden_from(new):
        return (
            f"it came through a tunnel, and workers of the run are found at {here.address}: the run has to"
            " listen on loopback, --listen tcp://127.0.0.1:7788"
        )
    return next(filter(None, (_apart(new, known) for known in (here, *map(_end, others)))), "")


def _end(join: hostwire.Join) -> End:
    return End(join.name, join.address, join.ports, join.machine)


def _apart(new: End, known: End) -> str:
    tunnelled = [one for one, other in ((new, known), (known, new)) if one.hidden_from(other)]
    for one in tunnelled:
        if not one.span:
            return (
                f"{one.name} is found on loopback alone; through a tunnel, say at both ends which ports it"
                " carries for workers: --ports 7800-7809"
            )
    if tunnelled and max(new.span.start, known.span.start) < min(new.span.stop, known.span.stop):
        return f"ports {new.ports} are those of {known.name}, too: behind a tunnel each host needs its own"
    return ""
