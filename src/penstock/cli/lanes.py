"""A wired pipeline as lanes of text, one stage a row, upstream above downstream.

    ●    camera      A lane carries what flows towards one stage. The row of joints under a stage
    ├─╮              leads what it sends into lanes: it opens new ones and joins those that are
    ● │  left        there; a lane that is only passed is not interrupted.
    │ │
    │ ●  right       (From left to right, as on a screen, a wide graph needs crossings that text
    ├─╯              cannot show without doubt; lanes can draw every graph without cycles.)
    ●    save

Pure: names and wires in, rows out.
"""

from __future__ import annotations

from typing import Mapping, NamedTuple, Sequence

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8

JOINTS = {
    UP | DOWN: "│",
    UP | LEFT: "╯",
    UP | RIGHT: "╰",
    DOWN | LEFT: "╮",
    DOWN | RIGHT: "╭",
    UP | DOWN | LEFT: "┤",
    UP | DOWN | RIGHT: "├",
    UP | LEFT | RIGHT: "┴",
    DOWN | LEFT | RIGHT: "┬",
    UP | DOWN | LEFT | RIGHT: "┼",
}
NODE = "●"
FREE = ""


class Row(NamedTuple):
    """One line of the drawing."""

    lanes: str
    stage: str = ""
    """The stage drawn in it; ``""`` for a row of lanes only."""


def draw(targets: Mapping[str, Sequence[str]]) -> list[Row]:
    """Draw stages by what each one feeds; a graph without cycles, in any order."""
    lanes: list[str] = []
    """Per column the stage that its lane leads to."""
    rows: list[Row] = []
    waiting = list(targets)
    while waiting:
        stage = _next(waiting, targets, lanes)
        waiting.remove(stage)
        if rows and rows[-1].stage:
            rows.append(Row(_passing(lanes)))
        column = _column(lanes, stage)
        rows.append(Row(_passing(lanes, column), stage))
        lanes[column] = FREE
        rows.extend(_joints(lanes, column, list(dict.fromkeys(targets[stage]))))
    return rows


def in_ascii(lanes: str) -> str:
    """The same row for terminals that know nothing else."""
    plain = {NODE: "*", "│": "|", "─": "-", " ": " "}
    return "".join(plain.get(character, "+") for character in lanes)


def _next(waiting: Sequence[str], targets: Mapping[str, Sequence[str]], lanes: Sequence[str]) -> str:
    """Of the stages whose feeders are all drawn, the one its lane is leftmost: chains stay together."""
    fed = {target for stage in waiting for target in targets[stage]}
    ready = [stage for stage in waiting if stage not in fed]
    return min(ready, key=lambda stage: lanes.index(stage) if stage in lanes else len(lanes))


def _column(lanes: list[str], stage: str) -> int:
    """The column of the lane that leads to ``stage``; a free one for a stage that nothing feeds."""
    wanted = stage if stage in lanes else FREE
    if wanted not in lanes:
        lanes.append(FREE)
    return lanes.index(wanted)


def _passing(lanes: Sequence[str], node: int | None = None) -> str:
    """A row in which nothing is joined, perhaps with a node in it."""
    cells = [NODE if column == node else "│" if lane else " " for column, lane in enumerate(lanes)]
    return " ".join(cells).rstrip()


def _joints(lanes: list[str], column: int, targets: Sequence[str]) -> list[Row]:
    """Join or open a lane for each target; the row that shows it, unless the lane just goes on."""
    joined = {lanes.index(target) for target in targets if target in lanes}
    new = [target for target in targets if target not in lanes]
    opened = _free(lanes, column, len(new))
    for at, target in zip(opened, new, strict=True):
        lanes[at] = target
    net = {column, *joined, *opened}
    return [Row(_joint_row(lanes, net, above={column, *joined}))] if len(net) > 1 else []


def _free(lanes: list[str], first: int, count: int) -> list[int]:
    """``count`` columns without a lane, ``first`` before all others; from left to right."""
    found = [first, *(column for column, lane in enumerate(lanes) if lane == FREE and column != first)]
    while len(found) < count:
        found.append(len(lanes))
        lanes.append(FREE)
    return sorted(found[:count])


def _joint_row(lanes: Sequence[str], net: set[int], above: set[int]) -> str:
    """Draw the columns of ``net`` connected; those in ``above`` also go up, those with a lane go down."""
    first, last = min(net), max(net)
    text = ""
    for column, lane in enumerate(lanes):
        within = first <= column < last
        if column in net:
            sides = (column in above) * UP | bool(lane) * DOWN | (column > first) * LEFT | within * RIGHT
            text += JOINTS[sides]
        else:
            text += "│" if lane else "─" if within else " "
        text += "─" if within else " "
    return text.rstrip()
