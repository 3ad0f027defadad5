"""Which replica gets a call: never one without room, never more than its share, the least loaded first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.link.picker import DEEPEST, Picker


@given(st.data())
def test_no_replica_holds_more_than_its_window_and_none_is_idle_while_calls_wait(data: st.DataObject) -> None:
    picker, window = Picker(), data.draw(st.integers(1, 4))
    picker.share({"v1": 1.0})
    held = dict.fromkeys(range(1, data.draw(st.integers(1, 5)) + 1), 0)
    for number in held:
        picker.add(number, "v1", window)
    for ends in data.draw(st.lists(st.booleans(), min_size=1, max_size=60)):
        busy = [number for number, count in held.items() if count]
        if busy and ends:
            number = data.draw(st.sampled_from(busy))
            held[number] -= 1
            picker.freed(number, held[number])
            continue
        number_or_none = picker.pick()
        assert (number_or_none is None) == (min(held.values()) == window)
        if number_or_none is not None:
            assert held[number_or_none] == min(held.values())
            held[number_or_none] += 1
            picker.taken(number_or_none)
    assert picker.held == sum(held.values()) and picker.room == window * len(held)


@given(st.integers(1, 99), st.integers(1, 300))
def test_two_versions_get_their_shares_of_the_calls(percent: int, calls: int) -> None:
    picker = Picker()
    picker.share({"old": 1 - percent / 100, "new": percent / 100})
    picker.add(1, "old", 1)
    picker.add(2, "new", 1)
    counts = {1: 0, 2: 0}
    for _ in range(calls):
        number = picker.pick()
        assert number is not None
        counts[number] += 1
        picker.taken(number)
        picker.freed(number, 0)
    assert abs(counts[2] - calls * percent / 100) <= 1


def test_a_version_without_room_leaves_its_calls_to_the_other_and_makes_up_for_few() -> None:
    picker = Picker()
    picker.share({"old": 0.5, "new": 0.5})
    picker.add(1, "old", 1000)
    assert [picker.pick() for _ in range(100)] == [1] * 100
    picker.add(2, "new", 1000)
    found = [picker.pick() for _ in range(100)]
    assert found.count(2) <= 50 + 2 * DEEPEST
    picker.close(1)
    assert {picker.pick() for _ in range(3)} == {2}
    picker.share({"old": 1.0})
    assert picker.pick() is None


def test_who_is_busy_for_others_comes_later() -> None:
    picker = Picker()
    picker.share({"v1": 1.0})
    for number in (1, 2):
        picker.add(number, "v1", 2)
        picker.taken(number)
    picker.freed(1, 5)
    picker.freed(2, 0)
    assert picker.pick() == 2
    picker.remove(2)
    assert picker.pick() == 1 and 2 not in picker


@given(st.integers(1, 50), st.integers(1, 4), st.lists(st.booleans(), min_size=50, max_size=200))
def test_the_newer_has_no_more_than_its_share_when_the_older_has_no_room(
    percent: int, window: int, ends: list[bool]
) -> None:
    picker, held, counts = Picker(), {1: 0, 2: 0}, {1: 0, 2: 0}
    picker.share({"old": 1 - percent / 100, "new": percent / 100})
    picker.add(1, "old", window)
    picker.add(2, "new", 1000)
    for older in ends:
        while (number := picker.pick()) is not None:
            counts[number] += 1
            held[number] += 1
            picker.taken(number)
        ending = 1 if older else 2
        if held[ending]:
            held[ending] -= 1
            picker.freed(ending, held[ending])
    assert counts[2] <= sum(counts.values()) * percent / 100 + DEEPEST
    assert picker.pick("new") == 2
    picker.close(1)
    assert picker.pick() == 2


def test_what_a_replica_said_of_others_is_not_believed_for_ever() -> None:
    picker = Picker()
    picker.share({"v": 1.0})
    for number in (1, 2):
        picker.add(number, "v", 4)
    picker.taken(1)
    picker.freed(1, load=2)  # others had two there then
    chosen = []
    for _ in range(40):
        found = picker.pick()
        assert found is not None
        picker.taken(found)
        picker.freed(found, load=0)
        chosen.append(found)
    assert chosen[0] == 2
    assert 10 < chosen.count(1) < 20
