"""Subscribers: code that gets what others publish, in a process of its own beside the wires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Mapping, Optional, Tuple

import msgspec

from penstock.errors import UserError, WiringError
from penstock.message.topics import asked
from penstock.pipeline import reference as code
from penstock.pipeline.flow import End, Start
from penstock.pipeline.options import Options
from penstock.pipeline.overlay import Overlay
from penstock.pipeline.place import Place, caller
from penstock.pipeline.plan import SUBSCRIBER, Ear, How, StagePlan
from penstock.pipeline.signature import Signature, misfit
from penstock.pipeline.stage import Decorator, Node

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from penstock.pipeline.knobs import Common


class Subscriber(Node[Start, End]):
    """Takes what is published: ``Pipeline("train", data >> train, log)``."""

    kind = SUBSCRIBER
    how: ClassVar[How] = "subscriber"

    def __init__(
        self,
        target: Any,
        options: Options,
        where: str,
        named: Optional[code.Reference] = None,
        ear: Optional[Ear] = None,
    ) -> None:
        self.ear = ear or Ear(["*"])
        super().__init__(target, options, where, named)

    def _with(self, knobs: Mapping[str, Any], place: Place) -> Self:
        options = self.options.with_knobs(self.how, knobs, place)
        return type(self)(self.target, options, self.where, self._named, self.ear)

    def _misfit(self, signature: Signature, options: Options) -> Optional[str]:
        if signature.is_generator:
            return "is a subscriber, but yields; what it yields would go nowhere: ctx.publish it"
        return misfit(signature, "sink")

    def plan(self, overlay: Optional[Overlay] = None) -> StagePlan:
        """As of every stage."""
        return msgspec.structs.replace(super().plan(overlay), ear=self.ear, concurrency=0)


class SubscriberDecorator(Decorator):
    """What ``subscriber("metrics.*")`` answers: it stands above a function or a class, or takes the name of
    one elsewhere.
    """

    def __init__(self, ear: Ear, options: Options) -> None:
        super().__init__(Subscriber, options)
        self._ear = ear

    def __call__(self, target: Any, /) -> Subscriber:
        """Decorate.

        Raises:
            WiringError: no function or class; no such file.
        """
        made: Subscriber = self._make(target, {}, caller())
        made.ear = self._ear
        return made


def subscriber(
    *topics: str, last: bool = False, conflate: bool = False, **knobs: Unpack[Common]
) -> SubscriberDecorator:
    """A function or class that is called with what the others publish: ``ctx.publish("metrics.loss", 0.1)``.

    ::

        @subscriber("metrics.*")
        def log(value: float, ctx: Context) -> None:
            print(ctx.topic, value)

        pipeline = Pipeline("training", batches >> train, log)

    It has a process of its own, is started again when it dies, and ends when all others have. What is
    published while it is not there, or while it is slow, waits for it, up to ``window`` values of each
    publisher (1000); beyond, the oldest goes. Everything that goes is counted. A value is given once: what
    raises is told and gone.

    Args:
        topics: ``"metrics.loss"``, or with a ``*`` at the end all that begin so.
        last: Also get the last value that was published before it came, of each topic that keeps one:
            ``ctx.publish(..., last=True)``.
        conflate: Of each topic only the newest waits: for who shows how things are now.
        knobs: As of a stage: ``name``, ``replicas`` (each gets everything), ``timeout``, ``env`` ...

    Raises:
        WiringError: no topics, or none that can be; a knob that does not exist, or says nothing here.
    """
    place = caller()
    ear = Ear(list(_asked(topics, place)), last=last, conflate=conflate)
    return SubscriberDecorator(ear, Options().with_knobs(Subscriber.how, knobs, place))


def _asked(topics: Tuple[Any, ...], place: Place) -> Tuple[str, ...]:
    if len(topics) == 1 and callable(topics[0]):
        raise WiringError('@subscriber needs topics: @subscriber("metrics.*")', str(place))
    try:
        return asked(topics)
    except UserError as error:
        raise WiringError(f"subscriber({', '.join(map(repr, topics))}): {error}", str(place)) from None
