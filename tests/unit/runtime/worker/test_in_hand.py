"""One real worker with several items in hand: coroutines in one loop, plain code in threads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.observe import page
from penstock.runtime import control
from tests.unit.link.wire import LINK, Receiving, Sending, until
from tests.unit.runtime.worker.desk import WorkerProcess
from tests.unit.runtime.worker.test_worker import serve

Start = Callable[..., WorkerProcess]

GATES = """
import asyncio, os, time
from penstock import Context, Retry
FOLDER = os.path.dirname(__file__)

def say(*words):  # print() would mix the lines of several threads
    os.write(1, (" ".join(words) + "\\n").encode())

def is_open(name):
    return os.path.exists(os.path.join(FOLDER, f"{name}.open"))

async def gate(name):
    say("at", name)
    while not is_open(name):
        await asyncio.sleep(0.002)

def plain_gate(name):
    say("at", name)
    while not is_open(name):
        time.sleep(0.002)
"""

ASYNC = GATES + "async def run(item, ctx: Context):\n    await gate(item)\n    return ctx.id\n"
PLAIN = GATES + "def run(item, ctx: Context):\n    plain_gate(item)\n    return ctx.id\n"
BOTH: list[tuple[str, dict[str, Any]]] = [
    (ASYNC, {"concurrency": 3, "window": 6}),
    (PLAIN, {"threads": 3, "window": 6}),
]
both = pytest.mark.parametrize(("code", "knobs"), BOTH, ids=["async", "threads"])


def begun(worker: WorkerProcess) -> list[str]:
    """The items that user code has begun."""
    return [line.split()[1] for line in worker.log.read_text().splitlines() if line.startswith("at ")]


def let(worker: WorkerProcess, *items: str) -> None:
    """Let the code of these items go on."""
    for item in items:
        (Path(worker.log).parent / f"{item}.open").touch()


def gather(sending: Sending, end: Receiving) -> list[Any]:
    """What comes out until all that went in is settled."""
    got: list[Any] = []

    def look() -> bool:
        got.extend(end.work())
        return sending.sender.idle

    until(look, sending, end)
    return got


@both
def test_so_many_are_in_hand_and_the_next_begins_when_one_is_through(
    sink: Start, sending: Sending, code: str, knobs: dict[str, Any]
) -> None:
    worker = sink(code, **knobs)
    serve(worker, sending)
    sending.put(*"abcde")
    until(lambda: sorted(begun(worker)) == ["a", "b", "c"], sending)
    until(lambda: worker.page.words[page.IN_HAND] == 3, sending)
    let(worker, "b")
    until(lambda: sorted(begun(worker)) == ["a", "b", "c", "d"], sending)
    let(worker, *"acde")
    until(lambda: sending.sender.idle, sending)
    words = worker.page.words
    assert (words[page.ITEMS], words[page.IN_HAND], words[page.STARTED]) == (5, 0, 0)
    assert sum(worker.page.durations()) == 5


@both
def test_each_call_knows_its_own_item(
    stage: Start, sending: Sending, receiving: Callable[..., Receiving], code: str, knobs: dict[str, Any]
) -> None:
    worker, end = stage(code, **knobs), receiving(10)
    serve(worker, sending)
    end.receiver.connect(LINK, 1, "work→next", worker.endpoint)
    sending.put(*"abc")
    let(worker, *"cba")
    got = gather(sending, end)
    assert sorted(got) == ["src/0:0", "src/0:1", "src/0:2"]


ONE_BAD = {
    "async": GATES
    + "async def run(item):\n    await asyncio.sleep(0)\n"
    + "    if item == 'bad':\n        raise ValueError('this one')\n",
    "threads": GATES + "def run(item):\n    if item == 'bad':\n        raise ValueError('this one')\n",
}


@pytest.mark.parametrize(("kind", "knobs"), [("async", BOTH[0][1]), ("threads", BOTH[1][1])])
def test_a_failure_fails_that_item_alone(
    sink: Start, sending: Sending, kind: str, knobs: dict[str, Any]
) -> None:
    sending.link.ledger._max_failures = 0
    worker = sink(ONE_BAD[kind], **knobs)
    serve(worker, sending)
    sending.put("a", "bad", "b", "c")
    until(lambda: sending.sender.idle, sending)
    (dead,) = sending.buried
    assert (dead.cause, dead.runs[0].first, dead.attempt) == ("ValueError: this one", 1, 2)
    assert dead.traceback.splitlines()[-2].strip() == "raise ValueError('this one')"
    assert worker.page.words[page.ITEMS] == 3


@both
def test_what_comes_after_a_death_comes_alone(
    sink: Start, sending: Sending, receiving: Callable[..., Receiving], code: str, knobs: dict[str, Any]
) -> None:
    former = receiving(10, window=3)
    former.connect(sending)
    sending.put("a", "b", "c")
    until(lambda: former.words[page.link_word(0, page.HELD)] == 3, sending, former)
    worker = sink(code, **knobs)
    serve(worker, sending)
    sending.sender.lose(10, "killed (SIGKILL)", None)
    for already in (1, 2, 3):
        until(lambda already=already: len(begun(worker)) == already, sending)  # type: ignore[misc]
        assert worker.page.words[page.IN_HAND] == 1
        let(worker, *begun(worker))
    until(lambda: sending.sender.idle, sending)


@both
def test_a_drain_finishes_what_is_in_hand(
    sink: Start, sending: Sending, code: str, knobs: dict[str, Any]
) -> None:
    worker = sink(code, **knobs)
    serve(worker, sending)
    sending.put("a", "b")
    until(lambda: len(begun(worker)) == 2, sending)
    worker.say(control.Drain())
    let(worker, "a", "b")
    until(lambda: sending.sender.idle, sending)
    until(lambda: worker.page.words[page.STATE] == page.FINISHED, sending)


@both
def test_a_stop_ends_after_what_is_in_hand_and_begins_nothing_more(
    sink: Start, sending: Sending, code: str, knobs: dict[str, Any]
) -> None:
    worker = sink(code, **knobs)
    serve(worker, sending)
    sending.put(*"abcd")
    until(lambda: len(begun(worker)) == 3, sending)
    worker.say(control.Stop())
    let(worker, *"abcd")
    worker.process.wait(60)
    assert sorted(begun(worker)) == ["a", "b", "c"]
    assert worker.process.returncode == 0


@both
def test_a_pause_begins_nothing_more(sink: Start, sending: Sending, code: str, knobs: dict[str, Any]) -> None:
    worker = sink(code, **knobs)
    serve(worker, sending)
    sending.put(*"abcd")
    until(lambda: len(begun(worker)) == 3, sending)
    worker.say(control.Pause(True))
    sending.put("e")
    until(lambda: worker.page.link(0)[page.RECEIVED] == 5, sending)  # so it has heard of the pause
    let(worker, *"abc")
    until(lambda: worker.page.words[page.IN_HAND] == 0, sending)
    assert len(begun(worker)) == 3
    worker.say(control.Pause(False))
    let(worker, *"de")
    until(lambda: sending.sender.idle, sending)


YIELDING = """run(item):
    say("at", item)
    for n in range(3):
        yield f"{item}{n}"
