from __future__ import annotations

from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cli.board import (
    HINT,
    KEYS,
    ORDERS,
    STYLE,
    Board,
    Drain,
    Pause,
    Quit,
    Restart,
    Scale,
    clip,
    picture,
    press,
)
from tests.unit.cli.test_ps import answer as of_detect
from tests.unit.cli.test_ps import worker


def told(*replicas: dict[str, Any]) -> dict[str, Any]:
    found = of_detect(*(replicas or (worker("detect/0"),)))
    for stage in found["stages"]:
        stage["asked"] = 2
        stage.setdefault("paused", False)
    return found


def after(keys: list[str], board: Board | None = None) -> tuple[Board, list[object]]:
    board, wishes = board or Board(), []
    for key in keys:
        board, wish = press(board, key, told())
        wishes.append(wish)
    return board, [wish for wish in wishes if wish is not None]


@pytest.mark.parametrize(
    ("keys", "wishes"),
    [
        (["q"], [Quit()]),
        (["\x03"], [Quit()]),
        (["down", "+"], [Scale("detect", 3)]),
        (["j", "-"], [Scale("detect", 1)]),
        (["j", "k", "="], [Scale("camera", 3)]),
        (["p"], [Pause(("camera",), True)]),
        (["P"], [Pause(("camera", "detect"), True)]),
        (["j", "r"], [Restart("detect")]),
        (["d", "y"], [Drain()]),
        (["d", "n", "y"], []),
        (["d", "q"], []),
        (["x", "?", "s"], []),
    ],
)
def test_keys_are_wishes(keys: list[str], wishes: list[object]) -> None:
    assert after(keys)[1] == wishes


def test_p_lets_go_on_what_is_paused_and_shift_p_pauses_all_before_it_lets_all_go_on() -> None:
    found = told()
    found["stages"][0]["paused"] = True
    assert press(Board(), "p", found)[1] == Pause(("camera",), False)
    assert press(Board(), "P", found)[1] == Pause(("camera", "detect"), True)
    found["stages"][1]["paused"] = True
    assert press(Board(), "P", found)[1] == Pause(("camera", "detect"), False)


def test_s_goes_through_all_orders_and_begins_again() -> None:
    seen = [after(["s"] * count)[0].order for count in range(len(ORDERS) + 1)]
    assert seen == [*ORDERS, "wiring"]


def shown(board: Board, found: dict[str, Any], width: int = 150, height: int = 30) -> list[str]:
    return [click.unstyle(line) for line in picture(board, found, width=width, height=height)]


def test_workers_are_sorted_by_what_was_asked_for() -> None:
    found = told(worker("detect/0", busy=0.1), worker("detect/1", busy=0.9))
    lines = shown(Board(order="busy"), found)
    assert [line.split()[0] for line in lines if line.startswith("detect/")] == ["detect/1", "detect/0"]
    assert lines[-2].endswith("by busy")


def test_the_selected_stage_stands_out() -> None:
    lines = picture(Board(selected="detect"), told(), width=150, height=30)
    assert [click.unstyle(line).split()[0] for line in lines if "\x1b[7m" in line] == ["detect/0"]


def test_help_says_what_every_key_means() -> None:
    lines = "\n".join(shown(Board(help=True), told()))
    assert all(meaning in lines for _, meaning in KEYS)


def test_a_drain_is_asked_for_first() -> None:
    assert shown(Board(asking=True), told())[-2].startswith("drain demo? y to do it")


def test_of_many_workers_those_of_the_selected_stage_are_shown() -> None:
    found = told(*(worker(f"detect/{n}") for n in range(40)))
    found["stages"].append(
        {"name": "save", "kind": "sink", "steps": [], "asked": 1, "replicas": [worker("save/0")]}
    )
    lines = shown(Board(selected="save"), found, height=12)
    assert [line for line in lines if line.startswith("save/0")]
    assert lines[-1] == HINT


@given(
    st.lists(st.sampled_from(["up", "down", "s", "?", "d", "n", "x", "+"])),
    st.integers(0, 60),
    st.integers(0, 160),
    st.integers(0, 200),
)
def test_nothing_is_larger_than_the_terminal(keys: list[str], workers: int, height: int, width: int) -> None:
    board, _ = after(keys)
    lines = picture(board, told(*(worker(f"detect/{n}") for n in range(workers))), width=width, height=height)
    assert len(lines) <= height
    assert all(len(STYLE.sub("", line)) <= width for line in lines)


def test_colour_takes_no_room_and_survives_a_cut() -> None:
    assert clip("\x1b[31mlong\x1b[0m", 4) == "\x1b[31mlong\x1b[0m"
    assert clip("\x1b[31mlong\x1b[0m", 3) == "\x1b[31mlo\x1b[0m…"
    assert clip("long", 0) == ""
