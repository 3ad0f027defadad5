"""Runs in the supervisor: where things are on each host, and how they are found from others."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from penstock.patterns.endpoint import read
from penstock.runtime import control
from penstock.runtime.hosts import codebook
from penstock.runtime.hosts.positions import kept
from penstock.runtime.hosts.stay import Stay
from penstock.runtime.shm import Budget


class Lodging:
    """Of all hosts of one run; ``""`` is the first one."""

    def __init__(
        self,
        run_dir: str,
        listen: str,
        ports: str,
        *,
        curve: tuple[str, str],
        stay: Callable[[str], Stay | None],
        trees: list[str],
    ) -> None:
        """Of the first host ``run_dir``, where it ``listen``s, at which ``ports`` its workers do (or at
        any), and the ``trees`` of the code. ``curve``: the key that all processes of the run share, public
        and secret. ``stay(host)``: that of a host that has joined."""
        self.ports = ports
        self.curve = curve
        self._run_dir = run_dir
        self._listen = listen
        self._stay = stay
        self._trees = trees

    def listening(self, host: str) -> str:
        """Where processes of that host listen for those of others."""
        return listening(self._listen, self._stay(host), self.ports)

    def endpoint(self, near: Callable[[str], str], tcp: str, *, home: str, host: str) -> str:
        """How processes on ``host`` find what listens on the host ``home`` at ``near(its run directory)``,
        and for others at ``tcp``."""
        there = self._stay(home)
        if home == host:
            return near(there.offer.run_dir if there and there.offer else self._run_dir)
        return reached(tcp, there, self._stay(host))

    def assigned(self, assignment: control.Assignment, host: str, *, senders: int) -> control.Assignment:
        """An assignment as it is there. ``senders``: workers that share the memory, if all are there."""
        shared = msgspec.structs.replace(assignment, listen=self.listening(host), curve=self.curve)
        return lodged(shared, self._stay(host), self._trees, senders=senders)


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
        position=kept(assignment) if assignment.kind == "source" else b"",
        arena_bytes=Budget(offer.shm).share(senders) if assignment.arena_bytes else 0,
    )
