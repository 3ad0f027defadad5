"""Where everything lies that could not be done: the dead letters of pipelines, and dead jobs.

Both are in the store of the app. Letters that workers have written since somebody looked last lie in files,
and are taken into the store before it is asked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.cli import appfile, casualty, jobstore, origin, statedir
from penstock.cli.casualty import Casualty
from penstock.cli.options import refuse_state
from penstock.errors import PenstockError
from penstock.message import letter
from penstock.message.letter import Letter
from penstock.pipeline.place import near
from penstock.runtime import client
from penstock.tasks.filter import Filter
from penstock.tasks.handle import Job
from penstock.tasks.home import Home, beside, locate
from penstock.tasks.letters import opened

if TYPE_CHECKING:
    from penstock.cli.farmorgue import FarMorgue
    from penstock.cli.sieve import Sieve
    from penstock.tasks.desk import Desk
    from penstock.tasks.job import Attempt, JobRow
    from penstock.tasks.letters import Letters


class Morgue:
    """What a command is about: pipelines, and the jobs of their app where no pipeline was named."""

    def __init__(
        self, home: Home, states: dict[str, Path], letters: Letters | None, jobs: Desk | None
    ) -> None:
        """``states``: their state directories; under an empty name, of whatever pipeline that is."""
        self.states = states
        self.store = home.store
        self._letters = letters
        self._jobs = jobs
        self._origins: dict[Path, origin.Origin] = {}

    def newest(self, sieve: Sieve, limit: int, *, dead: bool = False) -> tuple[list[Casualty], bool]:
        """The newest that are meant (0: all), the oldest of them first, and whether there are more.
        ``dead``: none that was put back already."""
        kinds = [self._items(), self._dead_jobs(sieve), [] if dead else self._returning()]
        wanted = filter(sieve.takes, merge(*kinds, key=lambda each: -each.when))
        found = list(islice(wanted, limit or None))
        return found[::-1], next(wanted, None) is not None

    def _items(self) -> Iterator[Casualty]:
        if self._letters is not None:
            yield from (
                casualty.of_letter(each) for each in self._letters.all() if self._is_ours(each.pipeline)
            )

    def _is_ours(self, pipeline: str) -> bool:
        return "" in self.states or pipeline in self.states

    def _dead_jobs(self, sieve: Sieve) -> list[Casualty]:
        if self._jobs is None:
            return []
        rows = self._jobs.jobs(Filter(states=["dead"], cause=sieve.cause or ""))
        return sorted(map(casualty.of_job, rows), key=lambda each: -each.when)

    def _returning(self) -> list[Casualty]:
        paths = (path for state in self.states.values() for path in letter.list_requeued(state / "dead"))
        found = []
        for path in paths:
            try:
                found.append(casualty.of_returning(path, letter.read(path)))
            except FileNotFoundError:
                continue
        return sorted(found, key=lambda each: -each.when)

    def state(self, of: Casualty) -> Path:
        """The state directory of its pipeline."""
        return self.states[of.pipeline] if of.pipeline in self.states else self.states[""]

    def letter(self, of: Casualty) -> Letter:
        """The letter of an item.

        Raises:
            FileNotFoundError: it is gone.
        """
        whole = self._letters.whole(of.name) if self._letters is not None else None
        return whole or letter.read(self._file(of))

    def call(self, of: Casualty) -> tuple[JobRow, list[Attempt], bytes]:
        """A job, its attempts, and what it was submitted with."""
        assert self._jobs is not None
        row = Job(of.id, self._jobs).row
        return row, self._jobs.attempts(of.id), self._jobs.arguments(of.id) or b""

    def refuse_strangers(self, found: Sequence[Casualty]) -> None:
        """See that all items can go back to where they came from.

        Raises:
            UserError: one has no way back any more; none has been touched.
        """
        items: dict[Path, list[Casualty]] = {}
        for each in found:
            if each.kind == "item":
                items.setdefault(self.state(each), []).append(each)
        self._origins = {path: origin.find(path) for path in items}
        for path, home in self._origins.items():
            home.refuse_strangers(items[path])

    def put_back(self, found: Sequence[Casualty]) -> tuple[list[Casualty], set[str]]:
        """Have them tried once more, if ``refuse_strangers`` has not refused: those that were still there,
        and the names of those that are tried now."""
        moved = self._moved(found)
        now = {each.name for each in moved if each.kind == "job"}
        for path, home in self._origins.items():
            mine = [each for each in moved if each.kind == "item" and self.state(each) == path]
            links = home.put_back(sorted({each.link for each in mine}))
            now |= {each.name for each in mine if each.link in links}
        return moved, now

    def _moved(self, found: Sequence[Casualty]) -> list[Casualty]:
        moved = [each for each in found if each.kind == "item" and self._put_back(each)]
        if self._jobs is not None and (ids := [each.id for each in found if each.kind == "job"]):
            back = set(self._jobs.requeue(ids))
            moved += [each for each in found if each.id in back]
        return [each._replace(requeued=True) for each in moved]

    def _put_back(self, each: Casualty) -> bool:
        assert self._letters is not None
        return self._letters.put_back(each.name, self.state(each) / "dead") is not None

    def discard(self, found: Sequence[Casualty]) -> None:
        """Delete them. Somebody else may have been quicker."""
        for each in found:
            if each.requeued:
                self._file(each).unlink(missing_ok=True)
        if self._letters is not None:
            self._letters.discard([each.name for each in found if each.kind == "item"])
        if self._jobs is not None and (ids := [each.id for each in found if each.kind == "job"]):
            self._jobs.remove(ids)

    def _file(self, each: Casualty) -> Path:
        return self.state(each) / "dead" / f"{each.name}.requeued"

    def __str__(self) -> str:
        jobs = self._jobs.place if self._jobs is not None else ""
        return near(self.store) if jobs in {"", near(self.store)} else f"{near(self.store)}, nor over {jobs}"


@contextmanager
def morgue(state: Path | None, name: str | None) -> Iterator[Morgue | FarMorgue]:
    """That of the pipeline ``name``, or of all pipelines here and the jobs of their app; of a run on another
    machine, where one is asked.

    Raises:
        NotRunning: nothing was ever run here; or several pipelines run elsewhere and none was named.
        EnvironmentFault: the store cannot be opened or written.
    """
    if client.is_afar():
        from penstock.cli.farmorgue import FarMorgue

        refuse_state(state)
        yield FarMorgue(client.find(name))
        return
    states, home = _places(state, name)
    folders = [path / "dead" for path in states.values()]
    jobs = None if state or name else _jobs_here()
    if not os.path.exists(home.store) and not any(map(letter.list_letters, folders)):
        yield Morgue(home, states, None, jobs)  # who only looks makes no store
        return
    with opened(home, folders) as letters:
        yield Morgue(home, states, letters, jobs)


def _jobs_here() -> Desk | None:
    found = jobstore.here()
    return found if found.is_there else None


def _places(state: Path | None, name: str | None) -> tuple[dict[str, Path], Home]:
    try:
        states = statedir.all_of(state, name)
    except PenstockError:
        if name or not jobstore.here().is_there:
            raise
        return {}, locate(appfile.directory(), os.environ)  # there are jobs, and no pipeline
    any_one = next(iter(states.values()))
    return states, beside(str(any_one), os.environ)
