"""Dead letters that were put back: whose they are, how many are out at a time, and when their files go."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from penstock.link.keyed import KeyedLink
from penstock.link.link import Link
from penstock.message import letter
from penstock.message.codec import Encoder, join
from penstock.message.letter import Letter
from penstock.observe import page
from penstock.pipeline.plan import Outlet, OutLink
from penstock.pipeline.reference import Reference
from penstock.runtime.control import Assignment
from penstock.runtime.worker.exchange import Exchange
from penstock.runtime.worker.returns import FEW, Returns

HOLD = """
import fcntl, os, sys
fcntl.lockf(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX)
print("mine", flush=True)
input()
"""


class Told:
    """What the sender tells its own people."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, int]] = []

    def on_settled(self, parent: Any, count: int) -> None:
        self.told.append((parent, count))


class Desk:
    def __init__(self, folder: Path, key: str = "") -> None:
        self.dead = folder / "dead"
        self.notices: list[str] = []
        self.words = [0] * page.WORDS
        kind = KeyedLink if key else Link
        self.link = kind(id=1, target="work", max_failures=3, word=page.link_word(0, 0))
        out = OutLink(1, "work", 3, key=key or None)
        assignment = Assignment(
            version=1, run="demo-2", pipeline="demo", stage="src", kind="source", replica=0, replicas=1,
            number=1, code=Reference("", "app", "run"), outlets=[Outlet("", [out])], inlinks=[],
            run_dir=str(folder), state_dir=str(folder),
        )  # fmt: skip
        self.words[page.STATE] = page.READY
        self.sender = Told()
        self.exchange = SimpleNamespace(
            sender=self.sender,
            clock=lambda: 5.0,
            draining=False,
            notice=lambda _, text: self.notices.append(text),
        )
        self.returns = Returns(
            assignment,
            {1: self.link},
            exchange=cast("Exchange", self.exchange),
            words=self.words,
        )

    def put_back(self, id: str = "src/0:7", link: str = "src→work", run: str = "demo-2", **more: Any) -> Path:
        path = letter.write(
            self.dead,
            Letter(
                id=id, pipeline="demo", stage="work", link=link, attempts=4, failures=4, cause="no",
                traceback="", when=1.0, payload=join([Encoder(None).encode({"a": 1})]), run=run, **more,
            ),
        )  # fmt: skip
        found = letter.requeue(path)
        assert found is not None
        return found

    def out(self) -> list[str]:
        """The ids of what it has given to its link."""
        return [f"{cargo.runs[0].origin}:{cargo.runs[0].first}" for _, _, cargo in self.link.ledger._again]

    def counted(self) -> tuple[int, int]:
        return self.words[self.link.word + page.REQUEUED], self.words[self.link.word + page.RETURNING]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_one_goes_out_under_its_id_and_its_file_goes_when_it_is_settled(desk: Desk) -> None:
    path = desk.put_back()
    desk.returns.look(None)
    assert desk.out() == ["src/0:7"]
    assert (desk.link.ledger.in_flight, desk.counted()) == (1, (1, 1))
    cargo = desk.link.ledger.take_due()
    assert (cargo.attempt, cargo.failures, cargo.expires) == (1, 0, 0)
    assert join(cargo.payloads) == join([Encoder(None).encode({"a": 1})])
    assert path.exists()
    desk.sender.on_settled(cargo.runs[0].parent, 1)
    assert not path.exists()
    assert desk.counted() == (1, 0)
    desk.sender.on_settled("somebody else's", 3)
    assert desk.sender.told == [("somebody else's", 3)]


def test_no_more_than_a_few_are_out_at_a_time(desk: Desk) -> None:
    paths = [desk.put_back(f"src/0:{number}") for number in range(FEW + 3)]
    desk.returns.look(None)
    assert len(desk.out()) == FEW
    for _ in paths:
        desk.sender.on_settled(desk.link.ledger.take_due().runs[0].parent, 1)
    assert not letter.list_requeued(desk.dead)
    assert desk.counted() == (FEW + 3, 0)


def test_what_is_another_link_s_or_out_already_is_left_alone(desk: Desk) -> None:
    desk.put_back(link="src[rejected]→work")
    desk.put_back(link="other→work")
    desk.put_back()
    desk.returns.look(None)
    desk.returns.look(None)
    assert desk.out() == ["src/0:7"]


def test_what_somebody_else_has_is_taken_when_that_one_dies(desk: Desk) -> None:
    path = desk.put_back()
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    other.stdout.readline()
    desk.returns.look(None)
    assert desk.out() == []
    other.kill()
    other.communicate()
    desk.returns.look(None)
    assert desk.out() == ["src/0:7"]


def test_in_another_run_it_is_nobody_else_s_namesake(desk: Desk) -> None:
    for id in ("src/0:7", "src/0:7:2", "src/0::3", "src/0~demo-0:9"):
        desk.put_back(id, run="demo-1")
    desk.returns.begin()
    assert desk.out() == ["src/0~demo-1:7", "src/0~demo-1:7:2", "src/0~demo-1::3", "src/0~demo-0:9"]


def test_who_drains_begins_with_what_lay_there_and_takes_nothing_more(desk: Desk) -> None:
    desk.exchange.draining = True
    desk.put_back("src/0:1")
    desk.returns.begin()
    desk.put_back("src/0:2")
    desk.returns.look(None)
    assert desk.out() == ["src/0:1"]


def test_to_a_stage_with_a_key_it_goes_by_the_shard_it_had(tmp_path: Path) -> None:
    desk = Desk(tmp_path, key="user")
    desk.put_back(key="user", shard=99)
    desk.returns.begin()
    assert [tag.shard for tag in desk.link.ledger.take_due().tags] == [99]


def test_where_the_key_is_another_now_it_stays_a_dead_letter(tmp_path: Path) -> None:
    desk = Desk(tmp_path, key="user")
    path = desk.put_back(key="colour", shard=99)
    desk.returns.begin()
    assert desk.out() == []
    assert letter.list_letters(desk.dead) == [path.with_suffix(".letter")]
    assert desk.notices == ["src/0:7 stays a dead letter: work had key=colour then, now user"]


def test_what_is_no_letter_is_told_and_nothing_stops(desk: Desk) -> None:
    (desk.put_back("src/0:1")).write_bytes(b"\xc1")
    desk.put_back("src/0:2")
    desk.returns.begin()
    assert desk.out() == ["src/0:2"]
    assert "cannot be put back" in desk.notices[0]


def test_one_that_was_discarded_meanwhile_is_no_harm(desk: Desk) -> None:
    path = desk.put_back()
    desk.returns.begin()
    os.unlink(path)
    desk.sender.on_settled(desk.link.ledger.take_due().runs[0].parent, 1)
    assert desk.counted() == (1, 0)
