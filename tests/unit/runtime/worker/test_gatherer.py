"""One real worker that keeps items: what its senders and its page know of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from penstock.observe import page
from penstock.pipeline.plan import JoinPlan, WindowPlan
from penstock.pipeline.reference import Reference
from penstock.runtime import control
from tests.unit.link.wire import LINK, Receiving, Sending, until
from tests.unit.runtime.worker.desk import WorkerProcess
from tests.unit.runtime.worker.test_worker import serve

Start = Callable[..., WorkerProcess]
IN = 1
"""Where the in-link is on the page, behind the one that goes out."""


def test_what_is_kept_is_finished_and_not_settled_until_it_has_gone_and_is_settled(
    stage: Start, sending: Sending, receiving: Callable[..., Receiving]
) -> None:
    worker, onward = stage("", shape=WindowPlan(count=3), window=1), receiving(9)
    serve(worker, sending)
    onward.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)
    sending.put("a", "b")
    until(lambda: worker.page.words[page.KEPT] == 2, sending, onward)
    until(lambda: not sending.link.unfinished, sending, onward)
    assert worker.page.link(IN)[page.HELD] == 0, "its window of one item is free"
    assert sending.link.ledger.in_flight == 2
    sending.put("c")
    came = until(onward.work, sending, onward)
    assert came == [["a", "b", "c"]]
    until(lambda: sending.sender.idle, sending, onward)
    assert worker.page.words[page.KEPT] == 0


def test_who_is_told_that_nothing_more_comes_lets_out_what_is_open_and_passes_it_on(
    stage: Start, sending: Sending, receiving: Callable[..., Receiving]
) -> None:
    worker, onward = stage("", shape=WindowPlan(gap=3600.0)), receiving(9)
    serve(worker, sending)
    onward.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)
    sending.put("a", "b")
    until(lambda: worker.page.words[page.KEPT] == 2 and not sending.link.unfinished, sending, onward)
    assert not onward.receiver.queued
    sending.sender.ebb()
    until(lambda: onward.receiver.queued, sending, onward)
    assert onward.receiver.dry_from is None, "not before it is finished"
    assert onward.work() == [["a", "b"]]
    until(lambda: onward.receiver.ebbs and onward.receiver.dry_from is not None, sending, onward)
    until(lambda: sending.sender.idle, sending, onward)


def test_who_is_stopped_settles_nothing_of_what_it_keeps(stage: Start, sending: Sending) -> None:
    worker = stage("", shape=WindowPlan(count=3))
    serve(worker, sending)
    sending.put("a")
    until(lambda: worker.page.words[page.KEPT] == 1 and not sending.link.unfinished, sending)
    worker.say(control.Stop())
    assert worker.process.wait(60) == 0
    sending.serve()
    assert sending.link.ledger.in_flight == 1


def test_what_a_sender_had_made_that_is_dead_leaves_what_is_open(
    stage: Start, sending: Sending, receiving: Callable[..., Receiving], folder: Path
) -> None:
    worker, onward = stage("", shape=WindowPlan(count=3)), receiving(9)
    onward.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)
    serve(worker, sending)
    with closing(Sending(str(folder), number=3)) as dead:
        worker.say(control.Connect(LINK, 3, "src/1", dead.endpoint))
        dead.put("doomed")
        until(lambda: worker.page.words[page.KEPT] == 1, dead)
        sending.put("a")
        until(lambda: worker.page.words[page.KEPT] == 2, sending, dead)
        worker.say(control.Gone(3, "src/1", "killed (SIGKILL)"))
        until(lambda: worker.page.words[page.KEPT] == 1, sending)
    sending.put("doomed", "b")
    came = until(onward.work, sending, onward)
    assert came == [["a", "doomed", "b"]]


KILLS = """
import os, signal

def key(item):
    if item == "bad":
        os.kill(os.getpid(), signal.SIGKILL)
    return item
"""


def test_the_item_whose_key_kills_is_named_on_the_page(stage: Start, sending: Sending, folder: Path) -> None:
    worker = stage(KILLS, shape=WindowPlan(count=3, by=Reference(str(folder), "app", "key")))
    serve(worker, sending)
    sending.put("good")
    until(lambda: worker.page.words[page.KEPT] == 1, sending)
    sending.put("bad")
    until(lambda: worker.process.poll() is not None, sending)
    assert worker.process.returncode == -signal.SIGKILL
    words = worker.page.words
    assert words[page.STARTED] and words[page.SENDER] == 2
    assert (words[page.LINK], words[page.BATCH], words[page.INDEX]) == (LINK, 2, 0)


def test_an_idle_join_sleeps_until_somebody_has_waited_long_enough(stage: Start, sending: Sending) -> None:
    worker = stage("", shape=JoinPlan(["id", "id"], within=0.3))
    serve(worker, sending)
    sending.put({"id": 1})
    until(lambda: worker.page.words[page.KEPT] == 1, sending)
    before = worker.busy()
    until(lambda: sending.sender.idle, sending)
    assert worker.page.link(IN)[page.UNMATCHED] == 1
    assert worker.hear(control.Notice).text.startswith("src/0 has found no partner for an item in time")
    assert worker.busy() - before < 0.1 * os.cpu_count()  # type: ignore[operator]
