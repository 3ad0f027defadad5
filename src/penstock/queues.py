"""The ends of a durable link between two pipelines: one puts into a queue, the other draws from it.

    # shoot.py                                        # look.py
    Pipeline("shoot", camera >> to_queue("images"))   Pipeline("look", from_queue("images") >> detect >> save)

What lies in between is on disk. Neither pipeline need run for the other to, and either may be killed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Mapping

from penstock.errors import WiringError
from penstock.pipeline.checks import check_name
from penstock.pipeline.options import Options
from penstock.pipeline.place import Place, caller
from penstock.pipeline.reference import Reference
from penstock.pipeline.stage import Sink, Source

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from penstock.pipeline.knobs import Common, Knobs

CODE = Reference("", "penstock", "queues")
"""In place of the code of a stage: that of a queue's ends is the runtime's."""
TOGETHER = 256
"""Items that are put with one commit, where so many are waiting."""


def from_queue(queue: str, /, **knobs: Unpack[Common]) -> Source[Any]:
    """A source whose items come from a durable queue.

    ::

        from_queue("images") >> detect >> save

    An item stays in the queue until all that is made of it is settled at the last sinks. A death gives it
    back; then it comes again under the same id. What cannot be read ends in the dead letters. The source has
    no end: it waits for more until the pipeline drains.

    Args:
        queue: Its name. It is in the store of the app, beside jobs, and a group as far as ``penstock queues``
            and ``penstock tasks`` are concerned.
        knobs: As of a source: ``name`` (the queue's, unless said), ``replicas`` ...

    Raises:
        WiringError: no queue can be called so; a knob that does not exist, or says nothing here.
    """
    place = caller()
    return Source(None, _options("source", queue, knobs, place), str(place), CODE)


def to_queue(queue: str, /, **knobs: Unpack[Knobs]) -> Sink[Any]:
    """A sink whose items go into a durable queue.

    ::

        camera >> to_queue("images")

    An item is settled when it is on disk. Those that wait meanwhile are put together: so a wait for the disk
    is shared. One that is delivered again after a death is in the queue once.

    Args:
        queue: Its name. It is in the store of the app, beside jobs.
        knobs: As of a sink: ``name`` (the queue's, unless said), ``replicas``, ``window`` ...

    Raises:
        WiringError: no queue can be called so; a knob that does not exist, or says nothing here.
    """
    place = caller()
    usual: Dict[str, Any] = {"batch": TOGETHER, "batch_wait": "0ms"}
    return Sink(None, _options("sink", queue, {**usual, **knobs}, place), str(place), CODE)


def _options(how: Any, queue: str, knobs: Mapping[str, Any], place: Place) -> Options:
    try:
        name = check_name(queue)
    except ValueError as error:
        raise WiringError(f"queue {queue!r}: {error}", str(place)) from None
    return Options(queue=name).with_knobs(how, {"name": name, **knobs}, place)
