"""Rows of cells as aligned lines."""

from __future__ import annotations

from typing import Container, Sequence

import click

from penstock.cli import terminal

GAP = "   "


def table(
    rows: Sequence[Sequence[str]], header: Sequence[str] = (), *, right: Container[int] = ()
) -> list[str]:
    """Align ``rows`` in columns; cells may be coloured. Columns listed in ``right`` are numbers."""
    styled = [[terminal.dim(cell) for cell in header]] if header else []
    styled += [list(row) for row in rows]
    widths = (
        [max(_width(row[column]) for row in styled) for column in range(len(styled[0]))] if styled else []
    )
    return [_line(row, widths, right) for row in styled]


def _line(row: Sequence[str], widths: Sequence[int], right: Container[int]) -> str:
    cells = []
    for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
        padding = " " * (width - _width(cell))
        cells.append(padding + cell if column in right else cell + padding)
    return GAP.join(cells).rstrip()


def _width(cell: str) -> int:
    return len(click.unstyle(cell))
