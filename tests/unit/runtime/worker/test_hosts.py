"""A real worker process whose sender and receiver are on other hosts."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock.runtime import control
from penstock.security.curve import new_pair
from tests.conftest import WorkerPython
from tests.proxy import proxy
from tests.unit.link.wire import LINK, Receiving, Sending, until
from tests.unit.runtime.worker.desk import WorkerProcess

ROOT = Path(__file__).resolve().parents[4]
PASS_ON = "def run(item):\n    return item[:-1]\n"
BIG = 20_000
Start = Callable[..., WorkerProcess]


def test_a_stage_takes_from_one_host_and_gives_to_another_and_cuts_on_both_sides_lose_nothing(
    folder: Path, stage: Start
) -> None:
    pair = new_pair()
    curve = (pair.public, pair.secret)
    there = {"host": "b", "listen": "tcp://127.0.0.1:*", "curve": curve, "arena_bytes": 1 << 22}
    with closing(Sending(str(folder), number=2, listens=True, curve=curve)) as sending:
        before = proxy(_port(sending.sender.address))
        worker = stage(PASS_ON, **there)
        with before as way_in, proxy(_port(worker.bound.tcp)) as way_out, closing(Receiving(10)) as far:
            way = f"tcp://127.0.0.1:{way_in.port}"
            worker.say(control.Connect(LINK, 2, "src/0→work", way))
            sink = f"tcp://127.0.0.1:{way_out.port}"
            far.receiver.connect(LINK, 1, "work/0→end", sink, far=far.far(curve))
            values: list[Any] = []

            def came(count: int) -> None:
                def all_came() -> bool:
                    values.extend(int(value[-1]) for value in far.work())
                    return len(values) == count

                until(all_came, sending, far)

            for turn, cut in enumerate(([], [way_in], [way_out], [way_in, way_out])):
                for way_through in cut:
                    way_through.cut()
                sending.put(*(np.arange(BIG) + BIG * (10 * turn + n) for n in range(10)))
                sending.serve()
                for way_through in cut:
                    way_through.mend()
                came(10 * turn + 10)
            until(lambda: sending.sender.idle, sending, far)
            assert sorted(values) == [BIG * n - 2 for n in range(1, 41)]
            ledger = sending.link.ledger
            assert (ledger.sent, ledger.settled, ledger.again) == (40, 40, 0)


def test_an_address_that_cannot_be_had_is_what_the_worker_fails_of(folder: Path, source: Start) -> None:
    pair, address = new_pair(), "tcp://10.255.255.1:*"
    worker = source(PASS_ON, listen=address, curve=(pair.public, pair.secret), bound=False)
    assert f"cannot listen at {address}" in worker.hear(control.Failed).error


@pytest.mark.parametrize("version", ["3.9"])
def test_the_ways_to_other_hosts_run_on_the_oldest_python(version: str, worker_python: WorkerPython) -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); import penstock.runtime.worker.hosts"
    subprocess.run([worker_python(version), "-W", "error", "-c", code], check=True)


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])
