"""What the end of an attempt was, from what its worker says or how that died. A decision module."""

from __future__ import annotations

from enum import Enum

from penstock.runtime.jobwire import Worked
from penstock.runtime.policy.death import Death, cause, seconds
from penstock.tasks.job import Claim
from penstock.tasks.settle import Done, Ended, Failed, Outcome, Returned


class Ending(Enum):
    """Why we end a job that runs."""

    CANCEL = "cancelled"
    TIMEOUT = "timed out"


def of_word(worked: Worked) -> Outcome:
    """Its worker lives, and has said."""
    if worked.how == "done":
        return Done(worked.result, worked.path)
    if worked.how == "returned":
        return Returned("its worker was stopped" if worked.begun else "", begun=worked.begun)
    return Failed(
        cause=worked.cause,  # type: ignore[arg-type]
        error=worked.error,
        kinds=worked.kinds,
        traceback=worked.traceback,
        after=worked.after,
    )


def of_death(death: Death, ending: Ending | None, timeout: float | None, *, told: bool) -> Outcome:
    """Its worker is no more. ``ending``: we have ended the job; ``told``: the worker was to stop anyway."""
    if ending is Ending.CANCEL:
        return Ended()
    if ending is Ending.TIMEOUT:
        return Failed("timeout", f"timed out after {seconds(timeout or 0.0)}")
    if told:
        return Returned("its worker was stopped")
    return Failed("oom" if death.oom else "crash", cause(death), traceback=death.report)


def is_killer(ending: Ending | None) -> bool:
    """Whether the job has killed its worker, as far as that can be seen."""
    return ending is None


def told(claim: Claim, outcome: Outcome, state: str | None) -> tuple[str, str]:
    """What is counted of it, and the line for whoever watches; empty: it is not worth one."""
    name = f"{claim.task} {claim.seq}"
    if state == "dead":
        why = outcome.error if isinstance(outcome, Failed) else "its result cannot be kept"
        return "dead", f"{name} is dead: {why}"
    if isinstance(outcome, Failed):
        return "failed", f"{name} failed: {outcome.error}"
    if state is None:
        return "late", ""
    return state if state in {"done", "cancelled"} else "returned", ""
