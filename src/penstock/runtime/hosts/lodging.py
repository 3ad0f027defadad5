"""Runs in the supervisor: what a worker is told that is otherwise on another host: places and addresses."""

from __future__ import annotations

import msgspec

from penstock.patterns.endpoint import read
from penstock.runtime import control
from penstock.runtime.hosts import codebook
from penstock.runtime.hosts.stay import Stay
from penstock.runtime.shm import Budget


def listening(listen: str, stay: Stay | None, ports: str = "") -> str:
    """Where workers take receivers of other hosts. ``listen``: where the run does; ``ports``: at which of
    them its own workers do; ``stay``: of their host; None: it is the first."""
    place = read(listen).place if stay is None else stay.join.address
    return _tcp(place, (ports if stay is None else stay.join.ports) or "*")


def reached(tcp: str, sender: Stay | None, receiver: Stay | None) -> str:
    """How a worker that listens at ``tcp`` is found: one of the first host by the name by which the run was,
    as relays and tunnels that lead to that lead to it, too; others where their host says, or as they are."""
    place = sender.join.found if sender is not None else receiver.join.reach if receiver is not None else ""
    return _tcp(place, str(read(tcp).port)) if tcp and place else tcp


def _tcp(place: str, port: str) -> str:
    return f"tcp://[{place}]:{port}" if ":" in place else f"tcp://{place}:{port}"


def lodged(
    assignment: control.Assignment, stay: Stay | None, trees: list[str], *, senders: int
) -> control.Assignment:
    """An assignment with the places of that host in it. ``trees``: where the code is on the first host.
    ``senders``: workers that share the memory there, if all of them are there."""
    if stay is None or stay.offer is None:
        return assignment
    offer, record = stay.offer, assignment.record
    if record is not None and stay.baggage is not None:
        record = msgspec.structs.replace(record, path=stay.baggage.recording(record.path))
    return msgspec.structs.replace(
        codebook.moved(assignment, trees, offer.trees),
        host=stay.name,
        run_dir=offer.run_dir,
        state_dir=offer.state_dir,
        record=record,
        arena_bytes=Budget(offer.shm).share(senders) if assignment.arena_bytes else 0,
    )
