"""What is tried in a study: for each argument the values it may have, and which trial gets which."""

from __future__ import annotations

import math
import random
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Union

from penstock.errors import UserError

Number = Union[int, float]
MOST_SHUFFLED = 100_000
"""Combinations of which some are drawn without drawing one twice."""


class Between(NamedTuple):
    """Any number from ``low`` to ``high``: a whole one, if both are."""

    low: Number
    high: Number
    log: bool = False
    """As many from 0.001 to 0.01 as from 0.1 to 1."""

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def drawn(self, dice: random.Random) -> Number:
        """One of them."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        if self.is_whole and not self.log:
            return dice.randint(int(self.low), int(self.high))
        found = dice.uniform(low, high)
        within = min(max(math.exp(found) if self.log else found, self.low), self.high)
        return round(within) if self.is_whole else within


def between(low: Number, high: Number, *, log: bool = False) -> Between:
    """Any number from one to the other, for a study.

    As in ``{"lr": between(1e-5, 1e-1, log=True)}``. Whole ones, if both ends are. ``log``: as many from
    0.001 to 0.01 as from 0.1 to 1.

    Raises:
        UserError: there are none.
    """
    if not low < high:
        raise UserError(f"between({low!r}, {high!r}): the first must be less than the second")
    if log and low <= 0:
        raise UserError(f"between({low!r}, {high!r}, log=True): both must be more than 0")
    return Between(low, high, log)


class Space:
    """All combinations.

    Attributes:
        ranges: Those of which any number is meant, by the name of the argument.
        choices: Those of which one of a list is meant.
        constants: The others.
        order: All names, as they were said.
    """

    def __init__(self, said: Mapping[str, Any]) -> None:
        """Sort it out.

        Raises:
            UserError: nothing is to be tried.
        """
        self.order = list(said)
        self.ranges = {name: value for name, value in said.items() if isinstance(value, Between)}
        self.choices = {name: list(value) for name, value in said.items() if isinstance(value, (list, range))}
        self.constants = {
            name: value for name, value in said.items() if name not in {**self.ranges, **self.choices}
        }
        for name, values in self.choices.items():
            if not values:
                raise UserError(f"{name}=[]: there is nothing to try; list some values")
        if not self.ranges and not self.choices:
            raise UserError(
                "there is nothing to try: give an argument a list of values, or between(low, high)"
            )

    @property
    def size(self) -> Optional[int]:
        """How many there are; ``None``: without end."""
        return None if self.ranges else math.prod(len(values) for values in self.choices.values())

    @property
    def names(self) -> List[str]:
        """Of what differs from trial to trial."""
        return [*self.choices, *self.ranges]

    def at(self, number: int, count: int, seed: object) -> Dict[str, Any]:
        """The arguments of that one of ``count`` trials: always the same, whoever asks."""
        found = self._drawn(number, count, seed)
        return self.sorted({**self.constants, **found})

    def sorted(self, params: Mapping[str, Any]) -> Dict[str, Any]:
        """These arguments in the order in which they were said; what is not tried is left out."""
        return {name: params[name] for name in self.order if name in params}

    def _drawn(self, number: int, count: int, seed: object) -> Dict[str, Any]:
        size = self.size
        if size is not None and size <= count:
            return self._combination(number)
        if size is not None and size <= MOST_SHUFFLED:
            order = list(range(size))
            random.Random(str(seed)).shuffle(order)  # noqa: S311  no secret
            return self._combination(order[number])
        dice = random.Random(f"{seed}:{number}")  # noqa: S311  as above
        drawn = {name: dice.choice(values) for name, values in self.choices.items()}
        return {**drawn, **{name: each.drawn(dice) for name, each in self.ranges.items()}}

    def _combination(self, index: int) -> Dict[str, Any]:
        """As nested loops would give it: the last name changes first."""
        found = {}
        for name, values in reversed(self.choices.items()):
            index, at = divmod(index, len(values))
            found[name] = values[at]
        return found
