"""One real worker process: what its user code does to its items, and what it never does to the worker."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from penstock.message import letter
from penstock.message.codec import PICKLE, Decoder, join
from penstock.message.envelope import Failure
from penstock.observe import page
from penstock.pipeline.plan import Outlet, OutLink
from penstock.pipeline.reference import Reference
from penstock.runtime import control
from tests.unit.link.wire import LINK, PATIENCE, Receiving, Sending, until
from tests.unit.runtime.worker.desk import WorkerProcess

Start = Callable[..., WorkerProcess]
Receivers = Callable[..., Receiving]

ODD = r"""
from penstock import Reject, Retry

class Silent(Exception):
    def __str__(self):
        raise RuntimeError("no text")

class Unready(Retry):
    def __init__(self):
        pass

class Endless(Exception):
    def __init__(self):
        super().__init__("long " * 1000)

def run(item):
    if item == "fine":
        return
    raise {
        "plain": ValueError("not a number"),
        "silent": Silent(),
        "unready": Unready(),
        "bare": Retry(after=5),
        "surrogate": ValueError("a file called \udc80"),
        "exit": SystemExit(3),
        "interrupt": KeyboardInterrupt(),
        "group": ExceptionGroup("two", [ValueError("a"), KeyError("b")]),
        "endless": Endless(),
        "reject": Reject("I do not want it"),
        "empty": Reject(),
        "stop": StopIteration(),
    }[item]
"""


def serve(worker: WorkerProcess, sending: Sending) -> None:
    """Have the worker take from ``sending``, and wait until it does."""
    worker.hear(control.Ready)
    worker.say(control.Connect(LINK, 2, "src/0", sending.endpoint))
    until(lambda: 1 in sending.link.credit, sending)


CAUSES = {
    "plain": "ValueError: not a number",
    "silent": "Silent: (and its __str__ raised RuntimeError)",
    "unready": "Unready",
    "bare": "retry asked for (the usual back-off, because Retry(after=...): 5 is not a time;",
    "surrogate": r"ValueError: a file called \udc80",
    "exit": "SystemExit: 3",
    "interrupt": "KeyboardInterrupt",
    "group": "ExceptionGroup: two (2 sub-exceptions)",
    "endless": "Endless: long long",
    "reject": "I do not want it",
    "empty": "Reject",
    "stop": "StopIteration",
}


def test_whatever_user_code_raises_is_one_failed_item(sink: Start, sending: Sending) -> None:
    sending.link.ledger._max_failures = 0
    worker = sink(ODD)
    serve(worker, sending)
    for item in CAUSES:
        sending.put("fine", item, "fine")
    until(lambda: sending.sender.idle, sending)
    causes = {Decoder().values(join(dead.payloads))[0]: dead.cause for dead in sending.buried}
    assert causes.keys() == CAUSES.keys()
    for item, cause in CAUSES.items():
        assert causes[item].startswith(cause)
        assert len(causes[item]) < 600
    assert (sending.link.ledger.settled, sending.link.ledger.dead) == (2 * len(CAUSES), len(CAUSES))
    assert worker.page.words[page.FAILURES] == len(CAUSES)
    assert worker.process.poll() is None


def test_a_pickle_of_what_the_worker_has_not_is_one_failed_item(sink: Start, sending: Sending) -> None:
    sending.link.ledger._max_failures = 0
    worker = sink("def run(item): pass", allow_pickle=True)
    serve(worker, sending)
    foreign = pickle.dumps(os.path.join).replace(b"posixpath", b"elsewhere")
    sending.put("fine")
    sending.link.put(None, "src/0", 1, msgspec.msgpack.encode(msgspec.msgpack.Ext(PICKLE, foreign)))
    sending.made += 1
    sending.put("fine")
    until(lambda: sending.sender.idle, sending)
    (dead,) = sending.buried
    assert "a pickle cannot be read by" in dead.cause
    assert "ModuleNotFoundError: No module named 'elsewhere'" in dead.cause
    assert sending.link.ledger.settled == 2


def test_the_neighbours_of_what_cannot_be_read_are_unaffected(sink: Start, sending: Sending) -> None:
    sending.link.ledger._max_failures = 0
    worker = sink("def run(item): pass")
    sending.link.credit.pace.report(1000, 1000)
    sending.put("a", "b")
    sending.link.put(None, "src/0", 2, msgspec.msgpack.encode(msgspec.msgpack.Ext(99, b"")))
    sending.made += 1
    sending.put("c")
    serve(worker, sending)
    until(lambda: sending.sender.idle, sending)
    assert [dead.runs[0].first for dead in sending.buried] == [2]
    assert (sending.link.ledger.settled, sending.link.ledger.dead) == (3, 1)


def test_an_item_for_which_a_library_is_missing_is_dead_at_once_and_says_the_cure(
    sink: Start, sending: Sending
) -> None:
    worker = sink("import sys\nsys.modules['numpy'] = None\ndef run(item): pass")
    sending.link.credit.pace.report(1000, 1000)
    sending.put("a", np.arange(3), {"b": np.ones(100_000)}, "c")
    serve(worker, sending)
    until(lambda: sending.sender.idle, sending)
    assert sorted(dead.runs[0].first for dead in sending.buried) == [1, 2]
    for dead in sending.buried:
        assert dead.failures == 1
        assert dead.cause.startswith("EnvironmentFault: an array arrived and numpy is not installed there")
        assert dead.cause.endswith(f"install numpy for {sys.executable}")
        assert dead.traceback.count("File") == 0
    assert (sending.link.ledger.settled, sending.link.ledger.dead) == (2, 2)


TYPED = """
from __future__ import annotations
import dataclasses, enum
import numpy as np
from penstock import Context

