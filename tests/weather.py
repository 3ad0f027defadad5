"""Bad weather for what a host sends: packets are lost, or late. Run there: ``weather.py LOSS DELAY``.

Not every kernel has netem; NFQUEUE they have: a packet that goes out waits until we have said what becomes of
it. That is asked for by netlink, as ``iptables -A OUTPUT ! -o lo -j NFQUEUE`` would, so no tool has to be
there. Packets come as they are on the wire: what TCP hands over as a long one is cut up before. The weather
is fine again when standard input ends; then a line of JSON says how it was.
"""

from __future__ import annotations

import heapq
import itertools
import json
import os
import random
import select
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator

NETFILTER = 12
"""The family of netlink."""
REQUEST, ACK, CREATE, APPEND = 1, 4, 0x400, 0x800
"""Flags of a message."""
ERROR, BEGIN, END = 2, 16, 17
"""Kinds of messages: an answer, with 0 where all is well; and what is between the others is done, or none."""
TABLES, NEW_TABLE, DEL_TABLE, NEW_CHAIN, NEW_RULE = 10, 0xA00, 0xA02, 0xA03, 0xA06
PACKET, VERDICT, CONFIG = 0x300, 0x301, 0x302
DROP, ACCEPT = 0, 1
OUTPUT = 3
"""The hook through which goes what a host sends."""
NAME_OF_INTERFACE, UNEQUAL, REGISTER = 7, 1, 1
MOST = 20_000
"""Packets that wait."""
SEED = 7
_numbers = itertools.count(1)


def field(kind: int, value: bytes | str | int) -> bytes:
    """One field of a message."""
    if isinstance(value, int):
        value = struct.pack(">I", value)
    data = value.encode() + b"\0" if isinstance(value, str) else value
    return struct.pack("=HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def nest(kind: int, *fields: bytes) -> bytes:
    """Fields in a field."""
    return field(kind | 0x8000, b"".join(fields))


def message(
    kind: int, *fields: bytes, flags: int = ACK, family: int = socket.AF_INET, about: int = 0
) -> bytes:
    """One message to netfilter. ``about``: whom it is for, where that is not said in its kind."""
    body = struct.pack(">BBH", family, 0, about) + b"".join(fields)
    return struct.pack("=IHHII", len(body) + 16, kind, REQUEST | flags, next(_numbers), 0) + body


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The kind and the body of each."""
    while data:
        length, kind = struct.unpack_from("=IH", data)
        yield kind, data[16:length]
        data = data[(length + 3) & ~3 :]


class Kernel:
    """The part of it through which packets go."""

    def __init__(self) -> None:
        """Be who decides over the first queue; of each packet we are told its number alone.

        Raises:
            OSError: this kernel has no such queues, or we are not root.
        """
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)
        self._socket.bind((0, 0))
        self._socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 25)  # SO_RCVBUFFORCE
        self._socket.setsockopt(270, 5, 1)  # NETLINK_NO_ENOBUFS: to read slowly costs packets, and no more
        self.fileno = self._socket.fileno
        bind, no_byte_of_it = struct.pack(">BxH", 1, 0), struct.pack(">IB", 0, 1)
        for each in (field(1, bind), field(2, no_byte_of_it), field(3, MOST)):
            self._ask(message(CONFIG, each))

    def divert(self) -> None:
        """Have all that goes out wait in the queue, but not what stays on this host."""
        chain = (field(1, "weather"), field(3, "out"), nest(4, field(1, OUTPUT), field(2, 0)))
        loopback = nest(3, field(1, b"lo".ljust(16, b"\0")))
        rule = (
            _step("meta", field(1, REGISTER), field(2, NAME_OF_INTERFACE)),
            _step("cmp", field(1, REGISTER), field(2, UNEQUAL), loopback),
            _step("target", field(1, "NFQUEUE"), field(2, 0), field(3, bytes(8))),
        )
        self._change(
            message(NEW_TABLE, field(1, "weather"), flags=ACK | CREATE),
            message(NEW_CHAIN, *chain, field(7, "filter"), flags=ACK | CREATE),
            message(
                NEW_RULE, field(1, "weather"), field(2, "out"), nest(4, *rule), flags=ACK | CREATE | APPEND
            ),
        )

    def close(self) -> None:
        """All goes out by itself again."""
        self._change(message(DEL_TABLE, field(1, "weather")))
        self._socket.close()

    def packets(self) -> Iterator[int]:
        """The numbers of those that have come."""
        for kind, body in messages(self._socket.recv(1 << 18)):
            if kind == PACKET:  # its first field is a header, which begins with the number
                yield struct.unpack_from(">I", body, 8)[0]

    def judge(self, packet: int, verdict: int) -> None:
        """Let it go, or not."""
        self._socket.send(message(VERDICT, field(2, struct.pack(">II", verdict, packet)), flags=0))

    def _change(self, *wanted: bytes) -> None:
        """All of them, or none."""
        around = [message(kind, family=0, about=TABLES, flags=0) for kind in (BEGIN, END)]
        self._ask(around[0], *wanted, around[1], answers=len(wanted))

    def _ask(self, *wanted: bytes, answers: int = 1) -> None:
        self._socket.send(b"".join(wanted))
        while answers:
            for kind, body in messages(self._socket.recv(1 << 16)):
                if kind == ERROR:
                    (wrong,) = struct.unpack_from("=i", body)
                    if wrong:
                        raise OSError(-wrong, os.strerror(-wrong))
                    answers -= 1


def _step(name: str, *fields: bytes) -> bytes:
    """One step of a rule."""
    return nest(1, field(1, name), nest(2, *fields))


def reign(kernel: Kernel, loss: float, delay: float) -> Counter[str]:
    """Until standard input ends. ``loss``: a part of 1. ``delay``: seconds."""
    counts = Counter(packets=0, lost=0)
    late: list[tuple[float, int]] = []
    chance = random.Random(SEED)
    ready: list[object] = []
    while sys.stdin not in ready:
        soon = max(0.0, late[0][0] - time.monotonic()) if late else None
        ready, _, _ = select.select([kernel, sys.stdin], [], [], soon)
        for packet in kernel.packets() if kernel in ready else ():
            lost = chance.random() < loss
            counts.update(packets=1, lost=lost)
            if lost:
                kernel.judge(packet, DROP)
            else:
                heapq.heappush(late, (time.monotonic() + delay, packet))
        while late and (late[0][0] <= time.monotonic() or sys.stdin in ready):
            kernel.judge(heapq.heappop(late)[1], ACCEPT)
    return counts


def main(loss: str, delay: str) -> None:
    """All of it."""
    kernel = Kernel()
    kernel.divert()
    print("ready", flush=True)
    counts = reign(kernel, float(loss), float(delay))
    kernel.close()
    print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
