"""All messages arrive, in order, each once, whatever the connections lose."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import PeerError
from penstock.runtime.hosts.conduit import Conduit
from penstock.runtime.hostwire import TOKEN, Letter

T = "t" * TOKEN
STEPS = st.lists(st.sampled_from(["say", "hear", "answer", "beat", "cut"]), max_size=60)


class Talk:
    """Two sides and what is on its way between them."""

    def __init__(self) -> None:
        self.near, self.far = Conduit(T), Conduit(T)
        self.out: deque[Letter] = deque()
        self.back: deque[Letter] = deque()
        self.said: list[bytes] = []
        self.heard: list[bytes] = []

    def say(self) -> None:
        self.said.append(str(len(self.said)).encode())
        self.out.append(self.near.put(self.said[-1]))

    def hear(self) -> None:
        if self.out:
            taken = self.far.take(self.out.popleft())
            self.heard.extend([taken.body] if taken.body else [])
            self.back.extend(taken.answers)

    def answer(self) -> None:
        if self.back:
            self.out.extend(self.near.take(self.back.popleft()).answers)

    def beat(self) -> None:
        self.out.append(self.near.beat())

    def cut(self) -> None:
        self.out.clear()
        self.back.clear()


@given(STEPS)
def test_after_any_cuts_a_beat_or_two_bring_all_that_was_said_in_order(steps: list[str]) -> None:
    talk = Talk()
    for step in steps:
        getattr(talk, step)()
        assert talk.heard == talk.said[: len(talk.heard)]
    for _ in range(2):
        talk.beat()
        while talk.out or talk.back:
            talk.hear()
            talk.answer()
    assert talk.heard == talk.said
    talk.near.take(talk.far.beat())
    assert talk.near.bytes == 0


def test_who_confirms_what_was_never_said_is_no_peer() -> None:
    with pytest.raises(PeerError):
        Conduit(T).take(Letter(T, 0, 0, 5))