class Colour(enum.Enum):
    RED = "red"

@dataclasses.dataclass
class Thing:
    colour: Colour
    image: np.ndarray

def run(thing: Thing, ctx: Context):
    assert type(thing) is Thing and thing.colour is Colour.RED, thing
    assert thing.image.sum() == 1_000_000
    assert (ctx.id, ctx.attempt) == ("src/0:0", 1)
"""


def test_a_parameter_gets_what_its_annotation_names(sink: Start, sending: Sending) -> None:
    worker = sink(TYPED)
    serve(worker, sending)
    sending.put({"colour": "red", "image": np.ones(1_000_000)})
    until(lambda: sending.sender.idle or sending.notices, sending)
    assert sending.notices == []


def test_an_annotation_that_nothing_fits_fails_the_worker_before_it_is_ready(sink: Start) -> None:
    code = "import enum\nclass E(enum.Enum):\n A = 0.5\ndef run(item: 'list[E]'): pass"
    failed = sink(code).hear(control.Failed)
    assert "no item can be made a" in failed.error
    assert failed.permanent


def test_what_every_item_took_is_counted_on_the_page(sink: Start, sending: Sending) -> None:
    worker = sink("import time\ndef run(item): time.sleep(item / 1000)")
    sending.link.credit.pace.report(1000, 1000)
    sending.put(*[0] * 300, *[20] * 3)
    serve(worker, sending)
    until(lambda: sending.sender.idle, sending)
    until(lambda: sum(worker.page.durations()) == 303, sending)
    assert worker.page.words[page.BUSY] >= 3 * 20_000_000


def test_waiting_for_room_is_no_part_of_being_busy(source: Start, receiving: Receivers) -> None:
    worker = source("def run(): yield from iter(int, 1)")
    receiver = receiving(7)
    receiver.receiver.connect(LINK, 1, "src/0", worker.endpoint)
    until(lambda: worker.page.words[page.BLOCKED], receiver)
    assert worker.page.words[page.STARTED] == 0
    until(lambda: receiver.work() and worker.page.words[page.WAITED], receiver)


def test_garbage_on_the_wire_is_counted_and_told_and_work_goes_on(
    source: Start, receiving: Receivers
) -> None:
    worker = source("def run(): yield from range(3)")
    confused, end = receiving(9), receiving(10)
    confused.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)
    for connection in confused.receiver.connections.values():
        connection.dealer.send(b"garbage")
        connection.dealer.send(b"")
    said = [worker.hear(control.Notice) for _ in range(2)]
    assert [notice.kind for notice in said] == ["refused", "refused"]
    assert worker.page.words[page.REFUSED] == 2
    confused.close()
    worker.say(control.Gone(9, "work/1", "exit code 1"))
    end.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)
    until(lambda: (end.work(), worker.page.link(0)[page.SETTLED])[1] == 3, end)
    worker.hear(control.Finished)


IN_PLACE = """
import numpy as np
from penstock import Context

