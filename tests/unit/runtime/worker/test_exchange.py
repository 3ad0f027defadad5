"""What a worker waits for at its end: also when nobody says that it has come."""

from __future__ import annotations

import time
from collections.abc import Callable

from penstock.observe import page
from penstock.pipeline.plan import Outlet, OutLink
from penstock.runtime import control
from tests.unit.link.wire import LINK, Receiving, until
from tests.unit.runtime.worker.desk import WorkerProcess

MAX_AGE = 0.02
THREE = "def run(): yield from range(3)"
AGEING = [Outlet("", [OutLink(LINK, "work", 3, on_full="drop_oldest", window=3, max_age=MAX_AGE)])]

Source = Callable[..., WorkerProcess]
Receivers = Callable[..., Receiving]


def test_a_source_whose_last_items_grow_too_old_while_it_waits_is_through(
    source: Source, receiving: Receivers
) -> None:
    worker = source(THREE, outlets=AGEING)
    end = receiving(10)
    until(lambda: worker.page.link(0)[page.WAITING] == 3, end)
    made = time.monotonic()
    until(lambda: time.monotonic() > made + 2 * MAX_AGE, end)
    end.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)  # what it drops now, nobody answers
    end.serve()
    worker.hear(control.Finished)
    assert worker.page.link(0)[page.DROPPED_TOO_OLD] == 3
