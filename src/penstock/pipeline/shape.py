"""Stages of ours between those of the user: they put items together, and have no code of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional

import msgspec

from penstock.errors import WiringError
from penstock.pipeline.checks import whole_number
from penstock.pipeline.duration import seconds
from penstock.pipeline.flow import chooser
from penstock.pipeline.options import Options
from penstock.pipeline.overlay import Overlay
from penstock.pipeline.place import Place
from penstock.pipeline.plan import By, ShapePlan, StagePlan
from penstock.pipeline.reference import Reference
from penstock.pipeline.stage import Node

if TYPE_CHECKING:
    from typing_extensions import Self

LIMIT = 100_000
"""Items that a window or a join keeps, unless it says otherwise."""


class Shape(Node[Any, Any]):
    """A window or a join: a stage whose work is ours."""

    kind = "stage"

    def __init__(self, verb: str, shape: ShapePlan, options: Options, where: str) -> None:
        """``verb``: the function of this package that makes it."""
        self.shape = shape
        self._verb = verb
        super().__init__(None, options, where, Reference("", "penstock", verb))

    def _with(self, knobs: Mapping[str, Any], place: Place) -> Self:
        options = self.options.with_knobs(self.how, knobs, place)
        return type(self)(self._verb, self.shape, options, self.where)

    def plan(self, overlay: Optional[Overlay] = None) -> StagePlan:
        """As of every stage."""
        found = msgspec.structs.replace(super().plan(overlay), shape=self.shape)
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
            found = 0.0 if value is None else seconds(value)
        except ValueError as error:
            raise self.refuse(f"{name}={value!r}): {error}") from None
        if value is not None and found <= 0:
            raise self.refuse(f"{name}={value!r}): must be more than no time")
        return found

    def key(self, name: str, value: Any) -> By:
        """What is asked of each item."""
        try:
            return chooser(value)
        except ValueError as error:
            raise self.refuse(f"{name}={value!r}): {error}") from None
