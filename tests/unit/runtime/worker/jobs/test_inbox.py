"""What a worker was given and has not begun."""

from __future__ import annotations

from penstock.runtime.jobwire import Work
from penstock.runtime.worker.jobs.inbox import Inbox


def _work(id: str) -> Work:
    return Work(id, 1, "t", 1, 0, b"", "", "log", "results", "out")


def test_what_came_first_is_taken_first_and_what_was_taken_back_is_not() -> None:
    inbox = Inbox()
    for id in "abcd":
        assert inbox.put(_work(id))
    assert [work.id for work in inbox.remove("b")] == ["b"]
    assert inbox.remove("b") == []
    first = inbox.take()
    assert first is not None
    assert first.id == "a"
    assert [work.id for work in inbox.clear()] == ["c", "d"]


def test_a_closed_one_gives_nothing_takes_nothing_and_keeps_what_is_to_be_given_back() -> None:
    inbox = Inbox()
    inbox.put(_work("a"))
    inbox.close()
    assert inbox.take() is None
    assert not inbox.put(_work("b"))
    assert [work.id for work in inbox.clear()] == ["a"]
