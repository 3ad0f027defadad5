"""``sweep``: a task is tried with many arguments, and the best are found."""

from __future__ import annotations

import re
import secrets
from typing import Any, Mapping, Optional, TypeVar, get_args

from penstock.errors import UserError
from penstock.pipeline.place import Place, caller
from penstock.tasks.advisor import Advisor
from penstock.tasks.median import Mode
from penstock.tasks.space import Space
from penstock.tasks.study import Study
from penstock.tasks.task import Task

R = TypeVar("R")

NAME = re.compile(r"[\w.-]+")
ASKED = 4
"""Trials at a time, where each is chosen by what came of others, and nothing is said."""


def sweep(
    task: Task[..., R],
    space: Mapping[str, Any],
    *,
    n: Optional[int] = None,
    metric: Optional[str] = None,
    mode: Mode = "min",
    parallel: Optional[int] = None,
    seed: Optional[int] = None,
    sampler: Any = None,
    stop: Any = "median",
    name: Optional[str] = None,
) -> Study[R]:
    """Try a task with many arguments: ``sweep(train, {"lr": [0.1, 0.01], "depth": [2, 3]}, metric="loss")``.

    Each trial is a job. The first are on disk when this returns; the others follow as there is room, while
    somebody waits for the study or looks at it.

    Args:
        task: What is called.
        space: By the names of its arguments: a list of values, ``between(low, high)``, or a value for all.
        n: How many trials; all combinations, unless said.
        metric: What counts of a result that is a dict or an object, and of what ``ctx.progress`` is told.
        mode: ``"min"``: less is better; ``"max"``: more is.
        parallel: Trials that wait or run at once; all, unless said, and 4 with a ``sampler``.
        seed: What is drawn at random is the same again.
        sampler: What chooses: ``"tpe"``, or a sampler or study of Optuna; chance, unless said.
        stop: What stops trials that are losing: ``"median"``, a pruner of Optuna, or ``None``: nothing does.
        name: By which it is found again: a study of that name goes on where it was.

    Raises:
        UserError: the task does not take these arguments; nothing is to be tried.
        EnvironmentFault: Optuna is needed, and not installed; the store cannot be opened.
        UnsupportedType, WiringError, OSError: as ``submit`` of a task.
    """
    place = caller()
    try:
        tried = Space(space)
        count = _count(n, tried.size)
        _check(mode, parallel, name, stop)
        is_pruner = stop is not None and stop != "median"
        wanted = sampler is not None or is_pruner
        advisor = (
            Advisor(tried, mode, sampler=sampler, pruner=stop if is_pruner else None, seed=seed)
            if wanted
            else None
        )
    except UserError as error:
        raise UserError(f"{place}: sweep: {error}") from None
    study = Study(
        task,
        tried,
        name or secrets.token_hex(4),
        place,
        count=count,
        metric=metric,
        mode=mode,
        parallel=parallel or (ASKED if sampler is not None else count),
        seed=name if seed is None and name else seed,
        has_median=stop == "median",
        advisor=advisor,
        asks=sampler is not None,
    )
    _first(task, tried, place)
    _ = study.trials  # takes up what is there, and submits the first
    return study


def _first(task: Task[..., Any], space: Space, place: Place) -> None:
    """Have wrong names of arguments refused before anything is submitted."""
    values = {name: values[0] for name, values in space.choices.items()}
    task.bound(
        (), {**space.constants, **values, **{name: each.low for name, each in space.ranges.items()}}, place
    )


def _count(n: Any, size: Optional[int]) -> int:
    if n is None and size is None:
        raise UserError("any number is possible here: say n=, how many trials there are to be")
    if n is not None and (not isinstance(n, int) or isinstance(n, bool) or n < 1):
        raise UserError(f"n={n!r}: must be a whole number, 1 or more")
    return min(each for each in (n, size) if each is not None)


def _check(mode: object, parallel: Any, name: Optional[str], stop: Any) -> None:
    if mode not in get_args(Mode):
        raise UserError(f'mode={mode!r}: must be "min" or "max"')
    if parallel is not None and (not isinstance(parallel, int) or parallel < 1):
        raise UserError(f"parallel={parallel!r}: must be a whole number, 1 or more")
    if isinstance(stop, str) and stop != "median":
        raise UserError(f'stop={stop!r}: must be "median", a pruner of Optuna, or None')
    if name is not None and not NAME.fullmatch(name):
        raise UserError(f"name={name!r}: a name is made of letters, digits, dots and dashes")
