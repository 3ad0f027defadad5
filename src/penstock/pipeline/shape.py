"""Stages of ours between those of the user: they put items together, and have no code of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional

import msgspec

from penstock.errors import WiringError
from penstock.pipeline.checks import whole_number
from penstock.pipeline.duration import seconds
from penstock.pipeline.flow import chooser
from penstock.pipeline.options import Options
from penstock.pipeline.overlay import Overlay
from penstock.pipeline.place import Place
from penstock.pipeline.plan import By, ShapePlan, StagePlan
from penstock.pipeline.reference import Reference, told
from penstock.pipeline.stage import Node

if TYPE_CHECKING:
    from typing_extensions import Self

LIMIT = 100_000
"""Items that a window or a join keeps, unless it says otherwise."""


TIMES = ("time", "gap", "within")
"""Arguments that are times; the others are numbers."""

Arguments = Mapping[str, Any]
"""The numbers and times of a shape, as they are said; None for what is not."""


class Shape(Node[Any, Any]):
    """A window or a join: a stage whose work is ours."""

    kind = "stage"

    def __init__(self, verb: str, rule: Rule, arguments: Arguments, options: Options, place: Place) -> None:
        """``verb``: the function of this package that makes it, called at ``place``.

        Raises:
            WiringError: the arguments cannot be.
        """
        self.arguments = arguments
        self._verb, self._rule, self._place = verb, rule, place
        self.shape = rule(arguments, Argument(verb, place))
        super().__init__(None, options, str(place), Reference("", "penstock", verb))

    def _with(self, knobs: Mapping[str, Any], place: Place) -> Self:
        options = self.options.with_knobs(self.how, knobs, place)
        return type(self)(self._verb, self._rule, self.arguments, options, self._place)

    def is_time(self, argument: str) -> bool:
        """Whether it is a time, and not a number; a step is what the one in the code is."""
        return argument in TIMES or (argument == "step" and not isinstance(self.arguments["step"], int))

    def check(self, knob: str, value: Any, place: Place) -> Any:
        """As of every stage; whether arguments go together is seen when all are known."""
        if knob not in self.arguments:
            return super().check(knob, value, place)
        try:
            _more_than_none(value) if self.is_time(knob) else whole_number(value, 1)
        except ValueError as error:
            raise ValueError(f"{knob}={value!r}: {error}") from None
        return value

    def _shaped(self, overlay: Overlay) -> ShapePlan:
        place = overlay.places[list(overlay.arguments)[-1]]
        return self._rule({**self.arguments, **overlay.arguments}, Argument(self._verb, place))

    def plan(self, overlay: Optional[Overlay] = None) -> StagePlan:
        """As of every stage."""
        shape = self._shaped(overlay) if overlay is not None and overlay.arguments else self.shape
        found = msgspec.structs.replace(super().plan(overlay), shape=shape)
        if found.replicas > 1:
            raise WiringError(
                f"{found.name!r} has to see all items, so it has one replica, not {found.replicas}",
                self.where,
            )
        return found


class Argument:
    """The arguments of a shape, checked; what is wrong is said of the line that calls for it."""

    def __init__(self, verb: str, place: Place) -> None:
        self._verb = verb
        self._place = place

    def refuse(self, text: str) -> WiringError:
        """What to raise."""
        return WiringError(f"{self._verb}({text}", str(self._place))

    def number(self, name: str, value: Any) -> int:
        """A whole number from 1; 0 where it is not said."""
        try:
            return 0 if value is None else whole_number(value, 1)
        except ValueError as error:
            raise self.refuse(f"{name}={value!r}): {error}") from None

    def time(self, name: str, value: Any) -> float:
        """Seconds, more than none; 0 where it is not said."""
        try:
            return 0.0 if value is None else _more_than_none(value)
        except ValueError as error:
            raise self.refuse(f"{name}={value!r}): {error}") from None

    def key(self, name: str, value: Any) -> By:
        """What is asked of each item."""
        try:
            return chooser(value)
        except ValueError as error:
            raise self.refuse(f"{name}={told(value)}): {error}") from None


Rule = Callable[[Arguments, Argument], ShapePlan]
"""What a shape is to do, of its arguments; refuses them by the other."""


def _more_than_none(value: Any) -> float:
    found = seconds(value)
    if found <= 0:
        raise ValueError("must be more than no time")
    return found
