from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from penstock.config.lines import lines

EVERYTHING = '''\
# a comment with = and [brackets]
schema = 1
title = "a # that is no comment"  # one that is
"quoted key" = 'x = 1'
dotted . "deep er".key = 2024-01-01 10:00:00
long = """
not = "a key"
[nor.this]
\\""" still = 1
"""
raw = \'\'\'
neither = 1
\'\'\'

[ stages . detect ]   # a header
replicas = 2
variables = { A = "}", B = { env = "X" } }
sizes = [
  1, 2,  # and = so
  "]", { inner = 3 },
]
empty = {}
none = []

[[array]]
first = true
[[array]]
first = -1.5e3
'''


def test_every_key_is_found_in_its_line() -> None:
    found = lines(EVERYTHING)
    text = EVERYTHING.splitlines()
    for key, start in {
        ("schema",): "schema",
        ("title",): "title",
        ("quoted key",): '"quoted key"',
        ("dotted", "deep er", "key"): "dotted",
        ("long",): "long",
        ("raw",): "raw",
        ("stages", "detect"): "[ stages",
        ("stages", "detect", "replicas"): "replicas",
        ("stages", "detect", "variables", "B", "env"): "variables",
        ("stages", "detect", "sizes"): "sizes",
        ("stages", "detect", "none"): "none",
        ("array",): "[[array]]",
    }.items():
        assert text[found[key] - 1].startswith(start), key
    assert not [key for key in found if {"not", "nor", "still", "neither"} & {*key}]


def test_line_ends_of_windows_count_once() -> None:
    assert lines("a = 1\r\n\r\nb = '''x\r\ny'''\r\nc = 3\r\n") == {("a",): 1, ("b",): 3, ("c",): 5}


def test_of_a_text_without_keys_nothing_is_found() -> None:
    assert lines("") == lines("# only this") == lines("\n\n") == {}


def quoted(text: str) -> str:
    """A basic string of TOML."""
    escaped = "".join(f"\\U{ord(each):08x}" if each in '"\\' or ord(each) < 32 else each for each in text)
    return f'"{escaped}"'


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6)
values = st.recursive(
    st.booleans().map(lambda flag: str(flag).lower())
    | st.integers(-99, 99).map(str)
    | words.map(quoted)
    | words.filter(lambda text: '"""' not in text).map(lambda text: f"'''\n{text.replace(chr(39), '')}\n'''"),
    lambda inner: st.lists(inner, max_size=3).map(lambda parts: "[\n" + ",  # x = 1\n".join(parts) + "\n]"),
    max_leaves=4,
)


@given(st.dictionaries(words, st.dictionaries(words, values, max_size=4), max_size=4))
def test_whatever_is_written_all_that_tomllib_reads_has_its_line(tables: dict[str, dict[str, str]]) -> None:
    written = ""
    expected: dict[tuple[str, ...], int] = {}
    for table, pairs in tables.items():
        expected[table,] = written.count("\n") + 1
        written += f"[{quoted(table)}]\n"
        for key, value in pairs.items():
            expected[table, key] = written.count("\n") + 1
            written += f"{quoted(key)} = {value}\n\n"
    read: dict[str, Any] = tomllib.loads(written)
    assert {(table, *key) for table, pairs in read.items() for key in [(), *((key,) for key in pairs)]} == {
        *expected
    }
    assert lines(written) == expected
