"""In the worker of a window or a join: what its plan says, as what decides and what asks."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional

from penstock.errors import WiringError
from penstock.message.shape import converter
from penstock.pipeline.plan import By, ShapePlan, WindowPlan
from penstock.pipeline.signature import describe
from penstock.runtime.worker.chooser import Chooser, ask
from penstock.runtime.worker.windows.gatherer import Asker, Shape
from penstock.runtime.worker.windows.matching import Matching
from penstock.runtime.worker.windows.windows import Rule, Windows


def work(item: Any) -> Any:
    """The user code of a stage that has none."""
    return item


def parts(plan: ShapePlan, load: Callable[[By], Chooser]) -> Dict[str, Any]:
    """What a ``Gatherer`` needs of a plan. ``load`` imports what is named by reference.

    Raises what user code raises.
    """
    if isinstance(plan, WindowPlan):
        rule = Rule(plan.count, plan.step, plan.time, plan.every, plan.gap)
        return {"shape": Windows(rule, plan.limit), "keys": [_asker(plan.by, "by=", load)], "whole": list}
    shape: Shape = Matching(len(plan.on), plan.within, plan.how, plan.limit)
    return {"shape": shape, "keys": [_asker(on, "on=", load) for on in plan.on], "whole": tuple}


def _asker(by: Optional[By], knob: str, load: Callable[[By], Chooser]) -> Optional[Asker]:
    """What answers the key of an item. Its values are built as its annotation says, like those of a stage."""
    if by is None:
        return None
    chooser = load(by)
    convert = converter(describe(chooser).item_type) if callable(chooser) else None
    said = f"{knob}{by!r}" if isinstance(by, str) else knob

    def key(value: Any) -> Any:
        found = ask(chooser, value if convert is None else convert(value), said)
        try:
            hash(found)
        except TypeError:
            what = f"a {type(found).__name__} cannot be a key"
            raise WiringError(f"{said}: {what}; text, bytes, numbers and tuples of these can") from None
        return found

    return key