def run(ctx: Context):
    for number in range(200):
        array = ctx.empty((256, 1024))
        array[:] = number
        yield array
"""


def test_arrays_made_in_place_arrive_right_though_the_pool_is_small(
    source: Start, receiving: Receivers
) -> None:
    worker = source(IN_PLACE, arena_bytes=16 << 20)
    end = receiving(10)
    end.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)
    kept: list[Any] = []
    got: list[int] = []

    def all_arrived() -> bool:
        for array in end.work():
            assert (array == len(got)).all()
            got.append(int(array[0, 0]))
            if len(kept) < 5:
                kept.append(array)
        return worker.page.link(0)[page.SETTLED] == 200

    until(all_arrived, end)
    assert got == list(range(200))
    assert [int(array[-1, -1]) for array in kept] == list(range(5))
    kept.clear()
    end.serve()
    worker.hear(control.Finished)


ROUTED = """
def where(item):
    return item

def run():
    yield from ["work", "work", "nowhere", "work"]
"""


def test_a_source_whose_route_leads_nowhere_ends_with_the_reason(folder: Path, receiving: Receivers) -> None:
    outlets = [Outlet("", [OutLink(LINK, "work", 3)], by=Reference(str(folder), "app", "where"))]
    worker = WorkerProcess(folder, ROUTED, kind="source", outlets=outlets, inlinks=[])
    try:
        end = receiving(10)
        end.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)
        until(lambda: (end.work(), worker.page.link(0)[page.SETTLED])[1] == 2, end)
        failed = worker.hear(control.Failed)
        assert failed.error == "WiringError: route(by=...) answered 'nowhere'; the targets are work"
        assert worker.process.wait(PATIENCE) == 1
    finally:
        worker.close()


def test_an_item_that_failed_too_often_is_a_letter_with_all_that_is_known(
    source: Start, folder: Path, receiving: Receivers
) -> None:
    worker = source("import numpy as np\ndef run(): yield {'a': np.arange(100_000)}", arena_bytes=1 << 20)
    end = receiving(10)
    end.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)
    inbound = until(end.receiver.next, end)
    end.finish(inbound, Failure(0, "ValueError: no", "Traceback …", reject=True, unread=True))
    until(lambda: worker.page.link(0)[page.DEAD] == 1, end)
    notice = worker.hear(control.Notice)
    while notice.kind != "dead":
        notice = worker.hear(control.Notice)
    (path,) = letter.list_letters(folder / "state" / "dead")
    dead = letter.read(path)
    assert (dead.id, dead.stage, dead.link) == ("src/0:0", "work", "src→work")
    assert (dead.attempts, dead.failures, dead.cause) == (1, 1, "ValueError: no")
    assert dead.value()["a"].tolist() == list(range(100_000))
    worker.hear(control.Finished)


EMITTING = """
from penstock import Context

def run(ctx: Context):
    for number in range(3):
        yield number
        ctx.emit("", -number)
"""


def test_what_a_source_emits_has_ids_of_its_own(source: Start, receiving: Receivers) -> None:
    worker = source(EMITTING)
    end = receiving(10)
    end.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)
    ids: list[tuple[str, int]] = []

    def all_arrived() -> bool:
        while (inbound := end.receiver.next()) is not None:
            ids.extend(inbound.id_at(place) for place in range(inbound.count))
            end.finish(inbound)
        return worker.page.link(0)[page.SETTLED] == 6

    until(all_arrived, end)
    assert len(set(ids)) == 6
