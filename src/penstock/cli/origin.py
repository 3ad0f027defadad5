"""Where dead letters came from: the pipeline of a state directory, as it runs now or ran the last time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.errors import NotRunning, UserError
from penstock.runtime import client

if TYPE_CHECKING:
    from penstock.cli.casualty import Casualty


class Origin(NamedTuple):
    """A pipeline, as far as it is known."""

    pipeline: str
    """Its name; empty: nobody has written it down."""
    links: tuple[str, ...]
    run: client.Run | None
    """None: it does not run."""

    def refuse_strangers(self, letters: Iterable[Casualty]) -> None:
        """See that all can go back to where they came from.

        Raises:
            UserError: some cannot; a sentence for each reason, and none has been touched.
        """
        if not self.pipeline:
            return
        reasons = Counter(reason for letter in letters if (reason := self._refusal(letter)))
        if reasons:
            sentences = (f"{_several(count)} {reason}" for reason, count in reasons.items())
            raise UserError("; ".join(sentences) + ". None was put back")

    def _refusal(self, letter: Casualty) -> str:
        if letter.pipeline != self.pipeline:
            return f"of the pipeline {letter.pipeline!r}, and here is {self.pipeline!r}"
        if letter.link not in self.links:
            return f"came by {letter.link}, and {self.pipeline} has no such link any more"
        return ""

    def put_back(self, links: Sequence[str]) -> list[str]:
        """Tell the pipeline that letters of these links were; the links by which they go at once."""
        if self.run is None:
            return []
        try:
            told: list[str] = client.call(self.run, "requeue", links=list(links))["now"]
        except NotRunning:
            return []  # it has just ended; the next run looks for them when it begins
        return told


def find(state: Path) -> Origin:
    """The pipeline that keeps its state there."""
    run = next((run for run in client.runs() if Path(run.state_dir) == state.resolve()), None)
    try:
        account = client.call(run, "ledger") if run is not None else _last(state)
    except NotRunning:
        run, account = None, _last(state)
    return Origin(account.get("pipeline", ""), tuple(row["link"] for row in account.get("links", ())), run)


def _last(state: Path) -> dict[str, Any]:
    """How its last run ended; empty where that was not written down."""
    try:
        found: dict[str, Any] = json.loads((state / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _several(count: int) -> str:
    return f"{count} dead letter{'' if count == 1 else 's'}"
