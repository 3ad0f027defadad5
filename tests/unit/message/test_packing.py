"""Frames that are packed come out as they were; those that lie about their size are refused unopened."""

from __future__ import annotations

import tracemalloc

import pytest

from penstock.errors import PeerError
from penstock.message import packing

ZEROS = bytes(1 << 20)


@pytest.mark.parametrize("way", packing.WAYS)
def test_frames_come_out_as_they_went_in_and_small_ones_go_as_they_are(way: str) -> None:
    frames = [b"small", ZEROS, memoryview(b"ab" * 5000)]
    packed, sizes = packing.pack(way, frames)
    assert sizes == [0, 1 << 20, 10_000]
    assert len(packed[1]) < 10_000
    assert packing.unpack(way, sizes, packed, [way]) == [b"small", ZEROS, b"ab" * 5000]


@pytest.mark.parametrize("way", packing.WAYS)
def test_a_frame_that_becomes_more_than_it_says_is_refused_before_there_is_room_for_it(way: str) -> None:
    bomb = packing.pack(way, [bytes(1 << 27)])[0]
    small = [bomb[0][:400]]
    tracemalloc.start()
    try:
        for frames, sizes in (
            (bomb, [5000]),
            (bomb, [1 << 40]),
            (bomb, [-1]),
            (bomb, [1, 2]),
            ([*bomb, b""], [1 << 29, 1 << 30]),
            (small, [1 << 26]),
            ([b"x" * 9000], [10_000]),
        ):
            with pytest.raises(PeerError):
                packing.unpack(way, sizes, list(frames), [way])
        assert tracemalloc.get_traced_memory()[1] < 1 << 27
    finally:
        tracemalloc.stop()


def test_a_way_that_was_not_asked_for_is_refused() -> None:
    packed, sizes = packing.pack("lz4", [ZEROS])
    for way, ways in (("lz4", ["zstd"]), ("lz4", []), ("gzip", ["gzip"]), ("", ["lz4"])):
        with pytest.raises(PeerError, match="which we have not asked for"):
            packing.unpack(way, sizes, packed, ways)


def test_what_is_missing_is_said_with_the_environment_that_lacks_it() -> None:
    assert "lz4 is not installed for " in packing.lacking("lz4")
    assert "install zstandard in that environment" in packing.lacking("zstd")
    assert "lz4 and zstandard are not installed for " in packing.lacking("auto")
