"""A paused worker: what it has it keeps, nothing more is begun, and it goes on where it was."""

from __future__ import annotations

from collections.abc import Callable

from penstock.observe import page
from penstock.runtime import control
from tests.unit.link.wire import LINK, Receiving, Sending, until
from tests.unit.runtime.worker.desk import WorkerProcess

Start = Callable[..., WorkerProcess]
COUNTING = """
def run():
    number = 0
    while True:
        yield number
        number += 1
"""


def test_a_paused_sink_begins_nothing_until_it_is_resumed(sink: Start, sending: Sending) -> None:
    worker = sink("def run(item): pass", paused=True)
    worker.say(control.Connect(LINK, 2, "src/0", sending.endpoint))
    sending.put("a")
    until(lambda: worker.page.link(0)[page.RECEIVED] == 1, sending)
    sending.put("b")
    until(lambda: worker.page.link(0)[page.RECEIVED] == 2, sending)
    assert (worker.page.words[page.ITEMS], worker.page.link(0)[page.HELD]) == (0, 2)
    worker.say(control.Pause(False))
    until(lambda: sending.sender.idle, sending)
    assert worker.page.words[page.ITEMS] == 2


def test_a_paused_sink_that_is_told_to_drain_finishes_what_it_holds(sink: Start, sending: Sending) -> None:
    worker = sink("def run(item): pass", paused=True)
    worker.say(control.Connect(LINK, 2, "src/0", sending.endpoint))
    sending.put("a")
    until(lambda: worker.page.link(0)[page.RECEIVED] == 1, sending)
    worker.say(control.Drain())
    until(lambda: sending.sender.idle, sending)


def test_a_source_that_begins_paused_makes_nothing_and_then_goes_on(
    source: Start, receiving: Callable[..., Receiving]
) -> None:
    worker = source(COUNTING, paused=True)
    end = receiving(10)
    end.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)
    worker.hear(control.Ready)
    assert worker.page.words[page.ITEMS] == 0
    worker.say(control.Pause(False))
    until(lambda: (end.work(), worker.page.link(0)[page.SETTLED] > 100)[1], end)


def test_a_source_in_full_career_comes_to_rest_and_goes_on(
    source: Start, receiving: Callable[..., Receiving]
) -> None:
    worker = source(COUNTING)
    end = receiving(10)
    end.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)
    until(lambda: (end.work(), worker.page.link(0)[page.SETTLED] > 100)[1], end)
    worker.say(control.Pause(True))

    def rests() -> bool:
        end.work()
        sent, settled = worker.page.link(0)[page.SENT], worker.page.link(0)[page.SETTLED]
        return bool(sent == settled == worker.page.words[page.ITEMS])

    until(rests, end)
    made = worker.page.words[page.ITEMS]
    worker.say(control.Pause(False))
    until(lambda: (end.work(), worker.page.link(0)[page.SETTLED] > made + 100)[1], end)
    worker.say(control.Pause(True))
    until(rests, end)
    worker.say(control.Drain())
    until(lambda: (end.work(), worker.process.poll() is not None)[1], end)
    worker.hear(control.Finished)
