"""What one subscriber is to get: everything that is offered is somewhere, whatever happens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.link.mailing import Mailing, Note
from penstock.observe.tally import DELIVERED, FULL, GONE, OFFERED, REPLACED, SENT, UNSURE

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.sampled_from("abc")),
        st.tuples(st.sampled_from(("take", "arrive", "leave", "end")), st.just("")),
        st.tuples(st.just("done"), st.integers(0, 6)),
    ),
    max_size=60,
)


def note(topic: str, size: int = 10) -> Note:
    return Note(topic, b"x", (), size)


def rows() -> dict[str, list[int]]:
    return {topic: [0] * 8 for topic in "abc"}


@given(EVENTS, st.booleans(), st.integers(1, 4))
def test_all_that_is_offered_is_delivered_dropped_for_a_reason_or_in_flight(
    events: list[tuple[str, object]], conflate: bool, depth: int
) -> None:
    mailing, counted, total = Mailing("log/0", ["*"], conflate=conflate, depth=depth), rows(), 0
    for what, argument in events:
        if what == "offer":
            mailing.offer(note(str(argument)), counted[str(argument)])
        elif what == "arrive":
            mailing.arrive(b"log/0#7")
            total = 0
        elif what == "done":
            assert isinstance(argument, int)
            total += argument if mailing.done(total + argument) else 0
        elif what == "take":
            mailing.take()
        elif what == "leave":
            mailing.leave()
        else:
            mailing.end()
        assert mailing.waits <= depth
        words = [sum(row[name] for row in counted.values()) for name in range(8)]
        ended = sum(words[name] for name in (DELIVERED, FULL, REPLACED, GONE, UNSURE))
        assert words[OFFERED] == ended + mailing.waits + mailing.on_way
        assert words[SENT] == words[DELIVERED] + words[UNSURE] + mailing.on_way


def test_nobody_is_sent_anything_before_he_is_there_and_then_all_in_order() -> None:
    mailing, counted = Mailing("log/0", ["*"]), rows()
    for topic in "abca":
        mailing.offer(note(topic), counted[topic])
    assert mailing.take() == []
    mailing.arrive(b"log/0#7")
    assert [each.topic for each in mailing.take()] == list("abca")


def test_of_one_that_conflates_the_newest_waits_in_the_place_of_the_old() -> None:
    mailing, counted = Mailing("board/0", ["*"], conflate=True), rows()
    mailing.arrive(b"board/0#7")
    for number, topic in enumerate("abaa"):
        mailing.offer(note(topic, number), counted[topic])
    assert [each.size for each in mailing.take()] == [3]  # one at a time: what it gets is new
    assert (counted["a"][REPLACED], counted["b"][REPLACED]) == (2, 0)
    assert mailing.take() == []
    assert mailing.done(1)
    assert [each.topic for each in mailing.take()] == ["b"]


def test_bytes_are_bounded_but_one_value_always_goes() -> None:
    mailing, counted = Mailing("log/0", ["*"]), rows()
    mailing.arrive(b"log/0#7")
    for _ in range(2):
        mailing.offer(note("a", 1 << 30), counted["a"])
    assert counted["a"][FULL] == 1
    assert len(mailing.take()) == 1


def test_nobody_is_through_with_more_than_he_got() -> None:
    mailing, counted = Mailing("log/0", ["*"]), rows()
    mailing.arrive(b"log/0#7")
    mailing.offer(note("a"), counted["a"])
    mailing.take()
    assert not mailing.done(2)
    assert not mailing.done(-1)
    assert mailing.done(1)
    assert not mailing.done(0)
    assert mailing.idle
