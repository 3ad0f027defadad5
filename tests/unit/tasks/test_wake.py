"""Bells: who waits hears of a change, and nobody else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.tasks.wake import NEWS, WORK, Bell, ring

Hang = Callable[[Path, str], Bell]


@pytest.fixture
def hang() -> Iterator[Hang]:
    """Makes bells, and takes them down in the end."""
    made: list[Bell] = []

    def make(directory: Path, kind: str) -> Bell:
        made.append(Bell(str(directory), kind))
        return made[-1]

    yield make
    for bell in made:
        bell.close()


def test_a_bell_hears_of_its_own_kind_of_change_alone(tmp_path: Path, hang: Hang) -> None:
    work, news = hang(tmp_path, WORK), hang(tmp_path, NEWS)
    ring(str(tmp_path), WORK)
    assert work.wait(0.0)
    assert not news.wait(0.0)


def test_a_ring_before_the_wait_is_not_missed_and_counts_once(tmp_path: Path, hang: Hang) -> None:
    bell = hang(tmp_path, WORK)
    for _ in range(3):
        ring(str(tmp_path), WORK)
    assert bell.wait(10.0)
    assert not bell.wait(0.0)


def test_all_who_wait_hear_it(tmp_path: Path, hang: Hang) -> None:
    bells = [hang(tmp_path, NEWS) for _ in range(3)]
    ring(str(tmp_path), NEWS)
    assert all(bell.wait(0.0) for bell in bells)


def test_a_bell_that_nobody_hears_rings_on_without_end_or_error(tmp_path: Path, hang: Hang) -> None:
    bell = hang(tmp_path, WORK)
    for _ in range(2000):  # far more than a socket holds
        ring(str(tmp_path), WORK)
    assert bell.wait(0.0)


def test_the_bell_of_one_who_was_killed_is_taken_down_by_who_rings(tmp_path: Path, hang: Hang) -> None:
    bell = hang(tmp_path, WORK)
    bell._socket.close()  # as the kernel does it
    ring(str(tmp_path), WORK)
    assert not list(tmp_path.iterdir())


def test_where_nobody_has_ever_waited_there_is_nothing_to_ring(tmp_path: Path) -> None:
    ring(str(tmp_path / "nowhere"), WORK)
    assert not list(tmp_path.iterdir())


def test_a_store_may_lie_deeper_than_the_path_of_a_socket_is_long(tmp_path: Path, hang: Hang) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    bell = hang(deep, WORK)
    ring(str(deep), WORK)
    assert bell.wait(0.0)
    bell.close()
    bell.close()
    assert not list(deep.iterdir())
