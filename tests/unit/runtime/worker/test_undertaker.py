"""An item that cannot be done is written down whole, or stays where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock.link.ledger import Cargo, Run
from penstock.link.link import Link
from penstock.message import letter
from penstock.message.arena import Arena
from penstock.message.codec import Encoder
from penstock.pipeline.plan import Outlet, OutLink
from penstock.pipeline.reference import Reference
from penstock.runtime.control import Assignment
from penstock.runtime.worker.undertaker import Undertaker
from tests.unit.message.values import words

OUTLETS = [Outlet("rejected", [OutLink(1, "work", 3)])]
LINK = Link(id=1, target="work", max_failures=3, word=0)


class Desk:
    def __init__(self, folder: Path, capacity: int, *, allow_pickle: bool = False) -> None:
        self.folder = folder
        self.arena = Arena(f"{folder}/1.arena", capacity)
        self.encoder = Encoder(self.arena, allow_pickle=allow_pickle)
        self.notices: list[tuple[str, str]] = []
        assignment = Assignment(
            version=1, run="demo-1", pipeline="demo", stage="src", kind="source", replica=0, replicas=1,
            number=1, code=Reference("", "app", "run"), outlets=OUTLETS, inlinks=[], run_dir=str(folder),
            state_dir=f"{folder}/state", allow_pickle=allow_pickle,
        )  # fmt: skip
        self.undertaker = Undertaker(
            assignment, arena=self.arena.path, notice=lambda kind, text: self.notices.append((kind, text))
        )

    def cargo(self, value: Any) -> Cargo:
        payload = self.encoder.encode(value)
        slots, frames = self.encoder.taken()
        cargo = Cargo([payload], [Run(None, "src/0", 7, 1)], slots=[slots] if slots else None, frames=frames)
        cargo.attempt, cargo.failures = 5, 4
        cargo.cause, cargo.traceback = "work/0 killed (SIGSEGV)", ""
        return cargo

    def bury(self, value: Any) -> bool:
        try:
            return self.undertaker.bury(LINK, self.cargo(value))
        finally:
            self.arena.close()

    def value(self, *, allow_pickle: bool = False) -> Any:
        (path,) = letter.list_letters(self.folder / "state" / "dead")
        return letter.read(path).value(allow_pickle=allow_pickle)


@pytest.mark.parametrize("capacity", [0, 200_000, 1 << 22], ids=["no arena", "a small one", "a large one"])
def test_a_letter_needs_neither_arena_nor_frames(tmp_path: Path, capacity: int) -> None:
    value = {"a": np.arange(20_000), "b": [np.arange(20_000.0).reshape(100, -1).T, (1, {2})], "c": "x"}
    desk = Desk(tmp_path, capacity)
    assert desk.bury(value)
    assert words(desk.value()) == words(value)
    ((kind, text),) = desk.notices
    assert kind == "dead"
    assert text.startswith("work: src/0:7 failed 4 times, the last: work/0 killed (SIGSEGV)")


def test_a_pickle_in_it_stays_one(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 1 << 22, allow_pickle=True)
    assert desk.bury({"a": np.arange(20_000), "b": Path("x")})
    assert desk.value(allow_pickle=True)["b"] == Path("x")


def test_where_it_cannot_be_written_the_item_stays_and_people_hear_of_it(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a directory should be")
    desk = Desk(tmp_path, 1 << 22)
    assert not desk.bury({"a": np.arange(20_000)})
    ((kind, text),) = desk.notices
    assert kind == "warning"
    assert text.startswith("the dead letter of src/0:7 cannot be written, it stays in flight")


def test_memory_that_is_too_short_for_a_letter_ends_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(letter, "write", short)
    desk = Desk(tmp_path, 0)
    assert not desk.bury("x")
    assert desk.notices[0][0] == "warning"


def test_a_letter_says_by_which_link_and_in_which_run_its_item_came(tmp_path: Path) -> None:
    assert Desk(tmp_path, 0).bury(1)
    (path,) = letter.list_letters(tmp_path / "state" / "dead")
    found = letter.read(path)
    assert (found.link, found.run, found.key, found.shard) == ("src[rejected]→work", "demo-1", "", 0)
