"""One end of a link between two network namespaces, for ``test_cables``: `send HOST KEY` or `take PLACE KEY`.

Each makes an item in 20 ms or counts what comes, says so in a line each, and ends with a JSON line.
"""

from __future__ import annotations

import json
import select
import sys
import tempfile
import time
from contextlib import closing

import numpy as np

from penstock.link import tcp
from tests.unit.link.wire import Receiving, Sending, until

PACE = 0.02
ARRAY = 20_000
"""Every tenth item has an array of so many numbers: it lies in shared memory here, and not there."""


def send(host: str, curve: tcp.Curve) -> None:
    """Until the standard input ends, and all is settled."""
    with (
        tempfile.TemporaryDirectory(prefix="pt-") as folder,
        closing(Sending(folder, listens=True, host=host, curve=curve)) as sending,
    ):
        print(sending.sender.address, flush=True)
        due, asked = time.monotonic(), False
        while not asked:
            number = sending.made
            sending.put(np.full(ARRAY, number) if number % 10 == 0 else number)
            print(number, flush=True)
            due += PACE
            until(lambda due=due: time.monotonic() >= due, sending)  # type: ignore[misc]
            asked = _asked()
        until(lambda: sending.sender.idle, sending)
        ledger = sending.link.ledger
        end = {"sent": ledger.sent, "settled": ledger.settled, "again": ledger.again}
        print(json.dumps({**end, "refused": sending.refused}), flush=True)
        until(_left, sending)


def take(address: str, curve: tcp.Curve) -> None:
    """Until the standard input ends."""
    with closing(Receiving(10)) as receiving:
        receiving.receiver.connect(3, 1, "src/0→work", address, far=receiving.far(curve))
        came: list[int] = []

        def work() -> bool:
            for value in receiving.work():
                came.append(int(value if type(value) is int else value[-1]))
                print(came[-1], flush=True)
            return _asked()

        until(work, receiving)
        print(json.dumps({"came": came, "refused": receiving.refused}), flush=True)


def _asked() -> bool:
    """Whether somebody has written a line."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


def _left() -> bool:
    return _asked() and not sys.stdin.readline() and not sys.stdin.read()


if __name__ == "__main__":
    mode, where, public, secret = sys.argv[1:]
    {"send": send, "take": take}[mode](where, (public, secret))
