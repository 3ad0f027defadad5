"""A file is one noun and fits in the head; a function fits on a screen."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
FILE_LINES = 400
FUNCTION_LINES = 50
MEDIAN_LINES = 10

LONG_FILES: dict[str, str] = {}
"""`"penstock/link/sender.py": "why it must be one file"`."""
LONG_FUNCTIONS: dict[str, str] = {}
"""`"penstock/link/sender.py:Sender.serve": "why it must be one function"`."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _name(path: Path) -> str:
    return path.relative_to(ROOT / "src").as_posix()


def _functions(node: ast.AST, inside: str = "") -> list[tuple[str, Function]]:
    found: list[tuple[str, Function]] = []
    for child in ast.iter_child_nodes(node):
        name = f"{inside}{child.name}" if isinstance(child, (ast.ClassDef, *_FUNCTIONS)) else inside
        if isinstance(child, _FUNCTIONS):
            found.append((name, child))
        found += _functions(child, f"{name}." if name != inside else inside)
    return found


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _lines(function: Function) -> int:
    """Its lines without the docstring: a long explanation is no reason to cut a function."""
    first = function.body[0]
    said = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    words = (first.end_lineno or 0) - first.lineno + 1 if said else 0
    return (function.end_lineno or 0) - function.lineno + 1 - words


@functools.cache
def _all_functions() -> dict[str, int]:
    return {
        f"{_name(path)}:{name}": _lines(function)
        for path in SOURCES
        for name, function in _functions(ast.parse(path.read_text()))
    }


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {_name(path): len(path.read_text().splitlines()) for path in SOURCES}
    long = {name: lines for name, lines in lengths.items() if lines > FILE_LINES}
    assert set(long) <= set(LONG_FILES), f"two nouns in one? {long}"


def test_no_function_is_longer_than_a_screen() -> None:
    long = {name: lines for name, lines in _all_functions().items() if lines > FUNCTION_LINES}
    assert set(long) <= set(LONG_FUNCTIONS), long


def test_half_of_all_functions_have_less_than_ten_lines() -> None:
    lengths = sorted(_all_functions().values())
    assert lengths[len(lengths) // 2] < MEDIAN_LINES


def test_exceptions_from_these_limits_are_still_needed() -> None:
    functions = _all_functions()
    for name in LONG_FUNCTIONS:
        assert functions.get(name, 0) > FUNCTION_LINES, f"{name} is short now: take it off the list"
    for name in LONG_FILES:
        lines = len((ROOT / "src" / name).read_text().splitlines())
        assert lines > FILE_LINES, f"{name} is short now: take it off the list"
