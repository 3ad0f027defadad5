"""The dead letters of a run on another machine: as those of a ``Morgue``, each step asked for there."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from penstock.cli import casualty
from penstock.cli.casualty import Casualty
from penstock.cli.origin import Origin
from penstock.message import letter
from penstock.runtime import client

if TYPE_CHECKING:
    from penstock.cli.sieve import Sieve
    from penstock.message.letter import Letter
    from penstock.runtime.client import Run
    from penstock.tasks.job import Attempt, JobRow


class FarMorgue:
    """Of one run; there are no jobs in it."""

    def __init__(self, run: Run) -> None:
        """``run``: one that is asked from here."""
        self._run = run
        assert run.trunk is not None
        self.store = run.trunk.endpoint

    def newest(self, sieve: Sieve, limit: int, *, dead: bool = False) -> tuple[list[Casualty], bool]:
        """As that of a ``Morgue``."""
        told = client.call(self._run, "dead")
        items = [casualty.of_letter(_filed(each)) for each in told["letters"]]
        if not dead:
            items += [casualty.of_letter(_filed(each))._replace(requeued=True) for each in told["requeued"]]
        wanted = filter(sieve.takes, sorted(items, key=lambda each: -each.when))
        found = list(islice(wanted, limit or None))
        return found[::-1], next(wanted, None) is not None

    def letter(self, of: Casualty) -> Letter:
        """The letter of an item.

        Raises:
            UserError: it is gone, or too large to be sent.
        """
        data = base64.b64decode(client.call(self._run, "letter", name=of.name)["data"])
        return letter.parse(data, of.name)

    def call(self, of: Casualty) -> tuple[JobRow, list[Attempt], bytes]:
        """There are no jobs."""
        raise AssertionError(of)

    def refuse_strangers(self, found: Sequence[Casualty]) -> None:
        """As that of a ``Morgue``."""
        account = client.call(self._run, "ledger")
        links = tuple(row["link"] for row in account["links"])
        Origin(account["pipeline"], links, self._run).refuse_strangers(found)

    def put_back(self, found: Sequence[Casualty]) -> tuple[list[Casualty], set[str]]:
        """As that of a ``Morgue``."""
        told = client.call(self._run, "put_back", names=[each.name for each in found])
        moved = [each._replace(requeued=True) for each in found if each.name in told["moved"]]
        return moved, {each.name for each in moved if each.link in told["now"]}

    def discard(self, found: Sequence[Casualty]) -> None:
        """Delete them."""
        client.call(self._run, "discard", names=[each.name for each in found])

    def __str__(self) -> str:
        return f"{self._run.pipeline} at {self.store}"


def _filed(row: dict[str, Any]) -> Any:
    from penstock.tasks.letters import Filed

    return Filed(**row)
