"""What `--json` prints is JSON, whatever is in it."""

from __future__ import annotations

import json
import math

import pytest

from penstock.cli.document import document, plain


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_in_json_is_null(number: float) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    text = document("result", result={"loss": [number, (1.5, number)]}, other=number)
    assert json.loads(text, parse_constant=refuse) == {
        "schema": "penstock.result/1",
        "result": {"loss": [None, [1.5, None]]},
        "other": None,
    }
    assert plain(number) == "null"


def test_all_else_is_as_it_is() -> None:
    assert plain({"a": 1, "b": [True, None, "ü", 1e300]}) == '{"a": 1, "b": [true, null, "ü", 1e+300]}'
