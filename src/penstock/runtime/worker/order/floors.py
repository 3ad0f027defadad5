"""In the worker of a stage that takes its items in order: up to where all is settled, for who comes after it.

    <run>/<stage>.order     msgpack: {root: path}

Nothing before a floor comes again after a death, and all behind it does. It is written before that is true:
what is settled too late comes once more, and is known by its place. Within the run directory, which the run
takes with it.
"""

from __future__ import annotations

import os
from typing import Dict, List, Tuple

import msgspec

from penstock.errors import EnvironmentFault

Path = Tuple[int, ...]

ATOMIC = 4000
"""Bytes that one ``write`` to memory puts down whole, whatever kills the writer."""

_decoder = msgspec.msgpack.Decoder(Dict[str, List[int]])


class Floors:
    """The file of one stage; it has one worker at a time."""

    def __init__(self, run_dir: str, stage: str) -> None:
        """Read what whoever was here before has noted.

        Raises:
            EnvironmentFault: it was damaged.
        """
        self._path = os.path.join(run_dir, f"{stage}.order")
        self.known: Dict[str, Path] = {root: tuple(path) for root, path in self._read().items()}
        self._written: Dict[str, Path] = dict(self.known)
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def note(self, floors: Dict[str, Path]) -> None:
        """These are the floors now; of other roots they stand where they stood."""
        self._written.update(floors)
        data = msgspec.msgpack.encode(self._written)
        data = len(data).to_bytes(4, "little") + data
        if len(data) <= ATOMIC:
            os.pwrite(self._fd, data, 0)
            return
        os.close(self._fd)
        draft = f"{self._path}.part"
        self._fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.write(self._fd, data)
        os.replace(draft, self._path)

    def _read(self) -> Dict[str, List[int]]:
        try:
            with open(self._path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return {}
        size = int.from_bytes(data[:4], "little")
        try:
            return _decoder.decode(data[4 : 4 + size]) if size else {}
        except ValueError as error:
            raise EnvironmentFault(f"the floors in {self._path} were damaged: {error}") from None
