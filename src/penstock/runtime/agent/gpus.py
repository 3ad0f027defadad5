"""Runs in the agent: the GPUs of this host, and which worker has which.

Workers of a group that has GPUs (``gpus`` of ``[group.NAME]``) have as many here as on the first host, of
those that are here: the numbers of another machine mean nothing on this one.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping

from penstock.errors import EnvironmentFault, UserError
from penstock.pipeline.plan import Plan, StagePlan

VARIABLE = "CUDA_VISIBLE_DEVICES"


def found(environ: Mapping[str, str]) -> list[str]:
    """Those that workers here may use: what the variable says, else all that the driver shows."""
    said = environ.get(VARIABLE)
    if said is not None:
        return [each.strip() for each in said.split(",") if each.strip()]
    return sorted(
        (
            name
            for path in glob.glob("/dev/nvidia*")
            if (name := path.removeprefix("/dev/nvidia")).isdecimal()
        ),
        key=int,
    )


def check(plan: Plan, brings: Mapping[str, int], here: list[str]) -> None:
    """See that there are enough for what this host brings.

    Raises:
        UserError: there are not.
    """
    shares = {stage.name: stage.share for stage in plan.stages if stage.devices}
    needed = sum(shares.get(name, 0) * count for name, count in brings.items())
    if needed > len(here):
        names = ", ".join(name for name in brings if name in shares)
        raise UserError(
            f"workers of {names} need {needed} GPUs, and this host has {len(here)} ({VARIABLE}, or those that"
            " the driver shows)"
        )


class Gpus:
    """Of one stay."""

    def __init__(self, here: list[str]) -> None:
        self._free = here
        self._taken: dict[int, list[str]] = {}

    def take(self, number: int, stage: StagePlan) -> dict[str, str]:
        """What worker ``number`` finds in its environment, where it is to have some.

        Raises:
            EnvironmentFault: there are too few.
        """
        if not stage.devices:
            return {}
        if len(self._free) < stage.share:
            raise EnvironmentFault(
                f"it needs {stage.share} GPUs, and {len(self._free)} are free on this host"
            )
        self._taken[number], self._free = self._free[: stage.share], self._free[stage.share :]
        return {VARIABLE: ",".join(self._taken[number])}

    def free(self, number: int) -> None:
        """It has ended."""
        self._free = self._taken.pop(number, []) + self._free
