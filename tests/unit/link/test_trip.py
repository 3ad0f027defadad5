"""How long the way is to another host, as far as that can be told from what is said anyway."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.link.trip import Trip


@given(way=st.floats(0.001, 5.0), waits=st.lists(st.floats(0.0, 10.0), min_size=1, max_size=20))
def test_the_shortest_is_believed_and_is_never_less_than_the_way(way: float, waits: list[float]) -> None:
    trip, now = Trip(), 0.0
    for number, wait in enumerate(waits, 1):
        trip.said(number, now)
        trip.said(number + 1, now + way / 2)
        trip.heard(number - 1, now + way / 2)
        now += way + wait
        trip.heard(number, now)
    assert way * 0.999 <= trip.least <= (way + min(waits)) * 1.001


def test_a_cut_says_nothing_of_the_way() -> None:
    trip = Trip()
    trip.said(1, now=0.0)
    trip.renew()
    trip.heard(1, now=60.0)
    assert trip.least == 0.0
