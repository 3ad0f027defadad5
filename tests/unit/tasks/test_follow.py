"""A log that is followed is shown once, whatever of it is still there."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from penstock.tasks.follow import KNOWN, PIECE, read_piece, unseen


@given(st.text("ab\n", max_size=200), st.text("cd", max_size=20), st.integers(0, 300))
def test_what_was_seen_is_not_shown_again(seen: str, rest: str, cut: int) -> None:
    end = (seen + rest)[-max(1, len(rest) + cut) :]
    known = seen[-min(KNOWN, cut) :] if cut else ""
    assert unseen(known, end) == (rest if known and known in end else end)


def test_of_what_was_cut_off_the_end_is_shown() -> None:
    assert unseen("not there", "the end") == "the end"
    assert unseen("", "all of it") == "all of it"


def test_a_file_is_read_piece_by_piece_and_a_missing_one_is_empty_while_its_attempt_goes_on(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log"
    assert read_piece(str(path), 0, goes_on=False) is None
    assert read_piece(str(path), 3, goes_on=True) == (b"", 3, True)
    path.write_bytes(b"x" * PIECE + b"yz")
    assert read_piece(str(path), 0, goes_on=True) == (b"x" * PIECE, PIECE, True)
    assert read_piece(str(path), PIECE, goes_on=False) == (b"yz", PIECE + 2, False)
    assert read_piece(str(path), PIECE + 2, goes_on=False) == (b"", PIECE + 2, False)
    end = read_piece(str(path), -1, goes_on=True)
    assert end is not None
    assert (len(end.text), end.end) == (PIECE, PIECE + 2)
