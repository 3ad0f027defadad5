"""What was written is read; and of what was cut or damaged, only what is whole and true."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import PeerError
from penstock.message import chunk
from penstock.message.arena import Arena
from penstock.message.chunk import About, Over, Sent
from penstock.message.codec import Decoder, Encoder
from penstock.message.segment import Segment, Writer

ABOUT = About(chunk.VERSION, "demo-1", 3, "work/0", 7, 1_000)
BATCHES: list[list[Any]] = [["one"], [2, 3.5, None], [{"four": [5, "x" * 300]}]]


def write(path: Path, batches: Sequence[Sequence[Any]] = BATCHES) -> Writer:
    writer = Writer(str(path), ABOUT)
    first = 0
    for at, values in enumerate(batches):
        payloads = [Encoder(None).encode(value) for value in values]
        writer.add(at, [("src/0", first, len(values))], payloads)
        first += len(values)
    return writer


def values(found: Segment) -> list[Any]:
    return [entry.value(Decoder()) for chunk in found.chunks() for entry in chunk.entries()]


def test_what_was_written_is_read_with_ids_and_times(tmp_path: Path) -> None:
    write(tmp_path / "a").close()
    found = Segment(str(tmp_path / "a"))
    entries = [entry for chunk in found.chunks() for entry in chunk.entries()]
    assert found.about == ABOUT
    assert found.end == Over(5)
    assert [entry.id for entry in entries] == [f"src/0:{number}" for number in range(5)]
    assert [entry.at for entry in entries] == [0, 1, 1, 1, 2]
    assert [entry.value(Decoder()) for entry in entries] == [each for batch in BATCHES for each in batch]
    assert all(entry.plain for entry in entries)


def test_a_file_that_is_cut_anywhere_has_all_that_was_whole_and_no_end(tmp_path: Path) -> None:
    write(tmp_path / "whole").close()
    data = (tmp_path / "whole").read_bytes()
    whole = [each for batch in BATCHES for each in batch]
    before = 0
    for length in range(len(data)):
        (tmp_path / "cut").write_bytes(data[:length])
        found = Segment(str(tmp_path / "cut"))
        read = values(found)
        assert read == whole[: len(read)] and len(read) >= before and found.end is None
        before = len(read)
    assert before == len(whole)


@given(data=st.data())
def test_a_byte_that_was_damaged_is_never_read(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    path = tmp_path_factory.mktemp("segment") / "a"
    write(path).close()
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        found = Segment(str(path))
    except PeerError:
        return
    read, whole = values(found), [each for batch in BATCHES for each in batch]
    assert read == whole[: len(read)]
    assert len(read) < len(whole) or found.end is None or found.about is None


def test_arrays_lie_in_the_file_aligned_and_read_only(tmp_path: Path) -> None:
    arena = Arena(str(tmp_path / "arena"), 1 << 22)
    encoder = Encoder(arena)
    frame = np.arange(20_001, dtype="f8")
    payload = encoder.encode({"a": frame, "again": [frame[:10], "x"], "blob": b"z" * (1 << 20)})
    slots, _ = encoder.taken()
    writer = Writer(str(tmp_path / "a"), ABOUT)
    parts = [
        (0, each.offset, each.generation, memoryview(arena.map)[each.offset :][: each.size]) for each in slots
    ]
    writer.add(1, [("src/0", 0, 2)], [Encoder(None).encode("plain"), payload], [[], parts])
    writer.add(2, [("src/0", 2, 1)], [payload], [parts])
    writer.close()
    arena.close()
    first, second, third = (
        entry for chunk in Segment(str(tmp_path / "a")).chunks() for entry in chunk.entries()
    )
    assert first.plain and first.value(Decoder()) == "plain"
    assert not second.plain and second.nbytes > frame.nbytes + (1 << 20)
    for each in (second, third):
        got = each.value(Decoder())
        assert np.array_equal(got["a"], frame) and not got["a"].flags.writeable and got["a"].flags.aligned
        assert got["blob"] == b"z" * (1 << 20)


def test_frames_beside_a_payload_are_read_too(tmp_path: Path) -> None:
    encoder = Encoder(Arena(str(tmp_path / "none"), 0))
    payload = encoder.encode([np.ones(10_000), np.zeros(9_000)])
    writer = Writer(str(tmp_path / "a"), ABOUT)
    writer.add(1, [("src/0", 0, 1)], [payload], frames=encoder.taken()[1])
    writer.close()
    ones, zeros = values(Segment(str(tmp_path / "a")))[0]
    assert ones.sum() == 10_000 and zeros.shape == (9_000,)
    data = bytearray((tmp_path / "a").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "b").write_bytes(data)
    with pytest.raises(PeerError, match="damaged"):
        values(Segment(str(tmp_path / "b")))


def test_where_there_is_no_room_the_file_is_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = write(tmp_path / "a")
    real = os.writev

    def half(fd: int, parts: Any) -> int:
        """The first time half of it; then nothing more."""
        monkeypatch.setattr(os, "writev", full)
        return os.write(fd, b"".join(parts)[:20])

    def full(fd: int, parts: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "writev", half)
    with pytest.raises(OSError, match="No space"):
        writer.add(9, [("src/0", 9, 1)], [b"\xc0"])
    monkeypatch.setattr(os, "writev", real)
    writer.close("No space left on device")
    found = Segment(str(tmp_path / "a"))
    assert len(values(found)) == 5
    assert found.end == Over(5, "No space left on device")


def test_what_is_no_part_of_a_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"something else")
    with pytest.raises(PeerError, match="no part of a recording"):
        Segment(str(tmp_path / "a"))
    Writer(str(tmp_path / "b"), About(99, "", 0, "", 0, 0)).close()
    with pytest.raises(PeerError, match="version 99"):
        Segment(str(tmp_path / "b"))


@pytest.mark.parametrize(
    "told",
    [
        Sent(0, [("src/0", 0, 1 << 62)], [1], [], [], 0),
        Sent(0, [("src/0", 0, 3), ("src/0", 9, -2)], [1], [], [], 0),
        Sent(0, [("src/0", 0, 1)], [-1], [], [], 0),
        Sent(0, [("src/0", 0, 1)], [1 << 40], [], [], 0),
        Sent(0, [("src/0", 0, 2)], [9, -8], [], [], 0),
        Sent(0, [("src/0", 0, 1)], [1], [[(0, 0, 0, 1 << 40)]], [], 0),
        Sent(0, [("src/0", 0, 1)], [1], [[(0, 0, 0, -1)]], [], 0),
        Sent(0, [("src/0", 0, 1)], [1], [[], []], [], 0),
        Sent(0, [("src/0", 0, 1)], [1], [], [-64], 0),
    ],
)
def test_where_a_batch_says_what_is_not_there_the_file_ends(tmp_path: Path, told: Sent) -> None:
    writer = write(tmp_path / "a")
    writer._chunk(told, b"\xc0", [])
    writer.close()
    found = Segment(str(tmp_path / "a"))
    assert len(values(found)) == 5
    assert found.end is None
