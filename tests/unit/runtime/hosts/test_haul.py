"""Files go over whole, or are begun anew with the next stay; little is on its way at any time."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import PeerError
from penstock.runtime import hostwire
from penstock.runtime.hosts.haul import AHEAD, Giving, Taking, checked

PART = hostwire.PART
SIZES = st.sampled_from([0, 1, PART - 1, PART, PART + 1, 3 * PART, 7 * PART + 5])


class Road:
    """Between one who gives and one who takes; what is said waits until it is let through."""

    def __init__(self, here: Path, there: Path) -> None:
        self.to_giver: deque[Any] = deque()
        self.to_taker: deque[Any] = deque()
        self.done: list[tuple[str, bool]] = []
        self.most = 0
        self.giving = Giving(self.to_taker.append)
        self.taking = Taking(
            self.to_giver.append,
            place=lambda path: str(here / path.replace("/", "_")),
            done=lambda path, place: self.done.append((path, bool(place))),
        )
        for path in sorted(there.iterdir()):
            self.giving.add(f"dead/{path.name}", os.open(path, os.O_RDONLY))
            self.taking.fetch(f"dead/{path.name}")

    def step(self, back: bool) -> None:
        """One word goes on, in that direction if there is one."""
        if self.to_giver and (back or not self.to_taker):
            self.giving.give(self.to_giver.popleft())
        elif self.to_taker:
            self.taking.take(self.to_taker.popleft())
        self.most = max(self.most, len(self.to_giver) + len(self.to_taker))

    def close(self) -> None:
        self.giving.close()
        self.taking.close()


@given(
    sizes=st.lists(SIZES, min_size=1, max_size=4),
    cut=st.integers(0, 30),
    turns=st.lists(st.booleans(), max_size=40),
)
def test_a_file_is_here_whole_or_not_at_all_and_the_next_stay_brings_the_rest(
    sizes: list[int], cut: int, turns: list[bool]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        here, there = Path(folder, "here"), Path(folder, "there")
        there.mkdir()
        content = {f"{number}.letter": os.urandom(size) for number, size in enumerate(sizes)}
        for name, data in content.items():
            (there / name).write_bytes(data)
        road = Road(here, there)
        for number in range(cut):
            road.step(turns[number] if number < len(turns) else False)
        road.close()
        for path, is_here in road.done:
            data = content[path.partition("/")[2]]
            assert (here / path.replace("/", "_")).exists() == is_here
            assert not is_here or (here / path.replace("/", "_")).read_bytes() == data
        assert sorted(path for path, _ in road.done) == sorted(f"dead/{name}" for name in content)
        again = Road(here, there)
        while again.taking.busy:
            again.step(False)
        again.close()
        assert again.done == [(f"dead/{name}", True) for name in content]
        assert all((here / f"dead_{name}").read_bytes() == data for name, data in content.items())
        assert max(road.most, again.most) <= AHEAD


@pytest.mark.parametrize(
    "path", ["", "x", "/etc/passwd", "dead/", "dead/../x", "dead/a/b", "record/../x", "record/a/..", "tap/.x"]
)
def test_a_path_leads_to_what_is_hauled_and_nowhere_else(path: str) -> None:
    with pytest.raises(PeerError, match="no file that is hauled"):
        checked(path)


def test_what_was_not_asked_for_is_left_and_what_is_not_there_is_told(tmp_path: Path) -> None:
    said: list[Any] = []
    done: list[tuple[str, str]] = []
    taking = Taking(said.append, place=lambda _: str(tmp_path / "x"), done=lambda *told: done.append(told))
    taking.take(hostwire.Load("dead/a.letter", 0, 1, b"x"))
    taking.fetch("dead/a.letter")
    taking.take(hostwire.Load("dead/b.letter", 0, 1, b"x"))
    taking.take(hostwire.Load("dead/a.letter", 5, 6, b"x"))
    assert done == [("dead/a.letter", "")] and not (tmp_path / "x").exists()
    giving = Giving(said.append)
    assert not giving.give(hostwire.Give("dead/a.letter", 0))
    assert said == [hostwire.Give("dead/a.letter", 0), hostwire.Load("dead/a.letter", 0, -1, b"")]
    (tmp_path / "y").write_bytes(b"abc")
    giving.add("dead/y", os.open(tmp_path / "y", os.O_RDONLY))
    with pytest.raises(PeerError, match="byte 4 is wanted"):
        giving.give(hostwire.Give("dead/y", 4))
    giving.close()
