"""The knobs of one stage, checked, and that they go together."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple, Union

import msgspec

from penstock.errors import WiringError
from penstock.pipeline.checks import NOT_EXTERNAL, check
from penstock.pipeline.place import Place
from penstock.pipeline.plan import By, Compress, How, OnFull


class Options(msgspec.Struct, frozen=True):
    """The knobs of one stage, checked; times in seconds."""

    name: Optional[str] = None
    replicas: int = 1
    window: int = 0
    timeout: Optional[float] = None
    max_failures: int = 3
    max_age: Optional[float] = None
    on_full: OnFull = "block"
    compress: Optional[Compress] = None
    max_restarts: int = 20
    start_timeout: float = 60.0
    env: Optional[str] = None
    interpreter: Optional[str] = None
    variables: Dict[str, str] = {}
    hosts: Optional[str] = None
    ports: Tuple[str, ...] = ()
    dedupe: int = 0
    """Ids that are remembered; 0: none."""
    key: Optional[By] = None
    ordered: bool = False
    fuse: Optional[bool] = None
    """None: one-liners where they fit, stages not."""
    concurrency: int = 0
    """0: not said, so one at a time."""
    threads: int = 0
    """0: the code runs in the main thread."""
    batch_wait: float = 0.005
    pad: Union[int, float, None] = None
    batch: int = 0
    """0: the code takes one item in one call."""
    external: bool = False
    """No code: scripts take part in it while the pipeline runs. No knob, but what ``external`` makes."""
    queue: str = ""
    """The durable queue its items come from, or go to. No knob, but what its two makers make."""
    places: Dict[str, Place] = {}
    """Where each knob was chosen, for those that were; no knob itself."""

    def with_knobs(self, how: How, knobs: Mapping[str, Any], place: Place) -> Options:
        """These options with some of them chosen anew.

        Raises:
            WiringError: no such knob (says the nearest), none for that, or not a possible value.
        """
        try:
            checked = {knob: check(how, knob, value, place) for knob, value in knobs.items()}
        except ValueError as error:
            raise WiringError(str(error), str(place)) from None
        return self.with_checked(checked, dict.fromkeys(checked, place))

    def with_checked(self, values: Mapping[str, Any], places: Mapping[str, Place]) -> Options:
        """These options with values that ``check`` has let pass.

        Raises:
            WiringError: they do not go together.
        """
        chosen = msgspec.structs.replace(self, **_displaced(values), places={**self.places, **places})
        for knob in values:
            clash = _clash(chosen, knob)
            if clash:
                raise WiringError(clash, str(places[knob]))
        return chosen


def _displaced(values: Mapping[str, Any]) -> Dict[str, Any]:
    """``values``, and that what says the same in another way counts no more."""
    found = dict(values)
    for one, other in (("env", "interpreter"), ("interpreter", "env")):
        if found.get(one) is not None:
            found.setdefault(other, None)
    return found


def _clash(chosen: Options, knob: str) -> Optional[str]:
    """Why ``knob``, which was just chosen, does not go with the others; ``None`` when it does."""
    if knob in {"env", "interpreter"} and chosen.env and chosen.interpreter:
        return "env= and interpreter= both say which Python runs it; say one of them"
    if chosen.external and knob in NOT_EXTERNAL:
        return f"{chosen.name!r} is an external stage, which has no {knob}=: {NOT_EXTERNAL[knob]}"
    if knob in {"batch_wait", "pad"} and not chosen.batch:
        return f"{knob}= is about batches, and none are asked for; say batch=32 as well"
    if chosen.ordered and knob in {"ordered", *UNORDERED}:
        return _out_of_order(chosen)
    if knob in {"batch", "window"} and 0 < chosen.window < chosen.batch:
        return (
            f"window={chosen.window}: a batch of {chosen.batch} could never be full;"
            f" leave window out, or say window={2 * chosen.batch} or more"
        )
    return _crowding(chosen) if knob in {"concurrency", "threads", "batch", "key", "window"} else None


def _crowding(chosen: Options) -> Optional[str]:
    """Why a replica cannot have several items in hand; ``None``: it can, or is not to."""
    if chosen.concurrency and chosen.threads:
        return "concurrency= is for async code and threads= is for plain code; say one of them"
    said = f"concurrency={chosen.concurrency}" if chosen.concurrency else f"threads={chosen.threads}"
    several = max(chosen.concurrency, chosen.threads)
    if several and chosen.batch:
        return f"{said} gives each call one item and batch={chosen.batch} gives it many; say one of them"
    if several > 1 and chosen.key is not None:
        return (
            f"{said} has several items in hand, and those of one key= come one by one; say replicas= instead"
        )
    if 0 < chosen.window < several:
        return (
            f"window={chosen.window}: {several} items could never be in hand;"
            f" leave window out, or say window={2 * several} or more"
        )
    return None


_ENDS = "several calls at once would begin in order, and end in none; say it of a stage before this one"
UNORDERED = {
    "replicas": "several would each have a part of the order; leave it to the stages before it",
    "key": "its items go to whichever replica their key belongs to, and an ordered stage has one",
    "concurrency": _ENDS,
    "threads": _ENDS,
    "dedupe": "what comes again has lost its turn; write by id (ctx.id) instead",
    "max_age": "what waits for its turn would be dropped for that; say max_age= of a stage before it",
}
"""Knobs that do not go with an order, and why."""


def _out_of_order(chosen: Options) -> Optional[str]:
    """Why there would be no order."""
    usual = Options()
    for knob, why in UNORDERED.items():
        if getattr(chosen, knob) != getattr(usual, knob):
            return f"{knob}= does not go with ordered=True: {why}"
    return None
