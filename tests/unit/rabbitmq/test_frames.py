"""A message that we write by hand is the one that the library would have read; and what comes back is read
however it is cut."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import frame

from penstock.rabbitmq import frames
from penstock.rabbitmq.message import Message

MOST = 40
texts = st.text(max_size=20)
values = st.one_of(st.integers(-(2**60), 2**60), st.booleans(), texts)
messages = st.builds(
    Message,
    body=st.binary(max_size=100),
    type=texts,
    id=texts,
    content_type=texts,
    headers=st.dictionaries(st.text(min_size=1, max_size=20), values, max_size=4),
    reply_to=texts,
    correlation=texts,
    expires=st.integers(0, 10**6),
)


@given(messages, texts, texts, texts)
def test_what_is_published_is_read_by_the_library_as_it_was_meant(
    message: Message, exchange: str, key: str, user: str
) -> None:
    left = frames.publish(1, exchange, key, message, user, MOST)
    found: list[Any] = []
    while left:
        size, channel, each = frame.unmarshal(left)
        left = left[size:]
        assert channel == 1
        found.append(each)
    method, header, *bodies = found
    assert (method.exchange, method.routing_key, method.mandatory) == (exchange, key, True)
    said = header.properties
    read = Message(
        body=b"".join(each.value for each in bodies),
        type=said.message_type or "",
        id=said.message_id or "",
        content_type=said.content_type or "",
        headers=said.headers or {},
        reply_to=said.reply_to or "",
        correlation=said.correlation_id or "",
        expires=int(said.expiration or 0),
    )
    assert read == message
    assert (said.delivery_mode, said.user_id or "", header.body_size) == (2, user, len(message.body))


@given(st.lists(st.tuples(st.sampled_from([80, 120]), st.integers(1, 2**60)), max_size=5), st.data())
def test_answers_are_read_however_they_are_cut(answers: list[tuple[int, int]], data: st.DataObject) -> None:
    wire = b"".join(
        b"\x01\x00\x01\x00\x00\x00\x0d\x00\x3c" + bytes([0, number]) + tag.to_bytes(8, "big") + b"\x00\xce"
        for number, tag in answers
    )
    cut = data.draw(st.integers(0, len(wire)))
    found, rest = [], b""
    for part in (wire[:cut], wire[cut:]):
        rest += part
        while True:
            each, rest = frames.first(rest)
            if each is None:
                break
            found.append((each.method[1], each.tag))
    assert found == answers
    assert not rest


def test_what_is_no_frame_is_refused() -> None:
    for came, why in ((b"HTTP/1.1 400 Bad Request", "too large"), (b"\x01\x00\x01" + bytes(9), "no end")):
        with pytest.raises(ValueError, match=why):
            frames.first(came)


def test_a_text_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        frames.publish(1, "e", "k", Message(id="x" * 256), "", MOST)
