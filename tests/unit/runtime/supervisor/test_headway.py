"""Of all that a worker says of its progress, the events have one a second, and the last word of each item."""

from __future__ import annotations

from penstock.runtime.control import Note
from penstock.runtime.supervisor.headway import Headway


def test_the_events_have_it_once_a_second_and_whoever_looks_at_once() -> None:
    headway = Headway()
    notes = [[Note("a", part / 10)] for part in range(10)]
    heard = [headway.hear(each, 0.2 * at) for at, each in enumerate(notes)]
    assert [bool(each) for each in heard] == [
        True,
        False,
        False,
        False,
        False,
        True,
        False,
        False,
        False,
        False,
    ]
    assert headway.notes == notes[-1]


def test_the_last_word_of_an_item_is_among_them_whenever_it_comes() -> None:
    headway = Headway()
    headway.hear([Note("a", 0.1), Note("b", 0.2)], 0.0)
    assert headway.hear([Note("a", 1.0), Note("b", 0.2)], 0.2) == []
    assert headway.hear([Note("b", 0.2)], 0.4) == [Note("a", 1.0)]
    assert headway.hear([], 0.6) == [], "its last word has been told"
    assert headway.notes == []
