"""In the worker of a stage with several items in hand: in which manner, as its code and its knobs say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Union

from penstock.errors import WiringError
from penstock.pipeline.signature import Signature, misfit_hand
from penstock.runtime.control import Assignment

if TYPE_CHECKING:
    from penstock.runtime.worker.several.coroutines import Coroutines
    from penstock.runtime.worker.several.hand import Parts
    from penstock.runtime.worker.several.loop import Loop
    from penstock.runtime.worker.several.threaded import Threaded


def several(
    assignment: Assignment, parts: Parts, *, loop: Callable[[], Loop], pool: Callable[[int], Any]
) -> Union[Coroutines, Threaded]:
    """What runs it. ``loop`` makes, or has, that of asyncio; ``pool`` makes what ``Pool`` is."""
    if not parts.handler.signature.is_async:
        from penstock.runtime.worker.several.threaded import Threaded

        return Threaded(parts, pool=pool(assignment.threads), lanes=assignment.threads)
    # With it comes asyncio: only where there is such code.
    from penstock.runtime.worker.several.coroutines import Coroutines

    lanes = max(1, assignment.concurrency)
    return Coroutines(parts, loop=loop(), lanes=lanes, timeout=assignment.timeout)


def refuse_misfit(assignment: Assignment, signature: Signature) -> None:
    """Refuse what could not be seen before the code was loaded.

    Raises:
        WiringError: a knob is not for such code.
    """
    unfit = misfit_hand(
        signature,
        concurrency=assignment.concurrency,
        threads=assignment.threads,
        batch=assignment.batch,
    )
    if unfit:
        raise WiringError(f"{assignment.stage!r} {unfit}")