"""
MANY = {"async": GATES + "async def " + YIELDING, "threads": GATES + "def " + YIELDING}


@pytest.mark.parametrize(("kind", "knobs"), [("async", BOTH[0][1]), ("threads", BOTH[1][1])])
def test_a_full_link_keeps_new_items_from_being_begun_and_nothing_is_lost(
    stage: Start, sending: Sending, receiving: Callable[..., Receiving], kind: str, knobs: dict[str, Any]
) -> None:
    worker, end = stage(MANY[kind], **knobs), receiving(10, window=1)
    serve(worker, sending)
    end.receiver.connect(LINK, 1, "work→next", worker.endpoint)
    items = [f"i{number}." for number in range(40)]
    sending.put(*items)
    until(lambda: worker.page.words[page.BLOCKED] > 0, sending, end)
    assert len(begun(worker)) < 20, "nobody takes what is made"
    got = gather(sending, end)
    assert sorted(got) == sorted(f"{item}{number}" for item in items for number in range(3))
    assert worker.page.words[page.BLOCKED] == 0 < worker.page.words[page.WAITED]


SLOW = (
    GATES
    + """
async def run(item):
    try:
        await gate(item)
    except asyncio.CancelledError:
        say("cancelled", item)
        if item == "stubborn":
            await gate("never")
        raise
