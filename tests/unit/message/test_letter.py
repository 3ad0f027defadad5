"""A dead letter is there, whole, or it is not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from penstock.errors import PeerError, PenstockError
from penstock.message import letter
from penstock.message.codec import Encoder, join
from penstock.message.letter import Letter
from tests.unit.message.values import anything, words


def of(value: Any, id: str = "src/0:1", *, allow_pickle: bool = False) -> Letter:
    payload = join([Encoder(None, allow_pickle=allow_pickle).encode(value)])
    return Letter(id, "demo", "wörk", "src→wörk", 4, 3, "ValueError: no", "Traceback …", 1.5, payload)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(anything)
def test_a_letter_keeps_everything(tmp_path: Path, value: Any) -> None:
    written = of(value)
    path = letter.write(tmp_path, written)
    read = letter.read(path)
    assert read == written
    assert words(read.value()) == words(value)
    path.unlink()


def test_a_letter_keeps_large_arrays_without_any_arena(tmp_path: Path) -> None:
    array = np.arange(1_000_000)
    read = letter.read(letter.write(tmp_path, of({"a": array})))
    assert np.array_equal(read.value()["a"], array)


def test_a_pickle_in_a_letter_is_read_only_when_asked_for(tmp_path: Path) -> None:
    read = letter.read(letter.write(tmp_path, of({1, Path}, allow_pickle=True)))
    with pytest.raises(PeerError, match="allow_pickle=True"):
        read.value()
    assert read.value(allow_pickle=True) == {1, Path}


def test_letters_are_listed_oldest_first_and_found_by_item_or_file(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "dead"
    assert letter.list_letters(folder) == []
    paths = [letter.write(folder, of(number, f"src/0:{number}")) for number in range(5)]
    again = letter.write(folder, of(3, "src/0:3"))
    assert letter.list_letters(folder) == [*paths, again]
    assert letter.find(folder, "src/0:3") == again, "the newest"
    assert letter.find(folder, paths[2].name) == paths[2]
    assert letter.find(folder, "src/0:77") is None


@pytest.mark.parametrize("step", ["fsync", "rename", "open"])
def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open" if step == "open" else f"os.{step}", full)
        with pytest.raises(OSError, match="No space"):
            letter.write(tmp_path, of(1))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80", b"\x91\x01"])
def test_another_file_is_no_letter(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.letter"
    path.write_bytes(content)
    with pytest.raises(PenstockError, match="is no dead letter"):
        letter.read(path)


def test_a_stage_of_any_name_gives_a_file_of_one(tmp_path: Path) -> None:
    written = of(1)
    path = letter.write(tmp_path, Letter(**{**_fields(written), "stage": "../../a b/c"}))
    assert path.parent == tmp_path
    assert path.exists()


def _fields(letter: Letter) -> dict[str, Any]:
    return {name: getattr(letter, name) for name in letter.__struct_fields__}
