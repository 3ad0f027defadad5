from __future__ import annotations

import numpy as np

from penstock.cli.preview import describe, preview
from penstock.message.codec import Encoder
from penstock.message.letter import Letter


def letter(value: object, *, allow_pickle: bool = False) -> Letter:
    body = b"\x91" + Encoder(None, allow_pickle=allow_pickle).encode(value)
    return Letter(
        id="a/0:1",
        pipeline="p",
        stage="b",
        link="a→b",
        attempts=4,
        failures=4,
        cause="x",
        traceback="",
        when=0.0,
        payload=body,
    )


def test_an_array_is_shown_by_its_shape_and_range() -> None:
    assert preview(letter(np.arange(6, dtype="f4").reshape(2, 3))) == (
        "array of float32, 2 x 3 (24 B), from 0 to 5, mean 2.5"
    )


def test_arrays_without_numbers_or_items_are_shown_too() -> None:
    assert describe(np.zeros((0, 3))) == "array of float64, 0 x 3 (0 B)"
    assert describe(np.array(True)) == "array of bool, one value (1 B), from 1 to 1, mean 1"
    assert describe(np.array(["ab"])) == "array of <U2, 1 (8 B)"


def test_a_small_value_stands_on_one_line() -> None:
    assert preview(letter({"name": "bad.jpg", "size": 3})) == "{'name': 'bad.jpg', 'size': 3}"


def test_a_long_value_is_cut_where_it_gets_long() -> None:
    lines = describe([{"number": number, "text": "x" * 60} for number in range(100)]).splitlines()
    assert lines[0] == "list:"
    assert lines[-1] == "... 80 more lines"
    assert max(map(len, describe("x" * 10_000).splitlines())) < 250


def test_a_pickle_is_not_opened_only_to_look_at_it() -> None:
    shown = preview(letter(slice(1, 2), allow_pickle=True))
    assert "not shown" in shown
    assert "allow_pickle" in shown
