from __future__ import annotations

import click

from penstock.cli.table import table


def test_columns_line_up_also_where_cells_are_coloured() -> None:
    lines = table([["a", click.style("ok", fg="green"), "1"], ["long name", "no", "22"]], right=[2])
    assert [click.unstyle(line) for line in lines] == ["a           ok    1", "long name   no   22"]


def test_a_header_counts_for_the_width() -> None:
    lines = table([["a", "b"]], header=["STAGE", "X"])
    assert [click.unstyle(line) for line in lines] == ["STAGE   X", "a       b"]


def test_nothing_is_no_lines() -> None:
    assert table([]) == []


def test_no_line_ends_in_blanks() -> None:
    assert table([["a", ""], ["b", "c"]])[0] == "a"
