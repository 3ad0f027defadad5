"""A consumer that is slow makes its producer wait: memory is bounded, and nothing is lost."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.faults.rig import Rig, Run, Worker

pytestmark = pytest.mark.fault

MIB = 2**20
BOUND = 256 + 2 * 128 + 100
"""MiB: a window of bytes in flight, half of one that waits, half that is being sent, the process itself."""
SIPS = 1000
"""Items that are taken between the first look at memory and the last."""
LOOKS = 50
"""So many looks without a change mean that it stands still."""


def memory(run: Run, worker: Worker) -> int:
    """Bytes that a worker has for itself and in its shared memory."""
    status = Path(f"/proc/{worker.pid}/status").read_text("ascii")
    own = re.search(r"^RssAnon:\s+(\d+) kB$", status, re.MULTILINE)
    assert own
    arena = Path(run.contact.path, f"{worker.number}.arena")
    return int(own[1]) * 1024 + os.stat(arena).st_blocks * 512


def until_still(run: Run) -> int:
    """Wait until the source makes nothing more; how many items it has made."""
    seen: list[int] = []

    def look() -> bool:
        link = run.ps()["links"][0]
        seen.append(link["sent"] + link["waiting"])
        return len(seen) > LOOKS and seen[-LOOKS] == seen[-1] > 0

    run.until(look, "the source waits")
    return seen[-1]


@pytest.mark.parametrize(
    ("kind", "at_most"),
    [
        ("items", 40),
        ("arrays", BOUND),
        pytest.param("blobs", BOUND, marks=pytest.mark.long),
        ("swelling", BOUND),
    ],
)
def test_memory_stays_flat_while_a_producer_waits_for_a_slow_consumer(
    rig: Rig, kind: str, at_most: int
) -> None:
    run = rig.start("flood", KIND=kind)
    source = run.worker("flood")
    passed = 100_050 if kind == "swelling" else 0
    run.open("sip", passed)
    run.until_noted("sip", passed - 1)
    until_still(run)
    first = memory(run, source)
    run.open("sip", passed + SIPS)
    run.until_noted("sip", passed + SIPS - 1)
    until_still(run)
    last = memory(run, source)
    print(f"{kind}: {first / MIB:.0f} MiB, {last / MIB:.0f} MiB after more")
    assert first < at_most * MIB and last < at_most * MIB
    pool = run.ps()["stages"][0]["replicas"][0]["pool_bytes"]
    assert (pool > 0) == (kind == "arrays"), "and `ps` shows what of it is shared"
    run.open("sip")
    run.type("drain", "--timeout", "60s")
    account = run.end()
    assert account["totals"]["through"] == account["totals"]["entered"] == run.noted("sip")
