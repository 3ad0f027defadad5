"""An endpoint, read and judged: ``tcp://host:port``, ``ipc://path``, ``inproc://name``.

What is refused here costs a sentence; what ZeroMQ refuses costs an errno, and what it takes without a word
may be open to the whole network. Decides, and looks at nothing.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from penstock.errors import UserError
from penstock.pipeline.nearest import nearest

TRANSPORTS = ("tcp", "ipc", "inproc")
LONGEST_PATH = 107
"""Bytes of a socket file's path, by the kernel's ``sockaddr_un``."""
ANY_HOST = frozenset(("*", "0.0.0.0", "::"))  # noqa: S104  named in order to be refused
ANY_PORT = "*"
_TCP = re.compile(r"(\[(?P<six>[^\]\[]+)\]|(?P<host>[^:\[\]/;@\s]+)):(?P<port>[^:/;@\s]+)")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a socket binds or connects."""

    transport: str
    """``tcp``, ``ipc`` or ``inproc``."""
    place: str
    """Host, path or name."""
    port: int = 0
    """Of tcp; 0: any that is free."""

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can be at the other end."""
        if self.transport != "tcp":
            return True
        address = _address(self.place)
        return self.place == "localhost" or (address is not None and address.is_loopback)

    @property
    def on_all_interfaces(self) -> bool:
        """Whether whoever reaches any address of this machine can be at the other end."""
        address = _address(self.place)
        return self.transport == "tcp" and (
            self.place in ANY_HOST or (address is not None and address.is_unspecified)
        )

    def __str__(self) -> str:
        if self.transport != "tcp":
            return f"{self.transport}://{self.place}"
        host = f"[{self.place}]" if ":" in self.place else self.place
        return f"tcp://{host}:{self.port or ANY_PORT}"


def read(text: str) -> Endpoint:
    """The endpoint that ``text`` writes.

    Raises:
        UserError: it writes none; the sentence says what is wrong with it.
    """
    transport, found, rest = str(text).partition("://")
    if not found:
        raise _wrong(text, "it has no transport; write tcp://host:port, ipc://path or inproc://name")
    if transport not in TRANSPORTS:
        raise _wrong(text, f"there is no transport {transport!r}{nearest(transport, TRANSPORTS)}")
    if "\0" in rest:
        raise _wrong(text, "it holds a zero byte")
    return {"tcp": _tcp, "ipc": _ipc, "inproc": _inproc}[transport](text, rest)


def read_all(texts: Sequence[str]) -> list[Endpoint]:
    """All of a socket, of which there must be one.

    Raises:
        UserError: none, or one that is none.
    """
    if not texts:
        raise UserError("a socket needs an endpoint, like 'tcp://127.0.0.1:5555' or 'ipc:///tmp/here'")
    return [read(text) for text in texts]


def judge(endpoint: Endpoint, *, binds: bool, curve: bool, all_interfaces: bool) -> None:
    """Refuse what strangers could use.

    Raises:
        UserError: it leaves this machine without CURVE, binds every interface unasked, or asks a port that
            cannot be connected to.
    """
    if binds and endpoint.on_all_interfaces and not all_interfaces:
        raise UserError(
            f"{endpoint} would listen on all interfaces; name one address of this machine, or say"
            " all_interfaces=True"
        )
    if not endpoint.on_loopback and not curve:
        raise UserError(
            f"{endpoint} leaves this machine, and is in the clear; give curve= (see `penstock keys`),"
            " or use 127.0.0.1"
        )
    if not binds and endpoint.transport == "tcp" and (not endpoint.port or endpoint.on_all_interfaces):
        raise UserError(f"{endpoint} cannot be connected to; name the host and the port that were bound")


def _tcp(text: str, rest: str) -> Endpoint:
    found = _TCP.fullmatch(rest)
    if found is None:
        raise _wrong(text, "tcp is written tcp://host:port, and with IPv6 tcp://[::1]:port")
    return Endpoint("tcp", _host(text, found["host"], found["six"]), _port(text, found["port"]))


def _host(text: str, host: str | None, six: str | None) -> str:
    if six is not None:
        address = _address(six)
        if address is None or address.version == 4:
            raise _wrong(text, f"{six!r} is no IPv6 address")
        return six
    assert host is not None
    if re.fullmatch(r"[\d.]+", host) and _address(host) is None:
        raise _wrong(text, f"{host!r} is no IPv4 address")
    return host


def _port(text: str, port: str) -> int:
    if port == ANY_PORT:
        return 0
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise _wrong(text, f"{port!r} is no port; ports are 1 to 65535, and 0 or * any that is free")
    return int(port)


def _ipc(text: str, rest: str) -> Endpoint:
    if not rest or rest == "*":
        raise _wrong(text, "ipc is written ipc://path, a file in a folder of yours")
    if rest.startswith("@"):
        raise _wrong(text, "an abstract socket has no owner: everybody here may use it; name a file")
    if (size := len(rest.encode())) > LONGEST_PATH:
        raise _wrong(text, f"its path has {size} bytes, and the kernel takes {LONGEST_PATH}")
    return Endpoint("ipc", rest)


def _inproc(text: str, rest: str) -> Endpoint:
    if not rest or rest.startswith("zeromq."):
        raise _wrong(text, "inproc is written inproc://name, and no name begins with 'zeromq.'")
    if len(rest.encode()) > 200:
        raise _wrong(text, "the name has more than 200 bytes")
    return Endpoint("inproc", rest)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _wrong(text: str, why: str) -> UserError:
    return UserError(f"{str(text)[:200]!r} is no endpoint: {why}")
