"""Where copies of an item meet again, ids say no longer which is which."""

from __future__ import annotations

from itertools import pairwise

import pytest

from penstock.pipeline.edge import Choice, Edge
from penstock.pipeline.forks import Meeting, meeting


def edges(text: str, choice: Choice | None = None) -> list[Edge]:
    """``a>b>c d>c``; of ``?`` in place of ``>`` an item takes one."""
    found = []
    for chain in text.split():
        names = chain.replace("?", ">?").split(">")
        for source, target in pairwise(names):
            chosen = choice if target.startswith("?") else None
            name, _, port = source.lstrip("?").partition(".")
            found.append(Edge(name, target.lstrip("?").partition(".")[0], port, choice=chosen))
    return found


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ("a>save", None),
        ("a>b>c>save", None),
        ("a>b>save a>c>save", None),
        ("a>c>save b>c>save", None),
        ("a>b>d>save a>c>d", Meeting("a", "d")),
        ("a>b>d>e>save a>c>d", Meeting("a", "d")),
        ("a>d>save a>c>d", Meeting("a", "d")),
        ("a>b>d>save a.rejected>c>d", Meeting("a", "d")),
        ("a?b>d>save a?c>d", None),
        ("x>a?b>d>save a?c>d x>d", Meeting("x", "d")),
        ("a>b>d>other a>c>d a>save", None),
    ],
)
def test_copies_that_meet_before_a_stage_are_found(graph: str, expected: Meeting | None) -> None:
    found = meeting(edges(graph, Choice("kind", ("b", "c"))), "save")
    assert found == expected


def test_behind_a_stage_that_numbers_anew_they_are_no_matter() -> None:
    assert meeting(edges("a>b>window>save a>c>window"), "save", {"window"}) is None