"""
)


def test_a_time_out_cancels_that_coroutine_and_the_replica_lives(sink: Start, sending: Sending) -> None:
    sending.link.ledger._max_failures = 0
    worker = sink(SLOW, concurrency=3, window=6, timeout=0.3)
    serve(worker, sending)
    sending.put("a", "b", "c")
    until(lambda: len(begun(worker)) == 3, sending)
    let(worker, "a", "c")
    until(lambda: sending.sender.idle, sending)
    (dead,) = sending.buried
    assert dead.cause == "timed out after 0.3 s"
    assert "await gate(item)" in dead.traceback, "where it was"
    assert "cancelled b" in worker.log.read_text()
    assert worker.page.words[page.ITEMS] == 2
    sending.put("a")
    until(lambda: worker.page.words[page.ITEMS] == 3, sending)


def test_the_page_names_who_does_not_let_itself_be_cancelled(sink: Start, sending: Sending) -> None:
    worker = sink(SLOW, concurrency=3, window=6, timeout=0.3)
    serve(worker, sending)
    sending.put("stubborn", "b")
    until(lambda: "cancelled stubborn" in worker.log.read_text(), sending)
    words = worker.page.words
    until(lambda: words[page.CULPRIT] == 1, sending)
    assert (words[page.SENDER], words[page.INDEX]) == (2, 0)
    assert words[page.LATITUDE] == 1_000_000_000


@pytest.mark.parametrize(
    ("code", "knobs", "culprit"), [(*BOTH[0], 0), (*BOTH[1], 1)], ids=["async", "threads"]
)
def test_the_page_names_the_first_begun_and_says_whether_it_would_be_to_blame(
    sink: Start, sending: Sending, code: str, knobs: dict[str, Any], culprit: int
) -> None:
    worker = sink(code, **knobs)
    serve(worker, sending)
    sending.put("a")
    until(lambda: begun(worker) == ["a"], sending)
    sending.put("b")
    words = worker.page.words
    until(lambda: words[page.IN_HAND] == 2, sending)
    first = words[page.BATCH]
    assert words[page.CULPRIT] == culprit
    let(worker, "a")
    until(lambda: words[page.BATCH] != first and words[page.IN_HAND] == 1, sending)
    let(worker, "b")


HOOKS = (
    GATES
    + """
class run:
    async def setup(self, ctx: Context):
        await asyncio.sleep(0)
        self.task = asyncio.get_running_loop().create_task(gate("beside"))
        say("set up")

    async def __call__(self, item):
        await self.task

    async def teardown(self):
        await asyncio.sleep(0)
        say("torn down")
"""
)


def test_setup_and_teardown_are_awaited_in_the_loop_of_the_items(sink: Start, sending: Sending) -> None:
    worker = sink(HOOKS)
    serve(worker, sending)
    sending.put("a")
    let(worker, "beside")
    until(lambda: sending.sender.idle, sending)
    worker.say(control.Drain())
    until(lambda: worker.page.words[page.STATE] == page.FINISHED, sending)
    lines = worker.log.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("set up", "torn down")


SOURCE = (
    GATES
    + """
async def run():
    try:
        async with asyncio.timeout(60):
            for number in range(5):
                await asyncio.sleep(0)
                yield number
            await gate("more")
    finally:
        await asyncio.sleep(0)
        say("closed")
"""
)


def test_an_async_source_is_left_where_it_waits_when_the_pipeline_drains(
    source: Start, receiving: Callable[..., Receiving]
) -> None:
    worker, end = source(SOURCE), receiving(10)
    end.receiver.connect(LINK, 1, "src→work", worker.endpoint)
    got: list[int] = []

    def look() -> bool:
        got.extend(end.work())
        return begun(worker) == ["more"] and got == [0, 1, 2, 3, 4]

    until(look, end)
    worker.say(control.Drain())
    until(lambda: worker.page.words[page.STATE] == page.FINISHED, end)
    assert worker.log.read_text().splitlines()[-1] == "closed"


MISFITS = [
    ("def run(item): pass", {"concurrency": 4}, "is plain code, and concurrency= is for async code"),
    ("async def run(item): pass", {"threads": 4}, "is async, and threads= is for plain code"),
    ("async def run(item): pass", {"batch": 4}, "is async, and batch= is for plain code"),
]


@pytest.mark.parametrize(("code", "knobs", "sentence"), MISFITS)
def test_code_by_name_for_which_the_knob_is_not_is_refused_when_it_is_loaded(
    sink: Start, code: str, knobs: dict[str, Any], sentence: str
) -> None:
    failed = sink(code, **knobs).hear(control.Failed)
    assert sentence in failed.error
    assert failed.permanent


EMITTING = """run(item, ctx: Context):
    ctx.emit("", "x" + item)
    time.sleep(0.001)
    ctx.emit("", "y" + item)
"""
EMITS = {"async": "async def " + EMITTING, "threads": "def " + EMITTING}


@pytest.mark.parametrize(("kind", "knobs"), [("async", BOTH[0][1]), ("threads", BOTH[1][1])])
def test_what_a_call_emits_are_children_of_its_own_item(
    stage: Start, sending: Sending, receiving: Callable[..., Receiving], kind: str, knobs: dict[str, Any]
) -> None:
    worker, end = stage(GATES + EMITS[kind], **knobs), receiving(10)
    serve(worker, sending)
    end.receiver.connect(LINK, 1, "work→next", worker.endpoint)
    sending.put(*"abc")
    got: dict[str, str] = {}

    def take() -> bool:
        while (inbound := end.receiver.next()) is not None:
            ids = ["{}:{}".format(*inbound.id_at(place)) for place in range(inbound.count)]
            got.update(zip(ids, end.read(inbound), strict=True))
            end.finish(inbound)
        return sending.sender.idle

    until(take, sending, end)
    assert got == {f"src/0:{n}:{k}": "xy"[k] + "abc"[n] for n in range(3) for k in range(2)}
