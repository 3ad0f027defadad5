"""Topics: what is subscribed to is what comes, and last values come once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import PeerError, UserError
from penstock.message.topics import written
from penstock.patterns import topics

names = st.text(st.characters(exclude_characters="*\0\1", codec="utf-8"), min_size=1, max_size=20)
publishers = st.binary(min_size=8, max_size=8)


def through(asked: str, frame: bytes) -> bool:
    """What ZeroMQ does."""
    return any(frame.startswith(prefix) for prefix in topics.filters(asked))


@given(names, names, st.sampled_from([topics.PLAIN, topics.KEPT]), st.binary())
def test_a_topic_comes_to_who_asked_for_it_and_to_nobody_else(
    mine: str, other: str, mark: bytes, rest: bytes
) -> None:
    frame = mine.encode() + mark + rest
    assert through(mine, frame)
    assert through("*", frame)
    assert through(f"{mine[:1]}*", frame)
    assert through(other, frame) == (mine == other)
    assert through(f"{other}*", frame) == mine.startswith(other)


@given(names, st.binary())
def test_the_head_of_a_value_is_read_as_it_was_written(name: str, body: bytes) -> None:
    frame = written(name) + topics.PLAIN + body
    head = topics.read(frame)
    assert (head.topic, head.stamp, frame[head.size :]) == (name, None, body)


@given(names, publishers, st.integers(0, 2**64 - 1), st.binary())
def test_so_is_that_of_one_that_is_kept(name: str, publisher: bytes, number: int, body: bytes) -> None:
    frame = topics.stamped(written(name), publisher, number) + body
    head = topics.read(frame)
    assert (head.topic, head.stamp, frame[head.size :]) == (name, (publisher, number), body)


@given(st.binary(max_size=60))
def test_hostile_bytes_are_a_topic_or_refused(frame: bytes) -> None:
    try:
        head = topics.read(frame)
    except PeerError:
        return
    assert frame.startswith(head.topic.encode())
    assert head.size <= len(frame)


@pytest.mark.parametrize("name", ["", "a*", "a\0b", "\1", "x" * 1001])
def test_what_is_no_topic_is_refused(name: str) -> None:
    with pytest.raises(UserError):
        written(name)


@pytest.mark.parametrize("asked", ["*.temperature", "a*b", "", [], ["a", "b**"]])
def test_what_cannot_be_asked_is_refused(asked: str) -> None:
    with pytest.raises(UserError):
        topics.filters(asked)


@given(st.lists(st.tuples(names, st.integers()), max_size=50), names)
def test_who_joins_late_gets_the_last_value_of_each_topic_once(
    published: list[tuple[str, int]], asked: str
) -> None:
    latest, expected = topics.Latest(1000), dict[str, bytes]()
    for number, (name, value) in enumerate(published):
        head = topics.stamped(written(name), b"publish.", number)
        latest.keep(written(name), [head + b"%d" % value])
        expected.pop(name, None)
        expected[name] = b"%d" % value
    wanted = [frames for prefix in topics.filters(f"{asked}*") for frames in latest.wanted(prefix)]
    heads = [topics.read(frames[0]) for frames in wanted]
    found = {head.topic: frames[0][head.size :] for head, frames in zip(heads, wanted, strict=True)}
    assert len(found) == len(wanted)
    assert list(found.items()) == [each for each in expected.items() if each[0].startswith(asked)]


@given(st.integers(1, 5), st.lists(names, max_size=30))
def test_the_last_values_kept_are_bounded(most: int, published: list[str]) -> None:
    latest = topics.Latest(most)
    for name in published:
        latest.keep(written(name), [written(name)])
    kept = [frames[0].decode() for frames in latest.wanted(b"")]
    newest = list(dict.fromkeys(reversed(published)))[:most]
    assert kept == newest[::-1]


@given(st.lists(st.tuples(names, publishers, st.integers(0, 20)), max_size=60))
def test_a_value_is_new_once_and_an_older_one_never_again(came: list[tuple[str, bytes, int]]) -> None:
    seen, highest = topics.Seen(), dict[tuple[str, bytes], int]()
    for name, publisher, number in came:
        new = seen.is_new(topics.Head(name, (publisher, number), 0))
        assert new == (number > highest.get((name, publisher), -1))
        highest[name, publisher] = max(number, highest.get((name, publisher), -1))


def test_what_is_not_kept_is_always_new() -> None:
    seen = topics.Seen()
    assert all(seen.is_new(topics.Head("a", None, 0)) for _ in range(3))
