"""A conversation that outlives its connections: whatever is cut, each end hears all, once and in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import PeerError
from penstock.link.session import Session

Word = tuple[int, int, str]
"""Number (0: RESUME), heard, text."""


class Line:
    """A receiver that connects (0), a sender that it connects to (1), and what is on its way between them."""

    def __init__(self) -> None:
        self.ends = (Session(), Session())
        self.way: tuple[deque[Word], deque[Word]] = (deque(), deque())
        """To the one, and to the other."""
        self.said: tuple[list[str], list[str]] = ([], [])
        self.heard: tuple[list[str], list[str]] = ([], [])

    def say(self, who: int) -> None:
        text = f"{who}.{len(self.said[who])}"
        self.said[who].append(text)
        session = self.ends[who]
        self.way[1 - who].append((session.say(text), session.heard, text))

    def deliver(self, to: int) -> None:
        if not self.way[to]:
            return
        number, heard, text = self.way[to].popleft()
        session = self.ends[to]
        if number:
            if session.hear(number, heard):
                self.heard[to].append(text)
            return
        session.heard_up_to(heard)
        if to == 1:  # whoever is connected to says first up to where it has heard
            self.way[0].append((0, session.heard, ""))
        self.way[1 - to].extend((again, session.heard, text) for again, text in session.missing())

    def cut(self, kept: int) -> None:
        """What is on its way is lost, but the last ``kept`` words of whoever connects."""
        self.way[0].clear()
        for _ in range(len(self.way[1]) - kept):
            self.way[1].popleft()
        self.way[1].append((0, self.ends[0].heard, ""))

    def settle(self) -> None:
        while any(self.way):
            self.deliver(0)
            self.deliver(1)


STEPS = st.one_of(
    st.tuples(st.just("say"), st.integers(0, 1)),
    st.tuples(st.just("deliver"), st.integers(0, 1)),
    st.tuples(st.just("cut"), st.integers(0, 3)),
)


@settings(deadline=None)
@given(st.lists(STEPS, max_size=120))
def test_each_end_hears_all_that_the_other_said_once_and_in_order(steps: list[tuple[str, int]]) -> None:
    line = Line()
    do: dict[str, Callable[[int], None]] = {"say": line.say, "deliver": line.deliver, "cut": line.cut}
    for step, how in steps:
        do[step](how)
        assert line.heard[1] == line.said[0][: len(line.heard[1])]
    line.cut(0)
    line.settle()
    assert line.heard == (line.said[1], line.said[0])


def test_what_the_other_end_has_heard_is_not_kept() -> None:
    here, there = Session(), Session()
    for number in range(1, 4):
        assert there.hear(here.say(f"word {number}"), 0)
    here.heard_up_to(there.heard)
    assert here.missing() == []


def test_who_says_that_he_has_heard_what_was_never_said_is_refused() -> None:
    session = Session()
    session.say("one")
    with pytest.raises(PeerError, match="word 2 was heard, of 1 that were said"):
        session.hear(1, 2)
    assert session.heard == 0
