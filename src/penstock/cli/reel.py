"""A recording as people and programs are shown it."""

from __future__ import annotations

from typing import Any

from penstock.cli import terminal
from penstock.cli.document import document
from penstock.cli.figures import duration, number, size
from penstock.cli.table import table
from penstock.message.recording import Recording, Track
from penstock.pipeline.place import near

HEADER = ("LINK", "ITEMS", "DATA", "FROM", "LASTS")


def show(path: str, *, as_json: bool) -> int:
    """Say what is in it; the exit code, 1 where it is not complete.

    Raises:
        UserError: there is no recording.
    """
    recording = Recording(path)
    if as_json:
        terminal.data(document("recording", **facts(recording)))
    else:
        for line in table([_row(track) for track in recording.tracks], HEADER, right=(1, 2)):
            terminal.data(line)
        warn(recording)
    return 0 if recording.complete else 1


def warn(recording: Recording) -> None:
    """Say that it is not complete, if it is not."""
    if not recording.complete:
        terminal.talk(terminal.bad(f"{near(recording.path)} is not complete: {recording.missing}"))


def facts(recording: Recording) -> dict[str, Any]:
    """As a document has them."""
    return {
        "recording": recording.path,
        "pipeline": recording.pipeline,
        "began": recording.began,
        "ended": recording.ended,
        "complete": recording.complete,
        "missing": recording.missing,
        "links": [_facts(track) for track in recording.tracks],
    }


def _facts(track: Track) -> dict[str, Any]:
    seen = track.summary
    return {
        "link": track.label,
        "source": track.source,
        "target": track.target,
        "items": seen.items,
        "bytes": seen.nbytes,
        "first": seen.first,
        "last": seen.last,
    }


def _row(track: Track) -> list[str]:
    seen = track.summary
    if seen.first is None or seen.last is None:
        return [track.label, "0", "", "", ""]
    return [
        track.label,
        number(seen.items),
        size(seen.nbytes),
        _clock(seen.first),
        duration(seen.last - seen.first),
    ]


def _clock(when: float) -> str:
    import time

    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))
