"""Whether packing pays: the cheapest way is taken, whatever the line, the processor and the data are like."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.link.thrift import ANEW, TRIES, Thrift

MESSAGE = 1 << 20
WAYS = ("lz4", "zstd")
SPEEDS = st.floats(1e6, 1e11)
"""Bytes a second."""


def travel(thrift: Thrift, line: float, left: dict[str, float], speed: dict[str, float]) -> str:
    """One message: the way it went."""
    way = thrift.choose()
    size = int(MESSAGE * left[way])
    if way:
        thrift.packed(way, MESSAGE, size, MESSAGE / speed[way])
    thrift.travelled(size, size / line)
    return way


def price(way: str, line: float, left: dict[str, float], speed: dict[str, float]) -> float:
    return left[way] / line + (1 / speed[way] if way else 0)


worlds = st.tuples(
    SPEEDS,
    st.fixed_dictionaries({"": st.just(1.0), "lz4": st.floats(0.001, 1), "zstd": st.floats(0.001, 1)}),
    st.fixed_dictionaries({"lz4": SPEEDS, "zstd": SPEEDS}),
)


@given(worlds, worlds)
def test_the_way_that_costs_least_is_taken_also_when_all_has_changed(
    first: tuple[float, dict[str, float], dict[str, float]],
    then: tuple[float, dict[str, float], dict[str, float]],
) -> None:
    thrift = Thrift(WAYS)
    for world, messages in ((first, TRIES * 3), (then, 90 * ANEW)):
        for _ in range(messages):
            travel(thrift, *world)
        cheapest = min(price(way, *world) for way in ("", *WAYS))
        assert price(thrift.best(), *world) <= cheapest * 1.05


@given(line=SPEEDS, speed=SPEEDS)
def test_what_cannot_be_packed_smaller_is_packed_now_and_then_only_to_see(line: float, speed: float) -> None:
    thrift = Thrift(WAYS)
    world = (line, {"": 1.0, "lz4": 1.0, "zstd": 1.0}, {"lz4": speed, "zstd": speed})
    went = [travel(thrift, *world) for _ in range(TRIES * 3 + ANEW * 10)]
    assert sum(way != "" for way in went[TRIES * 3 :]) <= 10


def test_nothing_is_packed_while_nothing_is_known_of_the_line() -> None:
    thrift = Thrift(WAYS)
    for _ in range(TRIES * 3):
        if way := thrift.choose():
            thrift.packed(way, 100, 1, 0.0)
    assert thrift.best() == ""
