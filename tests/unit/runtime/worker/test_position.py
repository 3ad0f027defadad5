"""The file of a position: whole, of the right run, or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import EnvironmentFault, UserError
from penstock.pipeline.reference import Reference
from penstock.runtime.control import VERSION, Assignment
from penstock.runtime.hosts.positions import Positions, kept
from penstock.runtime.worker.source.position import FarPosition, PositionFile, decode, encode
from penstock.runtime.worker.source.progress import Mark

MARK = Mark(encode({"page": 3}), 17, {"rejected": 2}, "lines/0+1")
PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


Make = Callable[[Path, str], PositionFile]


def file(directory: Path, run: str) -> PositionFile:
    return PositionFile(str(directory), "lines", 0, run=run)


def far(directory: Path, run: str) -> PositionFile:
    """What a source on another host has, and the supervisor that hears it."""
    assignment = Assignment(
        VERSION, run, "p", "lines", "source", 0, 1, 1, Reference("", "a", "b"), [], [], "", str(directory)
    )
    first: Any = SimpleNamespace(state_dir=SimpleNamespace(path=str(directory)), report=None)
    worker: Any = SimpleNamespace(stage="lines", replica=0)
    positions = Positions(first)
    there = msgspec.structs.replace(assignment, host="h2", state_dir="/there", position=kept(assignment))
    return FarPosition(there, lambda said: positions.heard(worker, said.data))


NEAR_AND_FAR = pytest.mark.parametrize("make", [file, far])


@NEAR_AND_FAR
def test_the_same_run_finds_what_it_wrote(tmp_path: Path, make: Make) -> None:
    first = make(tmp_path, "a")
    first.clear()
    first.write(MARK)
    assert file(tmp_path, "a").read(also_of_others=False) == MARK
    assert make(tmp_path, "a").read(also_of_others=False) == MARK
    assert [path.name for path in (tmp_path / "positions").iterdir()] == ["lines.0"]


@NEAR_AND_FAR
def test_another_run_finds_it_only_when_it_resumes(tmp_path: Path, make: Make) -> None:
    first = make(tmp_path, "a")
    first.clear()
    first.write(MARK)
    assert make(tmp_path, "b").read(also_of_others=False) is None
    assert make(tmp_path, "b").read(also_of_others=True) == MARK


@NEAR_AND_FAR
def test_a_run_that_begins_anew_leaves_nothing_to_resume_beyond_what_it_has_made(
    tmp_path: Path, make: Make
) -> None:
    first = make(tmp_path, "a")
    first.clear()
    first.write(MARK)
    make(tmp_path, "b").clear()
    assert make(tmp_path, "c").read(also_of_others=True) is None


@pytest.mark.parametrize("damage", [b"", b"\x00" * 8, b"\xc1", b"\x81", Mark(b"\xc1", 17, {})])
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, damage: bytes | Mark) -> None:
    first = file(tmp_path, "a")
    first.clear()
    if isinstance(damage, Mark):  # the file is sound, and what it keeps is not
        first.write(damage)
    else:
        Path(first.path).write_bytes(damage)
    with pytest.raises(
        EnvironmentFault, match=r"positions/lines\.0 cannot be read .*remove it to begin anew"
    ):
        first.read(also_of_others=True)


@given(PLAIN)
def test_a_position_is_any_plain_value(value: Any) -> None:
    assert decode(encode(value)) == value


@pytest.mark.parametrize("value", [object(), 2**70, {1j}])
def test_what_is_no_plain_value_is_refused(value: Any) -> None:
    with pytest.raises(UserError, match=r"at\(.*, \.\.\.\): a position is plain data"):
        encode(value)
