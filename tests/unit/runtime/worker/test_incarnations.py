"""What a source makes has ids that nothing else in its run has, whichever worker of its seat makes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.link.receiver import Inbound
from penstock.runtime import control
from tests.unit.link.wire import Receiving, until
from tests.unit.runtime.worker.desk import WorkerProcess

Start = Callable[..., WorkerProcess]

PLAIN = """
def run():
    yield "a"
    yield "b"
"""
RESUMABLE = """
from penstock import at

def run(start=0):
    for number in range(start, 4):
        yield at(number + 1, number)
"""


def origins(worker: WorkerProcess, receiving: Receiving, items: int) -> set[str]:
    """The origins of its first items, which are then settled."""
    found: set[str] = set()
    count = 0
    receiving.receiver.connect(3, 1, "src/0", worker.endpoint)

    def take() -> bool:
        nonlocal count
        inbound: Inbound | None = receiving.receiver.next()
        while inbound is not None:
            found.update(origin for origin, _, _ in inbound.ids)
            count += inbound.count
            receiving.read(inbound)
            receiving.finish(inbound)
            inbound = receiving.receiver.next()
        return count >= items

    until(take, receiving)
    return found


@pytest.mark.parametrize(("incarnation", "origin"), [(0, "src/0"), (2, "src/0+2")])
def test_a_source_that_begins_anew_has_an_origin_of_its_own(
    source: Start, receiving: Callable[..., Receiving], incarnation: int, origin: str
) -> None:
    worker = source(PLAIN, incarnation=incarnation)
    assert origins(worker, receiving(9), 2) == {origin}


def test_a_source_that_goes_on_goes_on_under_the_ids_it_had(
    source: Start, receiving: Callable[..., Receiving], folder: Path
) -> None:
    first = source(RESUMABLE, incarnation=1)
    # The one before it was killed before anything was settled: it makes the same, under the same ids.
    assert origins(first, receiving(9), 4) == {"src/0"}
    first.say(control.Drain())
    first.hear(control.Finished)
    first.process.wait()
    for name in ("1.sock", "1.page", "1.arena"):
        (folder / name).unlink(missing_ok=True)
    # It had made four; of five the last is new.
    longer = RESUMABLE.replace("4", "2 + 3")  # of another length: Python would take it for the compiled one
    second = source(longer, incarnation=2)
    assert origins(second, receiving(10), 1) == {"src/0"}
