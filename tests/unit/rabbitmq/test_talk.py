from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.rabbitmq import asks
from penstock.rabbitmq.letters import Unreadable
from penstock.rabbitmq.talk import (
    Ask,
    Ending,
    Hello,
    Orders,
    Petition,
    Report,
    Run,
    Saying,
    Show,
    decode,
    encode,
)
from penstock.tasks.job import new_id
from penstock.tasks.settle import Done, Ended, Failed, Returned

outcomes = st.one_of(
    st.builds(Done, st.binary(max_size=20)),
    st.builds(
        Failed, st.sampled_from(["error", "crash"]), st.text(max_size=9), st.lists(st.text(max_size=5))
    ),
    st.builds(Returned, st.text(max_size=9), st.booleans()),
    st.just(Ended()),
)


@given(st.lists(st.builds(Ending, st.builds(new_id), st.integers(0, 99), outcomes, st.integers(0, 2**50))))
def test_what_is_reported_arrives(words: list[Ending]) -> None:
    report = Report("g.1", [*words, Saying(new_id(), 1, 0.5, {"loss": 0.1})])
    assert decode(encode(report), Report) == report


def test_what_is_asked_and_answered_arrives() -> None:
    asked = Petition("g.1", [Hello(["g"], [(new_id(), 1)]), Ask(new_id(), 0)])
    assert decode(encode(asked), Petition) == asked
    told = Orders([Run(new_id(), 0, 1, 7, 0, 0)])
    assert decode(encode(told), Orders) == told


@given(st.binary(max_size=100))
def test_anything_else_is_refused_in_a_sentence(body: bytes) -> None:
    for kind in (Petition, Orders, Report):
        with pytest.raises(Unreadable, match=r"^it is no "):
            decode(body, kind)  # type: ignore[type-var]


NESTED = b"\x91" * 100_000


@pytest.mark.parametrize("kind", [Petition, Orders, Report])
def test_what_is_nested_without_end_is_refused(kind: type[Any]) -> None:
    sender = b"\xa6sender\xa0"
    with pytest.raises(Unreadable, match=r"^it is no "):
        decode(b"\x83" + sender + b"\xa1x" + NESTED, kind)


@pytest.mark.parametrize("begin", [-2, 2**53 + 1, 2**63])
def test_no_log_is_shown_from_where_no_file_reaches(begin: int) -> None:
    asked = encode(Orders([Show("reply.a b", "g", new_id(), 1, begin)]))
    with pytest.raises(Unreadable):
        decode(asked, Orders)
    with pytest.raises(Unreadable):
        asks.decode(asks.encode(asks.Log(new_id(), 1, begin)))
