"""Runs in the supervisor: the folder of one recording, until every worker has closed its part of it.

The workers write into it (see ``recorder``); here is who was asked to, who has said that it is through, and
who died. Whether a recording is complete is known only when all have, and only then it says so.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable

import msgspec

from penstock.errors import UserError
from penstock.message import recording, segment
from penstock.message.recording import Manifest


class Archive:
    """A recording that is being made."""

    def __init__(self, path: str, manifest: Manifest) -> None:
        """Make the folder.

        Raises:
            UserError: something is there already, or it cannot be written.
        """
        self.path = path
        self.failure = ""
        """Why it has ended before it should."""
        self.over = asyncio.Event()
        """All is closed."""
        self._manifest = manifest
        self._links = {each.id for each in manifest.links}
        self._open: set[tuple[int, int]] = set()
        self._died: set[int] = set()
        self._closed: list[str] = []
        self._stopping = False
        try:
            os.makedirs(path, exist_ok=True)
            if os.listdir(path):
                raise UserError(f"{path} is not empty; a recording has a folder of its own, so name another")
            recording.write(path, manifest)
        except OSError as error:
            raise UserError(f"nothing can be recorded in {path}: {error.strerror}") from None

    def expect(self, number: int, feeds: Iterable[int]) -> list[int]:
        """Of the links that a worker feeds, those that it is to record."""
        mine = [] if self._stopping else [link for link in feeds if link in self._links]
        self._open |= {(number, link) for link in mine}
        return mine

    def stop(self, *, at_end: bool) -> set[int]:
        """Who has to be told to close; the second time nobody. ``at_end``: the run is over."""
        if self._stopping:
            return set()
        self._stopping = True
        self._manifest = msgspec.structs.replace(self._manifest, to_end=at_end)
        return {number for number, _ in self._open}

    def closed(self, number: int, link: int, failure: str) -> None:
        """A worker has closed its part of a link; ``failure``: because it had to."""
        self._open.discard((number, link))
        self.failure = self.failure or failure
        if not failure:
            self._closed.append(segment.file_name(link, number))

    def open(self, number: int) -> list[int]:
        """The links of which a worker has not closed its part."""
        return [link for each, link in self._open if each == number]

    def gone(self, number: int, link: int) -> None:
        """A worker has ended, and not closed that: it was killed with it. What it had sent is there."""
        self._open.discard((number, link))
        self._died.add(number)

    def finish(self) -> bool:
        """Write how it ended, if it has; whether it has."""
        if self._open or not self._stopping:
            return False
        try:
            recording.write(
                self.path,
                msgspec.structs.replace(
                    self._manifest,
                    ended=time.time(),
                    failure=self.failure,
                    died=sorted(self._died),
                    closed=sorted(self._closed),
                ),
            )
        except OSError as error:  # who reads it finds no end
            self.failure = self.failure or error.strerror or str(error)
        self.over.set()
        return True
