"""Runs in the agent: what workers here leave for people goes to the first host. (See ``hosts.baggage``.)

A dead letter lies on this disk before its item leaves its link, and stays until it lies on the first host's.
So where the network was away, or an agent was killed, the next that joins the same pipeline from here brings
what is left, whatever this host was called then.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from penstock.message import letter
from penstock.runtime import hostwire
from penstock.runtime.hosts.haul import Giving, Taking, checked

MOST = 1000
"""Letters that are offered at a time."""


class Porter:
    """Of one stay."""

    def __init__(self, run_dir: str, state_dir: str, say: Callable[[msgspec.Struct], None]) -> None:
        """``state_dir``: ``<state>/hosts/<host>``. Nothing is offered before ``look``."""
        self._run_dir = run_dir
        self._state = Path(state_dir)
        self._dead = self._state / "dead"
        self._say = say
        self._giving = Giving(say)
        self._taking = Taking(say, place=self._place, done=self._arrived)
        self._offered: dict[str, Path] = {}
        self._lent: set[str] = set()
        self._seen = 0
        for path in letter.list_requeued(self._dead):  # the first host has them still, and asks again
            path.unlink(missing_ok=True)
        self._left = list(self._state.parent.glob("*/dead"))

    def look(self) -> None:
        """Offer what is new; the first time, what earlier stays have left, too."""
        while self._left:
            self._offer_letters(self._left.pop())
        with suppress(OSError):
            changed = os.stat(self._dead).st_mtime_ns
            if changed != self._seen:
                self._seen = changed
                self._offer_letters(self._dead)
                self._tell_over()
        for name in os.listdir(self._run_dir):
            if name.endswith(".tap"):
                self._offer(f"tap/{name}", Path(self._run_dir, name))

    def take(self, said: Any) -> None:
        """What the supervisor says of files.

        Raises:
            PeerError: that cannot be.
        """
        match said:
            case hostwire.Have(path):
                self._taking.fetch(path)
            case hostwire.Load():
                self._taking.take(said)
            case hostwire.Give(path, at):
                if at == 0:
                    self._open(checked(path))
                self._giving.give(said)
            case hostwire.Got(path):
                self._forget(checked(path))

    @property
    def left(self) -> int:
        """Letters that the first host has not said it has."""
        return sum(path.startswith("dead/") for path in self._offered)

    def close(self) -> None:
        """The stay is over, and so are the workers here."""
        self._giving.close()
        self._taking.close()
        for path in self._lent:
            self._here(path).unlink(missing_ok=True)

    # What goes --------------------------------------------------------------------------------------------

    def _offer_letters(self, folder: Path) -> None:
        for path in letter.list_letters(folder):
            if len(self._offered) < MOST:
                self._offer(f"dead/{path.name}", path)

    def _offer(self, name: str, path: Path) -> None:
        if name not in self._offered:
            self._offered[name] = path
            self._say(hostwire.Have(name))

    def _open(self, name: str) -> None:
        """A letter is locked as long as it is out: two agents may have found what a third has left."""
        path = self._here(name)
        with suppress(OSError):
            is_letter = name.startswith("dead/")
            fd = letter.claim(path) if is_letter else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            if fd is not None:
                self._giving.drop(name)
                self._giving.add(name, fd)

    def _forget(self, name: str) -> None:
        """It is on the disk of the first host."""
        self._here(name).unlink(missing_ok=True)
        self._giving.drop(name)
        self._offered.pop(name, None)
        if name.startswith("dead/"):
            self._seen = 0  # there may be more than could be offered

    def _here(self, name: str) -> Path:
        return self._offered.get(name) or self._state / name

    # What comes -------------------------------------------------------------------------------------------

    def _place(self, path: str) -> str:
        return str(self._here(path).with_suffix(".draft")) if path.endswith(letter.REQUEUED) else ""

    def _arrived(self, path: str, place: str) -> None:
        """The supervisor tells those who may take it, behind its last part."""
        if place:
            os.replace(place, self._here(path))
            self._lent.add(path)

    def _tell_over(self) -> None:
        """What was put back is over when it lies here no more."""
        for path in [path for path in self._lent if not self._here(path).exists()]:
            self._lent.discard(path)
            self._say(hostwire.Got(path))
