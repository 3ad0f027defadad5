"""Which topics there can be, and who asks for which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import UserError
from penstock.message import topics


@pytest.mark.parametrize(
    ("wanted", "topic", "asked"),
    [
        ("*", "anything", True),
        ("metrics.*", "metrics.loss", True),
        ("metrics.*", "metrics.train.loss", True),
        ("metrics.*", "metrics", False),
        ("metrics.loss", "metrics.loss", True),
        ("metrics.loss", "metrics.losses", False),
    ],
)
def test_a_star_at_the_end_is_whatever_begins_so(wanted: str, topic: str, asked: bool) -> None:
    assert topics.wants(topics.asked(wanted), topic) is asked


@pytest.mark.parametrize("wanted", ["", "a*b", "**", "a\x00", 7])
def test_what_cannot_be_asked_is_refused(wanted: str) -> None:
    with pytest.raises(UserError):
        topics.asked([wanted])


def test_who_asks_for_nothing_is_told_how_to_ask_for_all() -> None:
    with pytest.raises(UserError, match="say '\\*' for all"):
        topics.asked([])


@given(st.text())
def test_every_topic_asks_for_itself_or_is_none(text: str) -> None:
    try:
        topics.written(text)
    except UserError:
        return
    assert topics.wants(topics.asked(text), text)
