"""What is done, in a file: whoever comes next knows it, and whoever reads it meanwhile is told no lies."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.runtime.worker.sink import donefile
from penstock.runtime.worker.sink.donefile import RECORD, DoneFile, Record

CAMERA, LIDAR = (17 << 64) + 4, (23 << 64) + 5


def told(file: DoneFile | None) -> list[Record]:
    assert file is not None
    return list(file.news())


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "save")


@pytest.fixture
def mine(path: str) -> Iterator[DoneFile]:
    file = donefile.take(path, 4)
    yield file
    file.close()


def test_neighbours_are_one_record(mine: DoneFile, path: str) -> None:
    for number in (5, 6, 7, 9):
        mine.note(CAMERA, number)
    mine.note(LIDAR, 10)
    assert told(donefile.look(path, 0)) == [(CAMERA, 5, 3), (CAMERA, 9, 1), (LIDAR, 10, 1)]


def test_news_are_what_came_and_what_has_grown(mine: DoneFile, path: str) -> None:
    other = donefile.look(path, 0)
    assert told(other) == []
    mine.note(CAMERA, 5)
    assert told(other) == [(CAMERA, 5, 1)]
    mine.note(CAMERA, 6)
    mine.note(LIDAR, 0)
    assert told(other) == [(CAMERA, 5, 2), (LIDAR, 0, 1)]


def test_the_oldest_make_room_and_the_last_ones_are_always_there(mine: DoneFile, path: str) -> None:
    other = donefile.look(path, 0)
    for number in range(0, 26, 2):
        mine.note(CAMERA, number)
    assert told(donefile.look(path, 0)) == told(other) == [(CAMERA, number, 1) for number in (18, 20, 22, 24)]


def test_who_takes_one_over_goes_on_in_it(path: str) -> None:
    one = donefile.take(path, 4)
    one.note(CAMERA, 5)
    two = donefile.take(path, 4)
    assert (one.number, two.number) == (0, 1)
    one.close()
    three = donefile.take(path, 4)
    assert three.number == 0
    assert told(three) == [(CAMERA, 5, 1)]
    three.note(CAMERA, 6)
    assert told(donefile.look(path, 0)) == [(CAMERA, 5, 1), (CAMERA, 6, 1)]


def test_what_a_killed_process_has_noted_is_there(path: str) -> None:
    code = (
        "import os, sys; from penstock.runtime.worker.sink import donefile;"
        " file = donefile.take(sys.argv[1], 4);"
        f"[file.note({CAMERA}, number) for number in range(3)]; os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == -9
    file = donefile.take(path, 4)
    assert (file.number, told(file)) == (0, [(CAMERA, 0, 3)])


def test_what_is_not_there_yet_is_nothing(path: str) -> None:
    assert donefile.look(path, 0) is None
    Path(f"{path}.0.done").touch()
    assert donefile.look(path, 0) is None


@given(
    st.sampled_from([(CAMERA, 5), (LIDAR, 5), (CAMERA, 900)]),
    st.sampled_from([(LIDAR, 900), (CAMERA, 40), (LIDAR, 5)]),
    st.lists(st.booleans(), min_size=RECORD, max_size=RECORD),
)
def test_a_record_that_is_half_written_says_nothing_that_is_not_so(
    old: tuple[int, int], new: tuple[int, int], seen: list[bool]
) -> None:
    """Whatever words of the new record another processor sees before the others: every mix is tried."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = donefile.take(f"{folder}/save", 1)
        words = file._words
        file.note(*old)
        before = words[RECORD : 2 * RECORD].tolist()
        file.note(*new)
        after = words[RECORD : 2 * RECORD].tolist()
        mixed = [late if is_seen else early for early, late, is_seen in zip(before, after, seen, strict=True)]
        for place, word in enumerate(mixed):
            words[RECORD + place] = word
        true = [(*old, 1), (*new, 1)]
        known = [each for each in told(donefile.look(f"{folder}/save", 0)) if each.origin in {CAMERA, LIDAR}]
        assert all(tuple(each) in true for each in known)
        file.close()


def test_all_places_are_used_again(path: str) -> None:
    file = donefile.take(path, 2)
    for number in itertools.islice(itertools.count(0, 2), 1000):
        file.note(CAMERA, number)
    assert [record.first for record in file.news()] == [1996, 1998]
    file.close()
