"""What a job prints, while it prints it: attempt after attempt, until it is over."""

from __future__ import annotations

import codecs
import os
from typing import Iterator, Optional

from penstock.tasks.desk import Desk, Piece, Watch
from penstock.tasks.job import LIVE, JobRow

PIECE = 64 * 1024
"""Bytes that are read at a time."""
KNOWN = 1000
"""Letters by which is found again how far a log was shown."""


def follow(desk: Desk, id: str, attempt: Optional[int] = None) -> Iterator[str]:
    """Some of it, again and again. ``attempt``: that one alone, from 1."""
    number = attempt or 1
    with desk.watch() as watch:
        while (row := desk.job(id)) is not None:
            if number <= row.fence:
                yield from _attempt(desk, watch, id, number)
                number += 1
                if attempt is not None:
                    return
            elif row.state in LIVE:
                watch.wait()
            else:
                return


def _attempt(desk: Desk, watch: Watch, id: str, number: int) -> Iterator[str]:
    decoder, seen, begin = codecs.getincrementaldecoder("utf-8")("replace"), "", 0
    while (piece := desk.piece(id, number, begin)) is not None:
        begin = piece.end
        if text := decoder.decode(piece.text):
            seen = (seen + text)[-KNOWN:]
            yield text
        if not piece.more and not piece.text:
            return
    while _goes_on(desk.job(id), number):
        watch.wait()
    if text := unseen(seen, desk.logs(id, number)):
        yield text


def _goes_on(row: Optional[JobRow], number: int) -> bool:
    return row is not None and row.fence == number and row.state == "running"


def unseen(seen: str, end: str) -> str:
    """What of the ``end`` of a log comes behind that which was ``seen`` last; all, if that is not in it."""
    at = end.rfind(seen) if seen else -1
    return end if at < 0 else end[at + len(seen) :]


def read_piece(path: str, begin: int, *, goes_on: bool) -> Optional[Piece]:
    """Of a file on this machine; less than nothing: its end. One that is not there yet is empty."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(begin if begin >= 0 else max(0, size - PIECE))
            text = file.read(PIECE)
            return Piece(text, file.tell(), goes_on)
    except OSError:
        return Piece(b"", max(0, begin), goes_on) if goes_on else None
