"""What `top` shows and what its keys mean. No terminal in here: numbers and keys in, lines and wishes out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Union

import click

from penstock.cli import figures, ps, terminal

Answer = dict[str, Any]

ORDERS = {"wiring": "", "busy": "busy", "rate": "rate", "memory": "rss_bytes"}
"""By what workers can be sorted, and the field of that; as they are wired, they have none."""
KEYS = (
    ("↑ ↓  k j", "select a stage"),
    ("+  -", "one worker more or less for it"),
    ("p  P", "pause it, or let it go on; P: all stages"),
    ("r", "restart its workers one by one, without a gap"),
    ("s", "sort by the next of: wiring, busy, rate, memory"),
    ("d", "drain the pipeline: asks first"),
    ("?", "these words, or the numbers again"),
    ("q", "leave; the pipeline goes on"),
)
HINT = "q quit   ↑↓ select   + - scale   p pause   r restart   s sort   d drain   ? help"
STYLE = re.compile(r"\x1b\[[0-9;]*m")


class Scale(NamedTuple):
    """So many workers are wanted for a stage."""

    stage: str
    replicas: int


class Pause(NamedTuple):
    """These stages are to begin nothing more, or to go on."""

    stages: tuple[str, ...]
    paused: bool


class Restart(NamedTuple):
    """The workers of a stage are to be replaced by new ones."""

    stage: str


class Drain(NamedTuple):
    """The pipeline is to end when all in it is finished."""


class Quit(NamedTuple):
    """Nobody wants to look any more."""


Wish = Union[Scale, Pause, Restart, Drain, Quit]


class Board(NamedTuple):
    """What whoever looks has chosen."""

    selected: str = ""
    """A stage; empty before the first answer."""
    order: str = "wiring"
    help: bool = False
    asking: bool = False
    """Whether the next key answers if it is to be drained."""
    message: str = ""
    """What came of the last wish."""


def press(board: Board, key: str, answer: Answer) -> tuple[Board, Wish | None]:
    """A key was pressed while ``answer`` was shown: the board from now on, and what is to be done."""
    board = settled(board._replace(message=""), answer)
    if board.asking:
        if key == "y":
            return board._replace(asking=False), Drain()
        return board._replace(asking=False, message="not drained"), None
    if key in {"up", "k", "down", "j"}:
        return _move(board, answer, -1 if key in {"up", "k"} else 1), None
    if key in WISHES:
        return board, WISHES[key](board, answer)
    if key == "s":
        names = list(ORDERS)
        return board._replace(order=names[(names.index(board.order) + 1) % len(names)]), None
    if key == "d":
        return board._replace(asking=True), None
    return board._replace(help=not board.help) if key == "?" else board, None


def settled(board: Board, answer: Answer) -> Board:
    """With a stage selected that there is."""
    names = [stage["name"] for stage in answer["stages"]]
    return board if board.selected in names or not names else board._replace(selected=names[0])


def picture(board: Board, answer: Answer, *, width: int, height: int) -> list[str]:
    """At most ``height`` lines of at most ``width`` characters."""
    board = settled(board, answer)
    foot = [_last_line(board, answer), terminal.dim(HINT)]
    body = _help() if board.help else _numbers(board, answer, height - len(foot) - 1)
    lines = [ps.head(answer), *body[: max(0, height - len(foot) - 1)], *foot]
    return [clip(line, width) for line in lines[-height:] if height > 0]


def clip(line: str, width: int) -> str:
    """``line`` cut to ``width`` characters; what colours it takes no room."""
    if len(STYLE.sub("", line)) <= width:
        return line
    parts, room = [], max(0, width - 1)
    for piece in re.split(f"({STYLE.pattern})", line):
        if STYLE.fullmatch(piece):
            parts.append(piece)
        else:
            parts.append(piece[:room])
            room -= len(parts[-1])
    return "".join(parts) + "…" * (width > 0)


def _numbers(board: Board, answer: Answer, room: int) -> list[str]:
    ordered = _ordered(board, answer)
    heading, *rows = ps.stage_table(ordered)
    names = [stage["name"] for stage in ordered["stages"] for _ in stage["replicas"] or [None]]
    rows = [_marked(row, chosen=name == board.selected) for row, name in zip(rows, names, strict=True)]
    neck = answer["bottleneck"]
    below = [*ps.shared(answer), "", *ps.link_table(answer), "", neck["sentence"] if neck else ""]
    # Of many workers those around the selected stage are shown; links yield before them.
    first = names.index(board.selected) if board.selected in names else 0
    space = max(1, room - 2 - len(below)) if room - 2 > len(below) else max(1, room - 2)
    start = max(0, min(first, len(rows) - space))
    return ["", heading, *rows[start : start + space], *below]


def _marked(row: str, *, chosen: bool) -> str:
    return click.style(STYLE.sub("", row), reverse=True) if chosen else row


def _ordered(board: Board, answer: Answer) -> Answer:
    field = ORDERS[board.order]
    if not field:
        return answer
    alone = [{**stage, "replicas": [each]} for stage in answer["stages"] for each in stage["replicas"]]
    alone.sort(key=lambda stage: -stage["replicas"][0].get(field, 0))
    return {**answer, "stages": alone}


def _last_line(board: Board, answer: Answer) -> str:
    if board.asking:
        return terminal.doubtful(f"drain {answer['pipeline']}? y to do it, any other key not to")
    order = "" if board.order == "wiring" else f"   by {board.order}"
    return board.message or figures.last_line(answer["totals"]) + terminal.dim(order)


def _help() -> list[str]:
    return ["", *(f"  {terminal.strong(f'{keys:10}')} {meaning}" for keys, meaning in KEYS)]


def _move(board: Board, answer: Answer, step: int) -> Board:
    names: Sequence[str] = [stage["name"] for stage in answer["stages"]]
    if not names:
        return board
    place = min(len(names) - 1, max(0, names.index(board.selected) + step))
    return board._replace(selected=names[place])


def _scale(board: Board, answer: Answer, step: int) -> Wish | None:
    stage = _selected(board, answer)
    return None if stage is None else Scale(stage["name"], stage["asked"] + step)


def _pause(board: Board, answer: Answer) -> Wish | None:
    stage = _selected(board, answer)
    return None if stage is None else Pause((stage["name"],), not stage["paused"])


def _pause_all(_: Board, answer: Answer) -> Wish | None:
    """Where some are paused and some are not, all are paused first."""
    stages = answer["stages"]
    return Pause(tuple(each["name"] for each in stages), not all(each["paused"] for each in stages))


def _restart(board: Board, answer: Answer) -> Wish | None:
    stage = _selected(board, answer)
    return None if stage is None else Restart(stage["name"])


def _selected(board: Board, answer: Answer) -> Answer | None:
    return next((stage for stage in answer["stages"] if stage["name"] == board.selected), None)


WISHES: dict[str, Callable[[Board, Answer], Wish | None]] = {
    "q": lambda *_: Quit(),
    "\x03": lambda *_: Quit(),
    "+": lambda board, answer: _scale(board, answer, 1),
    "=": lambda board, answer: _scale(board, answer, 1),
    "-": lambda board, answer: _scale(board, answer, -1),
    "p": _pause,
    "P": _pause_all,
    "r": _restart,
}
"""What is to be done outside of here, by key."""
