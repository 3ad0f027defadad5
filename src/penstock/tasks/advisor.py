"""What Optuna says: what to try next, and what to stop. The only module that knows it.

Optuna keeps nothing that counts. Each trial is told to it when it begins and when it is over; whoever takes a
study up again tells it all that is known of the jobs.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

from penstock.errors import EnvironmentFault, UserError
from penstock.tasks.median import Mode
from penstock.tasks.space import Space

STEPS = 1000
"""A pruner counts whole steps; a job says how far it is: its steps are thousandths of the way."""


class Advisor:
    """Of one study."""

    def __init__(self, space: Space, mode: Mode, *, sampler: Any, pruner: Any, seed: Optional[int]) -> None:
        """Ask nothing yet.

        Args:
            space: What is tried.
            mode: Whether less is better, or more.
            sampler: Of Optuna, or a study of its; ``"tpe"``: the one it uses itself; ``None``: what is tried
                is said by others.
            pruner: Of Optuna; ``None``: what is stopped is said by others.
            seed: Of ``"tpe"``.

        Raises:
            EnvironmentFault: Optuna is not installed.
            UserError: that is no sampler.
        """
        try:
            import optuna
        except ModuleNotFoundError:
            raise EnvironmentFault(
                "sampler= and pruners need Optuna, which is not installed here: pip install 'penstock[sweep]'"
            ) from None
        self._optuna = optuna
        self._pending: Dict[int, Any] = {}
        self._distributions = _distributions(space)
        self._prunes = pruner is not None
        if isinstance(sampler, optuna.study.Study):
            self._study = sampler
            return
        if sampler == "tpe":
            sampler = optuna.samplers.TPESampler(seed=seed)
        if sampler is not None and not isinstance(sampler, optuna.samplers.BaseSampler):
            raise UserError(f'sampler={sampler!r}: must be "tpe", or a sampler or a study of Optuna')
        if pruner is not None and not isinstance(pruner, optuna.pruners.BasePruner):
            raise UserError(f'stop={pruner!r}: must be "median", a pruner of Optuna, or None')
        level = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # it tells all the world of each study
        self._study = optuna.create_study(
            direction="minimize" if mode == "min" else "maximize",
            sampler=sampler,
            pruner=pruner or optuna.pruners.NopPruner(),
        )
        optuna.logging.set_verbosity(level)

    def begin(self, number: int, params: Optional[Dict[str, Any]]) -> Dict[str, Any]:
        """A trial begins, with these arguments, or with what is said to be worth trying."""
        if params is not None:
            known = {name: value for name, value in params.items() if name in self._distributions}
            self._study.enqueue_trial(known)
        trial = self._pending[number] = self._study.ask(fixed_distributions=self._distributions)
        return dict(trial.params)

    def forget_dice(self) -> None:
        """A study goes on: what is drawn is not to be drawn once more."""
        self._study.sampler.reseed_rng()

    def report(self, number: int, part: float, value: float) -> bool:
        """A trial has come so far; whether it is to be stopped."""
        trial = self._pending.get(number)
        if trial is None or not self._prunes:
            return False
        trial.report(value, round(part * STEPS))
        return bool(trial.should_prune())

    def over(self, number: int, state: str, value: Optional[float]) -> None:
        """A trial is ``done``, ``stopped``, or anything else, which has failed."""
        trial = self._pending.pop(number, None)
        states = self._optuna.trial.TrialState
        if trial is None:
            return
        if state == "done" and value is not None:
            self._study.tell(trial, value)
        else:
            self._study.tell(trial, state=states.PRUNED if state == "stopped" else states.FAIL)


def _distributions(space: Space) -> Dict[str, Any]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: Dict[str, Any] = {name: CategoricalDistribution(values) for name, values in space.choices.items()}
    for name, each in space.ranges.items():
        if each.is_whole:
            found[name] = IntDistribution(int(each.low), int(each.high), log=each.log)
        else:
            found[name] = FloatDistribution(each.low, each.high, log=each.log)
    return found
