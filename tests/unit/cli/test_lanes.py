from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.cli.lanes import DOWN, JOINTS, NODE, UP, Row, draw, in_ascii

SIDES = {character: sides for sides, character in JOINTS.items()}

Graph = dict[str, list[str]]


@st.composite
def graphs(make: st.DrawFn) -> Graph:
    """Any graph without cycles: stages only feed later ones, and are listed in any order."""
    names = [f"s{number}" for number in range(make(st.integers(1, 9)))]
    graph = {
        name: make(st.lists(st.sampled_from(names[at + 1 :]), unique=True)) if names[at + 1 :] else []
        for at, name in enumerate(names)
    }
    return {name: graph[name] for name in make(st.permutations(names))}


def read(rows: list[Row]) -> set[tuple[str, str]]:
    """The wires that a reader of the drawing sees."""
    lanes: dict[int, set[str]] = {}
    wires: set[tuple[str, str]] = set()
    node, column = "", 0
    for row in rows:
        cells = dict(enumerate(row.lanes[::2]))
        if row.stage:
            node, column = row.stage, row.lanes.index(NODE) // 2
            wires |= {(source, node) for source in lanes.pop(column, set())}
        elif "─" in row.lanes:
            for at, character in cells.items():
                sides = SIDES.get(character, 0)
                if character not in "│─ " and sides & DOWN:
                    lanes[at] = (lanes[at] if sides & UP and at in lanes else set()) | {node}
        elif cells.get(column) == "│" and column not in lanes:
            lanes[column] = {node}
    return wires


@given(graphs())
def test_what_is_read_from_a_drawing_is_what_was_wired(graph: Graph) -> None:
    wires = {(source, target) for source, targets in graph.items() for target in targets}
    assert read(draw(graph)) == wires


@given(graphs())
def test_every_stage_is_drawn_once_and_below_all_that_feed_it(graph: Graph) -> None:
    drawn = [row.stage for row in draw(graph) if row.stage]
    assert sorted(drawn) == sorted(graph)
    for source, targets in graph.items():
        assert all(drawn.index(source) < drawn.index(target) for target in targets)


def test_a_chain_is_one_straight_lane() -> None:
    rows = draw({"a": ["b"], "b": ["c"], "c": []})
    assert rows == [Row("●", "a"), Row("│"), Row("●", "b"), Row("│"), Row("●", "c")]


def test_a_fork_that_meets_again() -> None:
    rows = draw({"camera": ["left", "right"], "left": ["save"], "right": ["save"], "save": []})
    assert [row.lanes for row in rows] == ["●", "├─╮", "● │", "│ │", "│ ●", "├─╯", "●"]


def test_a_lane_that_is_only_passed_is_not_interrupted() -> None:
    rows = draw({"a": ["b", "c", "d"], "b": ["d"], "c": ["d"], "d": []})
    assert "╰─│─┤" in [row.lanes for row in rows]


@given(graphs())
def test_plain_terminals_get_the_same_drawing_in_ascii(graph: Graph) -> None:
    for row in draw(graph):
        assert in_ascii(row.lanes).isascii()
        assert len(in_ascii(row.lanes)) == len(row.lanes)
