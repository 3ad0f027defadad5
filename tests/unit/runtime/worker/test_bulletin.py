"""What user code says of its progress is told now and then, the last of it always, and cleared in the end."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from penstock.observe import page
from penstock.runtime import control
from penstock.runtime.control import Note
from penstock.runtime.worker.bulletin import APART, Bulletin
from tests.unit.link.wire import Receiving, Sending, until
from tests.unit.runtime.worker.desk import WorkerProcess
from tests.unit.runtime.worker.test_worker import serve

Start = Callable[..., WorkerProcess]


def context(number: int = 0) -> Any:
    """That of an item."""
    return _Context(number)


class _Context:
    def __init__(self, number: int) -> None:
        self.inbound: Any = SimpleNamespace(id_at=lambda index: ("src/0", number + index))
        self.index = 0
        self.id = "work/0"


def bulletin() -> Bulletin:
    return Bulletin(lambda: None)


def test_what_is_said_is_told_at_once_and_then_five_times_a_second() -> None:
    board, one = bulletin(), context(7)
    board.say(one, 0.1, {"loss": 2.0})
    assert board.tell(5.0) == [Note("src/0:7", 0.1, {"loss": 2.0})]
    for part in (0.2, 0.3):
        board.say(one, part, {})
        assert board.tell(5.1) is None
        assert board.next_due() == 5.0 + APART
    assert board.tell(5.0 + APART) == [Note("src/0:7", 0.3)]
    assert board.tell(9.0) is None, "nothing has changed"
    assert board.next_due() is None


def test_an_item_that_is_through_has_its_last_word_and_is_cleared() -> None:
    board, one = bulletin(), context()
    board.say(one, 0.1, {})
    board.tell(0.0)
    board.say(one, 1.0, {})
    one.index = 1  # the next item
    assert board.tell(1.0) == [Note("src/0:0", 1.0)]
    assert board.tell(2.0) == []
    assert not board.tell(3.0)
    assert not board.is_used


def test_one_that_was_through_before_anybody_could_read_it_is_not_told_of() -> None:
    board, one = bulletin(), context()
    board.say(one, 0.5, {})
    one.inbound = None
    assert not board.tell(1.0)
    assert not board.is_used


def test_somebody_is_woken_once_for_many_words() -> None:
    woken: list[int] = []
    board, one = Bulletin(lambda: woken.append(1)), context()
    for number in range(1000):
        board.say(one, number / 1000, {})
    assert len(woken) == 1


@given(st.lists(st.tuples(st.sampled_from(["say", "end", "look"]), st.integers(0, 2)), max_size=60))
def test_whoever_reads_ends_up_knowing_the_last_word_of_all_that_are_in_hand(
    steps: list[tuple[str, int]],
) -> None:
    board, contexts, last = bulletin(), [context(10 * number) for number in range(3)], dict[int, float]()
    shown: list[Note] = []
    now = 0.0
    for step, (what, who) in enumerate(steps):
        now += 0.07
        if what == "say":
            board.say(contexts[who], step / 100, {})
            last[who] = step / 100
        elif what == "end":
            contexts[who].index += 1
            last.pop(who, None)
        told = board.tell(now) if what == "look" else None
        shown = shown if told is None else told
    for _ in range(3):
        now += APART
        told = board.tell(now)
        shown = shown if told is None else told
    assert {note.item: note.part for note in shown} == {
        f"src/0:{10 * who + contexts[who].index}": part for who, part in last.items()
    }
    assert board.is_used == bool(last)


SAYS = """
import time
from penstock import Context

def run(item, ctx: Context):
    if item == "burst":
        for number in range(100_000):
            ctx.progress(number + 1, 100_000, rounds=number)
    ctx.progress(0.5, loss=1)
    time.sleep(60 if item == "long" else 0)
"""


def test_the_last_word_of_a_burst_is_told_while_the_item_goes_on(sink: Start, sending: Sending) -> None:
    worker = sink(SAYS.replace("ctx.progress(0.5, loss=1)", "time.sleep(2 if item == 'burst' else 0)"))
    serve(worker, sending)
    sending.put("burst")
    until(lambda: worker.page.words[page.STARTED] > 0, sending)
    heard = 0
    while worker.hear(control.Progress).notes != [Note("src/0:0", 1.0, {"rounds": 99_999.0})]:
        heard += 1
    assert heard <= 10, "a hundred thousand words, and few messages"
    until(lambda: sending.sender.idle, sending)
    assert worker.hear(control.Progress).notes == []


def test_a_source_and_async_code_say_it_as_well(source: Start, receiving: Callable[..., Receiving]) -> None:
    code = """
import asyncio
from penstock import Context

async def run(ctx: Context):
    ctx.progress(3, 4)
    await asyncio.sleep(60)
    yield 1
"""
    worker = source(code)
    assert worker.hear(control.Progress).notes == [Note("src/0", 0.75)]


def test_of_several_in_hand_each_has_its_own(sink: Start, sending: Sending) -> None:
    worker = sink(SAYS, threads=3, window=6)
    serve(worker, sending)
    sending.put("long", "long")
    until(lambda: worker.page.words[page.IN_HAND] == 2, sending)
    expected = [Note("src/0:0", 0.5, {"loss": 1.0}), Note("src/0:1", 0.5, {"loss": 1.0})]
    while sorted(worker.hear(control.Progress).notes, key=lambda note: note.item) != expected:
        pass
