from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from penstock.errors import UserError
from penstock.pipeline.secret import Secret, revealed


def test_secrets_are_found_however_deep_they_lie(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("two\nlines\r\n")
    told = {"a": [Secret(env="A")], "b": {"c": Secret(file=str(tmp_path / "key"))}, "d": 1}
    assert revealed(told, {"A": "x"}) == {"a": ["x"], "b": {"c": "two\nlines"}, "d": 1}


def test_what_is_missing_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(b"\xff")
    told = [Secret(env="A", where="f:1"), Secret(file=str(tmp_path / "raw"), where="f:2")]
    with pytest.raises(UserError) as caught:
        revealed(told, {})
    assert str(caught.value).splitlines() == [
        "f:1: the variable A is not set; set it before the start",
        f"f:2: {tmp_path}/raw is not text in UTF-8",
    ]


def test_a_plan_that_is_written_out_has_the_reference_only() -> None:
    assert msgspec.to_builtins({"key": Secret(env="A", where="f:1")}) == {"key": {"env": "A", "where": "f:1"}}
