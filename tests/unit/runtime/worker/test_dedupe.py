"""What a sink remembers of its batches: by link and id, across replicas, one by one and in batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.observe import page
from penstock.runtime.worker.handler import failure
from penstock.runtime.worker.several.stock import Item
from penstock.runtime.worker.sink.dedupe import Dedupe
from penstock.runtime.worker.sink.deduped import DedupedStock

WORD = page.link_word(0, 0)


def batch(*ids: tuple[str, int, int], link: int = 1, attempt: int = 1) -> Any:
    """A batch of the link, as far as ids go; the values are the ids."""
    values = [f"{origin}:{number}" for origin, first, count in ids for number in range(first, first + count)]
    return SimpleNamespace(
        ids=list(ids), count=len(values), values=values, attempt=attempt, expires=0, frames=[], body=b"",
        connection=SimpleNamespace(link=link, word=WORD, source=SimpleNamespace(frames=[])),
    )  # fmt: skip


class Told:
    """What people were told, and the page."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "save")
        self.words = [0] * page.WORDS
        self.notices: list[str] = []
        self.made: list[Dedupe] = []

    def dedupe(self, limit: int = 100) -> Dedupe:
        """Another replica's."""
        self.made.append(
            Dedupe(self.path, limit, words=self.words, notice=lambda _, text: self.notices.append(text))
        )
        return self.made[-1]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    told = Told(tmp_path)
    yield told
    for dedupe in told.made:
        dedupe.close()


def test_an_id_is_done_when_it_is_noted(told: Told) -> None:
    dedupe, items = told.dedupe(), batch(("cam/0", 5, 3), ("cam/0:9", 0, 2))
    for place in range(5):
        assert not dedupe.is_done(dedupe.key(items, place))
        dedupe.note(dedupe.key(items, place))
        assert dedupe.is_done(dedupe.key(items, place))
    again = batch(("cam/0:9", 1, 1), ("cam/0", 4, 4))
    assert [dedupe.is_done(dedupe.key(again, place)) for place in range(5)] == [True, False, True, True, True]


def test_the_same_id_by_another_link_is_another_item(told: Told) -> None:
    dedupe = told.dedupe()
    dedupe.note(dedupe.key(batch(("cam/0", 5, 1)), 0))
    assert not dedupe.is_done(dedupe.key(batch(("cam/0", 5, 1), link=2), 0))


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(1, 4)), min_size=1), st.data()
)
def test_every_place_has_its_id_in_whatever_order_they_are_asked_for(
    ids: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        told = Told(Path(folder))
        dedupe, items = told.dedupe(), batch(*ids)
        keys: dict[str, Any] = {}
        for place in data.draw(st.lists(st.integers(0, items.count - 1))):
            key = dedupe.key(items, place)
            assert keys.setdefault(items.values[place], key) == key
        assert len(set(keys.values())) == len(keys)
        dedupe.close()


def test_replicas_know_what_the_others_have_done_and_a_successor_all_of_it(told: Told) -> None:
    one, two = told.dedupe(), told.dedupe()
    items = batch(("cam/0", 0, 3))
    one.note(one.key(items, 0))
    two.catch_up()
    assert two.is_done(two.key(items, 0))
    two.note(two.key(items, 1))
    three = told.dedupe()
    one.note(one.key(items, 2))
    three.catch_up()
    assert [three.is_done(three.key(items, place)) for place in range(3)] == [True] * 3


def test_without_a_place_for_the_file_it_remembers_alone_and_says_so(told: Told) -> None:
    told.path = "/nowhere/save"
    dedupe = told.dedupe()
    items = batch(("cam/0", 0, 1))
    dedupe.catch_up()
    dedupe.note(dedupe.key(items, 0))
    assert dedupe.is_done(dedupe.key(items, 0))
    assert "is remembered by this process alone" in told.notices[0]


class Desk:
    """A stock with a queue of batches."""

    def __init__(self, told: Told, *batches: Any) -> None:
        self.queue = list(batches)
        self.finished: list[tuple[Any, int]] = []
        receiver = SimpleNamespace(
            next=lambda: self.queue.pop(0) if self.queue else None,
            finish=lambda inbound, busy, failures, stale: self.finished.append((inbound, len(failures))),
        )
        decoder = SimpleNamespace(values=lambda *_, **__: list(self.reading()))
        self.stock = DedupedStock(
            told.dedupe(), receiver=receiver, decoder=decoder, words=told.words, clock=lambda: 0.0
        )
        self.order = list(batches)

    def reading(self) -> list[str]:
        values: list[str] = self.order.pop(0).values
        return values

    def take(self, most: int) -> tuple[list[Item], list[str]]:
        items: list[Item] = []
        values: list[str] = []
        self.stock.fill(items, values, most)
        return items, values

    def do(self, most: int) -> list[str]:
        items, values = self.take(most)
        if items:
            self.stock.finish(items, 0)
        return values


def test_what_was_done_is_struck_out_and_its_batch_is_finished(told: Told) -> None:
    first, again = batch(("cam/0", 0, 3)), batch(("cam/0", 1, 4))
    desk = Desk(told, first, again)
    assert desk.do(3) == ["cam/0:0", "cam/0:1", "cam/0:2"]
    assert desk.do(8) == ["cam/0:3", "cam/0:4"]
    assert desk.finished == [(first, 0), (again, 0)]
    assert told.words[WORD + page.DUPLICATES] == 2
    assert told.words[page.ITEMS] == 5


def test_a_batch_of_which_all_was_done_is_finished_without_a_call(told: Told) -> None:
    desk = Desk(told, batch(("cam/0", 0, 2)), batch(("cam/0", 0, 2)))
    assert desk.do(2) == ["cam/0:0", "cam/0:1"]
    assert desk.do(2) == []
    assert len(desk.finished) == 2


def test_two_of_one_id_are_never_in_hand_together_and_a_failure_notes_nothing(told: Told) -> None:
    desk = Desk(told, batch(("cam/0", 0, 2)), batch(("cam/0", 1, 2), attempt=1))
    items, values = desk.take(8)
    assert values == ["cam/0:0", "cam/0:1"], "the second cam/0:1 waits for what becomes of the first"
    assert desk.take(8) == ([], [])
    items[1].fail(failure(items[1].place, ValueError("no")))
    desk.stock.finish(items, 0)
    assert desk.do(8) == ["cam/0:1", "cam/0:2"]
    assert told.words[WORD + page.DUPLICATES] == 0


def test_what_comes_again_comes_alone(told: Told) -> None:
    desk = Desk(told, batch(("cam/0", 0, 1), attempt=2), batch(("cam/0", 1, 2)))
    assert desk.do(8) == ["cam/0:0"]
    assert desk.do(8) == ["cam/0:1", "cam/0:2"]
