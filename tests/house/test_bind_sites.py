"""Every place that listens is known, and says why no stranger comes in there."""

from __future__ import annotations

import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "penstock"
LISTENS = re.compile(
    r"\.bind\w*\(|\bcreate_server\(|\bstart_(unix_)?server\(|HTTPServer\b|\bsocketserver\b|\b(sock|socket|server|debugpy)\.listen\("
    r"|\bcreate_datagram_endpoint\("
)
PLACES = {
    "patterns.wire": "after patterns.endpoint.judge: CURVE or loopback, and all interfaces only when told so",
    "link.near": "a file in the run directory of mode 0700",
    "link.sockets": "ipc, in the run directory of mode 0700",
    "link.tcp": "CURVE with the run's own key, or loopback",
    "link.relay": "all interfaces only when told so; nothing gets through but CURVE, or on loopback",
    "security.curve": "inproc: libzmq's questions about who is let in",
    "runtime.agent.inquiry": "a file in the run directory of mode 0700, on a host that has joined",
    "runtime.supervisor.server": "a file in the run directory; the kernel says who asks",
    "tasks.wake": "a file in a folder of mode 0700, by which nothing is said but that something is new",
    "mailbox": "sources.posts: loopback, unless anybody=True",
    "runtime.guest.debugger": "127.0.0.1, for as long as somebody debugs",
}
"""Where something listens, and what keeps strangers out."""
OTHERWISE = {
    "cli.join": "binds an address for a moment, to see whether it is one of this machine; nobody can connect",
    "tasks.form": "binds the arguments of a call",
    "tasks.task": "binds the arguments of a call",
}
ROOMS = {
    "bench": "measures plain pyzmq beside ours, on loopback and in its own folder",
    "rabbitmq": "binds queues of a broker to which it connects",
    "runtime.jobs": "as rabbitmq",
}


def _named(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


def _listening() -> set[str]:
    return {_named(path) for path in SOURCE.rglob("*.py") if LISTENS.search(path.read_text("utf-8"))}


def test_every_place_that_listens_is_known_and_closed_to_strangers() -> None:
    unknown = {
        module
        for module in _listening() - PLACES.keys() - OTHERWISE.keys()
        if not any(module.startswith(f"{room}.") for room in ROOMS)
    }
    assert unknown == set(), "say in PLACES what keeps strangers out there"


def test_no_place_is_known_that_is_gone() -> None:
    assert (PLACES.keys() | OTHERWISE.keys()) - _listening() == set()


def test_the_address_of_all_interfaces_is_written_only_where_it_is_refused() -> None:
    every = re.compile(r"""["']0\.0\.0\.0["']|INADDR_ANY|tcp://\*""")
    found = {_named(path) for path in SOURCE.rglob("*.py") if every.search(path.read_text("utf-8"))}
    found = {module for module in found if not module.startswith("cli.")}  # what people may type
    assert found == {"patterns.endpoint", "patterns.tuning"}


def test_zmtp_heartbeats_are_used_nowhere() -> None:
    """libzmq up to 4.3.5 aborts the process when one is due on a connection that was reset while its reader
    had no room: see ``patterns.pulse``."""
    beating = re.compile(r"zmq\.HEARTBEAT_|heartbeat_ivl")
    assert {_named(path) for path in SOURCE.rglob("*.py") if beating.search(path.read_text("utf-8"))} == set()
