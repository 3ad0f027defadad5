"""In the worker: what it has more than others where somebody takes its items, or it takes them itself, in
order.

Most workers have nothing of it. So it is imported where it is needed: every file costs each worker of a run
about half a millisecond of its start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Type

from penstock.link.receiver import Receiver
from penstock.pipeline.plan import UNBOUNDED
from penstock.runtime.control import Assignment
from penstock.runtime.worker.consumer import Consumer

if TYPE_CHECKING:
    from penstock.link.link import Link
    from penstock.link.passage import Passage
    from penstock.runtime.worker.exchange import Exchange
    from penstock.runtime.worker.order.replayer import Replayer
    from penstock.runtime.worker.order.teller import Teller
    from penstock.runtime.worker.order.turns import OrderedStock, Turns
    from penstock.runtime.worker.source.resumption import Resumption


def prepare(link: Link, *, ahead: int, assignment: Assignment, pool: int) -> None:
    """Have a link say what never arrives, and a source's keep to its bound."""
    from penstock.link.door import Door
    from penstock.link.passage import Passage
    from penstock.link.rein import Rein

    link.passage = Passage()
    if isinstance(link.outbox, Door):
        link.outbox.by_name = True
    if assignment.kind == "source" and ahead != UNBOUNDED:
        link.credit = Rein(pool, link, ahead=ahead, hands=assignment.hands)


def receiver_class(assignment: Assignment) -> Type[Receiver]:
    """The kind of receiver a worker needs."""
    if assignment.ordered:
        from penstock.link.holding import Holding

        return Holding
    if not tells(assignment):
        return Receiver
    from penstock.link.forwarding import Forwarding

    return Forwarding


def replayer_class(assignment: Assignment) -> Type[Replayer]:
    """The kind of player in the place of a source."""
    if not tells(assignment):
        from penstock.runtime.worker.order.replayer import Replayer

        return Replayer
    from penstock.runtime.worker.order.conductor import Conductor

    return Conductor


def tells(assignment: Assignment) -> bool:
    """Whether somebody takes its items, or what is made of them, in order."""
    return any(out.tells for outlet in assignment.outlets for out in outlet.links)


def _passages(assignment: Assignment, links: Dict[int, Link]) -> Dict[str, List[Passage]]:
    """By port."""
    found: Dict[str, List[Passage]] = {}
    for outlet in assignment.outlets:
        for out in outlet.links:
            passage = links[out.id].passage
            if passage is not None:
                found.setdefault(outlet.port, []).append(passage)
    return found


def teller(
    assignment: Assignment, links: Dict[int, Link], *, receiver: Receiver, **user: Any
) -> Optional[Teller]:
    """Who speaks for this worker, and what ``receiver`` hears for others goes on; None: nobody wants to know.
    ``user``: as for ``Teller``."""
    if not tells(assignment):
        return None
    from penstock.link.forwarding import Forwarding
    from penstock.runtime.worker.order.teller import Teller

    found = Teller(_passages(assignment, links), **user)
    if isinstance(receiver, Forwarding):
        receiver.forward = found.forward
    return found


def stock(
    assignment: Assignment, exchange: Exchange, teller: Optional[Teller]
) -> Callable[..., OrderedStock]:
    """Makes what a stage that takes its items in order has instead of a ``Stock``."""
    from penstock.runtime.worker.order.turns import OrderedStock

    def make(*, decoder: Any, words: Any, **_: Any) -> OrderedStock:
        return OrderedStock(_turns(assignment, exchange, teller, decoder=decoder, words=words))

    return make


def begin(assignment: Assignment, links: Dict[int, Link], resumption: Optional[Resumption]) -> None:
    """What a source has to say before its first item: which ids another worker has made, and is through
    with; or that the one before it is dead, and nothing more comes of what it had begun. (What plays a
    recording makes the same once more.)"""
    if assignment.reel is not None:
        return
    for port, passages in _passages(assignment, links).items():
        done = 0 if resumption is None else resumption.passed(port)
        origin = assignment.origin if resumption is None else resumption.origin
        for passage in passages:
            if done:
                passage.put(None, f"{origin}:{port}" if port else origin, 0, done)
            if origin == assignment.origin and assignment.incarnation:
                passage.put(None, assignment.origin_before, 0, 0)


def loop(
    assignment: Assignment,
    *,
    teller: Optional[Teller],
    batch: Dict[str, Any],
    one: Dict[str, Any],
    **parts: Any,
) -> Any:
    """What runs the code of a stage or sink: with ``batch`` of them in a call, or ``one`` after the other."""
    if assignment.ordered and not assignment.batch:
        from penstock.runtime.worker.order.orderly import Orderly

        turns = _turns(assignment, parts["exchange"], teller, decoder=parts["decoder"], words=parts["words"])
        return Orderly(**parts, **one, teller=teller, turns=turns)
    if assignment.ordered:
        made = stock(assignment, parts["exchange"], teller)
        batch = {**batch, "stock": made(decoder=parts["decoder"], words=parts["words"])}
    if teller is not None:
        from penstock.runtime.worker.order.telling import TellingBatcher, TellingConsumer

        if assignment.batch:
            return TellingBatcher(**parts, **batch, teller=teller)
        return TellingConsumer(**parts, **one, teller=teller)
    if assignment.batch:
        from penstock.runtime.worker.batcher import Batcher

        return Batcher(**parts, **batch)
    return Consumer(**parts, **one)


def _turns(
    assignment: Assignment, exchange: Exchange, teller: Optional[Teller], *, decoder: Any, words: Any
) -> Turns:
    from penstock.link.sequence import Sequencer
    from penstock.runtime.worker.order.floors import Floors
    from penstock.runtime.worker.order.turns import Turns

    receiver: Any = exchange.receiver
    floors = Floors(assignment.run_dir, assignment.stage)

    def notice(root: str, items: int) -> None:
        what = f"{items} item{'s' if items > 1 else ''} of {root}"
        exchange.notice(
            "warning", f"{assignment.stage} takes {what} now: what was to come before will not come any more"
        )

    sequencer = Sequencer(
        {link.id: link.roots for link in assignment.inlinks}, floors=dict(floors.known), notice=notice
    )
    return Turns(
        receiver=receiver, decoder=decoder, words=words, sequencer=sequencer, floors=floors, teller=teller
    )
