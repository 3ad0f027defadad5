"""The workers' logs of a run on another machine, as those of a ``Logbook``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from penstock.cli.logbook import Line, Log, Logbook
from penstock.errors import NotRunning
from penstock.runtime import client
from penstock.runtime.client import Run

LOOK = 0.5
"""Seconds between two looks while following: each is a question over the network."""


class FarLog(Log):
    """One worker's file there."""

    def __init__(self, run: Run, name: str) -> None:
        super().__init__(Path(f"{name}.log"))
        self._run = run
        self._name = name
        self.size = 0
        """As we were told last."""

    def more(self, *, ended: bool = False) -> Iterator[Line]:
        """The whole lines that have come since."""
        while self._position < self.size:
            told = client.call(self._run, "log", name=self._name, at=self._position)
            if told["next"] == self._position:
                return
            self._position = told["next"]
            for text in told["text"].splitlines():
                yield Line(self.label, text)


class FarLogbook(Logbook):
    """Those of one run."""

    def __init__(self, run: Run, wanted: Iterable[str] = ()) -> None:
        """As of a ``Logbook``.

        Raises:
            NoSuchLog: one of those that are wanted has written nothing.
        """
        self._run = run
        self._logs: dict[str, FarLog] = {}
        super().__init__(Path(f"{run.pipeline} there"), wanted)

    def there(self) -> Iterable[Log]:
        """All of them, as they are now."""
        for each in client.call(self._run, "logs")["logs"]:
            log = self._logs.setdefault(each["name"], FarLog(self._run, each["name"]))
            log.size = each["size"]
        return self._logs.values()

    def runs(self) -> bool:
        """Whether the run answers still. (Its last words are in its files.)"""
        try:
            client.call(self._run, "logs")
        except NotRunning:
            return False
        return True
