"""One real worker that takes batches: what is in a call, and what becomes of each item in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from penstock.observe import page
from penstock.runtime import control
from tests.unit.link.wire import LINK, Receiving, Sending, until
from tests.unit.runtime.worker.desk import WorkerProcess
from tests.unit.runtime.worker.test_worker import serve

Start = Callable[..., WorkerProcess]

LENGTHS = """
def run(items: list):
    print(*items, flush=True)
"""


def calls(worker: WorkerProcess) -> list[list[str]]:
    """What each call got."""
    return [line.split() for line in worker.log.read_text().splitlines()]


def test_items_of_many_messages_are_in_one_call_and_no_call_has_more_than_a_batch(
    sink: Start, sending: Sending
) -> None:
    worker = sink(LENGTHS, batch=4, batch_wait=60.0, window=8)
    serve(worker, sending)
    for number in range(8):
        sending.put(number)
        until(lambda number=number: sending.link.ledger.next == number + 2, sending)  # type: ignore[misc]
    until(lambda: sending.sender.idle, sending)
    assert calls(worker) == [["0", "1", "2", "3"], ["4", "5", "6", "7"]]
    assert worker.page.words[page.ITEMS] == 8


def test_a_batch_that_is_not_full_goes_when_its_time_is_over(sink: Start, sending: Sending) -> None:
    worker = sink(LENGTHS, batch=4, batch_wait=0.0, window=8)
    serve(worker, sending)
    sending.put("a")
    until(lambda: sending.sender.idle, sending)
    assert calls(worker) == [["a"]]


def test_a_drain_waits_for_no_full_batch(sink: Start, sending: Sending) -> None:
    worker = sink(LENGTHS, batch=4, batch_wait=3600.0, window=8)
    serve(worker, sending)
    sending.put("a", "b")
    until(lambda: worker.page.link(0)[page.HELD] == 2, sending)
    worker.say(control.Drain())
    until(lambda: sending.sender.idle, sending)
    assert sorted(item for call in calls(worker) for item in call) == ["a", "b"]


ONE_BAD = """
def run(items: list):
    print(*items, flush=True)
    if "bad" in items:
        raise ValueError("one is bad")
"""


def test_where_one_is_bad_all_come_again_alone_and_are_told_of_once(sink: Start, sending: Sending) -> None:
    sending.link.ledger._max_failures = 0
    worker = sink(ONE_BAD, batch=4, batch_wait=60.0, window=8)
    serve(worker, sending)
    sending.put("a", "bad", "b", "c")
    until(lambda: sending.sender.idle, sending)
    first, *rest = calls(worker)
    assert first == ["a", "bad", "b", "c"]
    assert sorted(rest) == [["a"], ["b"], ["bad"], ["c"]]
    assert [dead.runs[0].first for dead in sending.buried] == [1]
    assert sending.notices == [
        "work: ValueError: one is bad (in a batch of 4; each of them comes again alone)",
        "work: ValueError: one is bad",
    ]


@pytest.mark.parametrize(
    ("returned", "cause"),
    [
        ("[1, 2]", "ValueError: the call got 1 items and returned 2 outputs"),
        ("7", "TypeError: with batch= a call returns a list or an array"),
        ("np.zeros(3)", "returned 3 outputs"),
        ("np.float32(1)", "this returned a float32"),
    ],
)
def test_outputs_of_another_number_are_a_failure_that_names_both(
    stage: Start, sending: Sending, returned: str, cause: str
) -> None:
    sending.link.ledger._max_failures = 0
    worker = stage(f"import numpy as np\ndef run(items: list): return {returned}", batch=4, window=8)
    serve(worker, sending)
    sending.put("a")
    until(lambda: sending.sender.idle, sending)
    (dead,) = sending.buried
    assert cause in dead.cause


ARRAYS = """
import numpy as np

def run(items: np.ndarray):
    print(items.dtype, *items.shape, flush=True)
"""


def test_arrays_are_stacked_and_those_of_another_shape_come_alone(sink: Start, sending: Sending) -> None:
    worker = sink(ARRAYS, batch=4, batch_wait=60.0, window=8)
    serve(worker, sending)
    sending.put(*[np.zeros(shape, "f4") for shape in ((2, 3), (2, 3), (5,), (2, 3))])
    until(lambda: sending.sender.idle, sending)
    assert calls(worker) == [["float32", "3", "2", "3"], ["float32", "1", "5"]]
    (notice,) = sending.notices
    assert "its shape is (5,), and that of its batch is (2, 3); make them one shape, or say pad=0" in notice
    assert not sending.buried


def test_a_pad_makes_them_fit(sink: Start, sending: Sending) -> None:
    worker = sink(ARRAYS, batch=2, batch_wait=60.0, window=4, pad=0)
    serve(worker, sending)
    sending.put(np.zeros((2, 3), "f4"), np.zeros((1, 7), "f4"))
    until(lambda: sending.sender.idle, sending)
    assert calls(worker) == [["float32", "2", "2", "7"]]
    assert not sending.notices


TYPED = """
import dataclasses

@dataclasses.dataclass
class Thing:
    size: int

def run(things: list[Thing]):
    print(*[type(thing).__name__ + str(thing.size) for thing in things], flush=True)
"""


def test_each_item_gets_the_type_that_the_list_names_and_only_those_that_do_not_fit_fail(
    sink: Start, sending: Sending
) -> None:
    sending.link.ledger._max_failures = 0
    worker = sink(TYPED, batch=3, batch_wait=60.0, window=6)
    serve(worker, sending)
    sending.put({"size": 1}, {"size": "no"}, {"size": 3})
    until(lambda: sending.sender.idle, sending)
    assert calls(worker) == [["Thing1", "Thing3"]]
    assert [dead.runs[0].first for dead in sending.buried] == [1]


CHILDREN = """
from penstock import Context

def run(items: list, ctx: Context):
    for place, item in enumerate(items):
        for part in item:
            ctx.emit("", part, of=place)
    if len(items) > 1:
        ctx.emit("", "nobody's")
    else:
        ctx.emit("", ctx.id)
"""


def test_what_is_emitted_in_a_batch_says_from_which_item_it_is(
    stage: Start, sending: Sending, receiving: Callable[..., Receiving]
) -> None:
    worker, onward = stage(CHILDREN, batch=2, batch_wait=60.0, window=4), receiving(9)
    serve(worker, sending)
    onward.receiver.connect(LINK, 1, "src/0→work", worker.endpoint)
    sending.put("ab", "c")
    came = Counter[str]()

    def is_through() -> bool:
        came.update(onward.work())
        return sending.sender.idle

    until(is_through, sending, onward)
    assert "this call has 2 items; say from which of them it is made: of=0 is the first" in sending.notices[0]
    assert Counter(came) == {"a": 2, "b": 2, "c": 2, "src/0:0": 1, "src/0:1": 1}, (
        "in the batch, and again alone"
    )
