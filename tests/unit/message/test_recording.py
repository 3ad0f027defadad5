"""A folder of segments as a mapping of links to items, and whether it has all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from penstock import Recording, UserError
from penstock.message import recording, segment
from penstock.message.chunk import VERSION, About
from penstock.message.codec import Encoder
from penstock.message.recording import LinkFacts, Manifest
from penstock.message.segment import Writer

LINKS = [LinkFacts(0, "src→work", "src", "work"), LinkFacts(1, "work→out", "work", "out")]
MANIFEST = Manifest("demo", "demo-1", 100.0, LINKS, ended=200.0)


def writer(folder: Path, link: int, number: int) -> Writer:
    about = About(VERSION, "demo-1", link, "src/0", number, 0)
    return Writer(f"{folder}/{link}.{number}{segment.SUFFIX}", about)


def add(to: Writer, at: int, first: int, *values: Any) -> None:
    payloads = [Encoder(None, allow_pickle=True).encode(value) for value in values]
    to.add(at * 10**9, [("src/0", first, len(values))], payloads)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    recording.write(str(tmp_path), MANIFEST)
    return tmp_path


def test_copies_are_dropped_and_workers_are_woven_together_by_time(folder: Path) -> None:
    one, other = writer(folder, 0, 1), writer(folder, 0, 4)
    add(one, 1, 0, "a", "b")
    add(other, 2, 1, "b", "c")  # a successor, which makes again what was not settled
    add(one, 3, 5, "f")
    add(other, 4, 3, "d", "e", "f")
    one.close()
    other.close()
    found = Recording(folder)
    assert list(found) == ["src→work", "work→out"] and "work->out" in found
    track = found["src->work"]
    assert [tuple(each) for each in track] == [
        ("src/0:0", 1.0, "a"), ("src/0:1", 1.0, "b"), ("src/0:2", 2.0, "c"),
        ("src/0:5", 3.0, "f"), ("src/0:3", 4.0, "d"), ("src/0:4", 4.0, "e"),
    ]  # fmt: skip
    assert len(track) == 6 and track.summary == (6, 12, 1.0, 4.0)
    assert len(found["work→out"]) == 0 and found.complete
    with pytest.raises(UserError, match="it has src→work, work→out"):
        found["src->out"]


def test_it_is_complete_when_each_writer_has_ended_it_or_was_killed(folder: Path) -> None:
    add(writer(folder, 0, 1), 1, 0, "a")
    (folder / f"0.9{segment.SUFFIX}").touch()  # killed before its first word
    assert "0.1.segment has no end" in Recording(folder).missing
    recording.write(str(folder), msgspec.structs.replace(MANIFEST, died=[1]))
    assert Recording(folder).complete
    recording.write(str(folder), msgspec.structs.replace(MANIFEST, ended=None))
    assert "not closed" in Recording(folder).missing
    recording.write(str(folder), msgspec.structs.replace(MANIFEST, failure="No space left on device"))
    assert Recording(folder).missing == "No space left on device"
    assert "not complete" in repr(Recording(folder))


def test_a_file_that_was_closed_and_is_gone_is_missed_and_so_is_what_was_damaged(folder: Path) -> None:
    for number in (1, 2):
        to = writer(folder, 0, number)
        add(to, 1, 0, "a")
        to.close()
    names = [segment.file_name(0, number) for number in (1, 2)]
    recording.write(str(folder), msgspec.structs.replace(MANIFEST, closed=names[:1], died=[2]))
    assert Recording(folder).complete
    sentences = ("is not there, or its beginning was damaged", "has no end: it was cut, or damaged")
    for name, sentence, at in zip(names, sentences, (20, -1), strict=True):
        path = folder / name
        whole = bytearray(path.read_bytes())
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 8]) + whole[at:][1:])
        assert Recording(folder).missing == f"{name} {sentence}"
        path.write_bytes(whole)
    (folder / names[0]).unlink()
    assert f"{names[0]} is not there" in Recording(folder).missing


def test_what_a_killed_worker_had_half_written_makes_it_no_less_complete(folder: Path) -> None:
    add(writer(folder, 0, 1), 1, 0, "a")
    add(to := writer(folder, 0, 2), 1, 1, "b")
    path = folder / segment.file_name(0, 2)
    size = path.stat().st_size
    add(to, 2, 2, "c" * 1000)
    path.write_bytes(path.read_bytes()[: size + 500])
    recording.write(str(folder), msgspec.structs.replace(MANIFEST, died=[1, 2]))
    found = Recording(folder)
    assert found.complete and len(found["src->work"]) == 2


def test_a_pickle_is_opened_only_where_that_was_said(folder: Path) -> None:
    to = writer(folder, 0, 1)
    add(to, 1, 0, Path("x"))
    to.close()
    with pytest.raises(Exception, match="allow_pickle"):
        list(Recording(folder)["src->work"])
    [item] = Recording(folder, allow_pickle=True)["src->work"]
    assert item.value == Path("x")


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no recording"):
        Recording(tmp_path)
    (tmp_path / "recording.json").write_text("{}")
    with pytest.raises(UserError, match="is no recording that this Penstock can read"):
        Recording(tmp_path)
    (tmp_path / "recording.json").write_text('{"schema": "penstock.recording/2"}')
    with pytest.raises(UserError, match=r"is a penstock\.recording/2; this Penstock reads"):
        Recording(tmp_path)
