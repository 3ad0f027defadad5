"""A study: many jobs of one task with different arguments, of which the best is looked for.

The jobs are the study. Each says by whom it was submitted (``study NAME``) and which trial it is (its unique
key); what is tried in which is reckoned from the number, and what came of it lies in the store. So a study
has no file and no process of its own: whoever waits for it drives it, and after its death another may.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Dict, Generator, Generic, Iterator, List, Mapping, Optional, Tuple, TypeVar

import msgspec

from penstock.errors import BrokerFault, TimedOut
from penstock.pipeline.duration import Duration, seconds
from penstock.pipeline.place import Place
from penstock.tasks import freight
from penstock.tasks.advisor import Advisor
from penstock.tasks.filter import Filter
from penstock.tasks.handle import Progress
from penstock.tasks.job import LIVE, JobRow, NewJob
from penstock.tasks.median import Mode, better, loses
from penstock.tasks.space import Space
from penstock.tasks.task import Task
from penstock.tasks.trial import STOPPED, Trial, reported, state_of, value_of

R = TypeVar("R")


class Study(Generic[R]):
    """What ``sweep`` gives.

    Attributes:
        name: By which it is found again.
        count: How many trials it has when it is over.
    """

    def __init__(
        self,
        task: Task[Any, R],
        space: Space,
        name: str,
        place: Place,
        *,
        count: int,
        metric: Optional[str],
        mode: Mode,
        parallel: int,
        seed: object,
        has_median: bool,
        advisor: Optional[Advisor],
        asks: bool,
    ) -> None:
        """Nothing is submitted yet. ``asks``: the advisor says what is tried."""
        self.name, self.count = name, count
        self._task, self._space, self._place = task, space, place
        self._metric, self._mode, self._parallel, self._seed = metric, mode, parallel, seed
        self._has_median, self._advisor, self._asks = has_median, advisor, asks
        self._desk = task.desk()
        self._params: Dict[int, Dict[str, Any]] = {}
        self._values: Dict[int, float] = {}
        self._curves: Dict[int, List[Tuple[float, float]]] = {}
        self._told: set[int] = set()
        """Trials that are over, and of which the advisor knows so."""
        self._ids: Dict[int, str] = {}

    def __repr__(self) -> str:
        return f"<Study {self.name}>"

    # Looking ---------------------------------------------------------------------------------------------

    @property
    def trials(self) -> List[Trial[R]]:
        """Those that there are, by their number; further ones are begun where there is room."""
        return self._advance()[0]

    @property
    def best(self) -> Optional[Trial[R]]:
        """The best of those that are done by now; ``None``: none is."""
        done = [each for each in self.trials if each.state == "done" and each.value is not None]
        return min(done, key=lambda each: better(self._mode) * (each.value or 0.0), default=None)

    @property
    def progress(self) -> Progress:
        """How many are over, from 0 to 1; and how many are in each state."""
        trials = self.trials
        over = sum(1 for each in trials if each.is_over)
        return Progress(over / max(1, self.count), dict(Counter(each.state for each in trials)))

    # Waiting ---------------------------------------------------------------------------------------------

    def results(self, timeout: Optional[Duration] = None) -> List[Trial[R]]:
        """All trials, when all are over. One that is dead says so in its ``state``.

        Args:
            timeout: How long to wait, with its unit: ``"8h"``; as long as it takes, unless said.

        Raises:
            TimedOut: not all are; what was submitted goes on.
            UserError: a result has no value.
        """
        *_, last = self._rounds(timeout)
        return last

    def __iter__(self) -> Iterator[Trial[R]]:
        """Each trial as it is over; first those that are already."""
        seen: set[int] = set()
        for trials in self._rounds(None):
            for each in trials:
                if each.is_over and each.number not in seen:
                    seen.add(each.number)
                    yield each

    def __await__(self) -> Generator[Any, None, List[Trial[R]]]:
        """``await study``: ``results`` for who has an event loop."""
        return self._settled().__await__()

    async def _settled(self) -> List[Trial[R]]:
        from asyncio import to_thread

        seen: Optional[List[Trial[R]]] = None
        with self._desk.watch() as watch:
            while True:
                trials, has_new = await to_thread(self._looked, seen)
                seen = trials
                if self._is_over(trials):
                    return trials
                if not has_new:
                    await watch.heard()

    def _rounds(self, timeout: Optional[Duration]) -> Iterator[List[Trial[R]]]:
        """The trials, now and again after each change, until all are over."""
        until = None if timeout is None else time.monotonic() + seconds(timeout)
        seen: Optional[List[Trial[R]]] = None
        with self._desk.watch() as watch:
            while True:
                trials, has_new = self._looked(seen)
                seen = trials
                yield trials
                if self._is_over(trials):
                    return
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    over = sum(1 for each in trials if each.is_over)
                    raise TimedOut(f"after {timeout} {over} of {self.count} trials are over")
                if not has_new:
                    watch.wait(left)

    def _looked(self, seen: Optional[List[Trial[R]]]) -> Tuple[List[Trial[R]], bool]:
        """As of ``_advance``. Who waits already waits on while nobody can say: for ``seen``, that is."""
        try:
            return self._advance()
        except BrokerFault:
            if seen is None:
                raise
            return seen, False

    def _is_over(self, trials: List[Trial[R]]) -> bool:
        return len(trials) >= self.count and all(each.is_over for each in trials)

    # Steering --------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Have no trial begun (again), and no further one submitted by us."""
        self.count = len(self._ids)
        self._desk.cancel(list(self._ids.values()))

    def _advance(self) -> Tuple[List[Trial[R]], bool]:
        """How it stands; what is losing is stopped, and further trials are submitted where there is room.
        Whether there are such."""
        rows = self._rows()
        trials = [self._trial(number, rows[number]) for number in sorted(rows)]
        losing = [rows[each.number].id for each in trials if self._is_losing(each, rows[each.number])]
        if losing:
            self._desk.cancel(losing, STOPPED)
        for each in trials:
            if self._advisor and each.is_over and each.number not in self._told:
                self._told.add(each.number)
                self._advisor.over(each.number, each.state, each.value)
        return trials, self._submit(rows)

    def _rows(self) -> Dict[int, JobRow]:
        """The jobs there are, by the numbers of their trials."""
        rows = self._desk.jobs(Filter(by=maker(self.name)))
        found = {int(row.unique.rpartition("#")[2]): row for row in rows}
        for number, row in found.items():
            if number not in self._ids:
                self._take_up(number, row)
        return found

    def _take_up(self, number: int, row: JobRow) -> None:
        """A trial that somebody else has submitted."""
        _, named = freight.call(self._desk.arguments(row.id) or b"")
        self._ids[number], self._params[number] = row.id, self._space.sorted(named)
        if self._advisor:
            self._advisor.begin(number, named)
            self._advisor.forget_dice()

    def _trial(self, number: int, row: JobRow) -> Trial[R]:
        job = self._task.handle(row.id, self._desk)
        value = reported(row, self._metric)
        if row.state == "done":
            if number not in self._values:
                (body,) = self._desk.results([row.id])
                self._values[number] = value_of(job.value(body), self._metric, self._task.name)
            value = self._values[number]
        return Trial(number, self._params[number], job, state_of(row), value)

    def _is_losing(self, trial: Trial[R], row: JobRow) -> bool:
        """Whether it is to be stopped, by what it has reported now."""
        curve = self._curves.setdefault(trial.number, [])
        if trial.value is None or row.progress is None or (curve and row.progress <= curve[-1][0]):
            return False
        curve.append((row.progress, trial.value))
        if row.state != "running" or row.cancel:
            return False
        others = [each for number, each in self._curves.items() if number != trial.number]
        by_median = self._has_median and loses(curve, others, self._mode)
        return by_median or bool(self._advisor and self._advisor.report(trial.number, *curve[-1]))

    def _submit(self, rows: Mapping[int, JobRow]) -> bool:
        live = sum(1 for number in self._ids if number not in rows or rows[number].state in LIVE)
        free = [number for number in range(self.count) if number not in self._ids]
        chosen = free[: max(0, self._parallel - live)]
        if chosen:
            now = self._desk.now()
            ids = self._desk.submit([self._job(number, now) for number in chosen])
            self._ids.update(zip(chosen, ids))
        return bool(chosen)

    def _job(self, number: int, now: int) -> NewJob:
        params = None if self._asks else self._space.at(number, self.count, self._seed)
        if self._advisor:
            asked = self._advisor.begin(number, params)
            params = self._space.sorted({**self._space.constants, **asked}) if params is None else params
        self._params[number] = params or {}
        job = self._task.job(self._task.bound((), self._params[number], self._place), now)
        return msgspec.structs.replace(job, unique=f"{maker(self.name)}#{number}", by=maker(self.name))


def maker(name: str) -> str:
    """In place of who submitted a job: the study of that name."""
    return f"study {name}"
