"""In a worker of a run that has several hosts: its ways to the others. Imported there alone."""

from __future__ import annotations

import functools
from typing import Callable, Dict, Tuple

from penstock.link import tcp
from penstock.link.far import FarDealer, FarRouter, Landing
from penstock.link.sockets import Context
from penstock.link.wide import WideSender
from penstock.message import packing
from penstock.runtime.control import Assignment, Connect
from penstock.runtime.worker.exchange import Exchange


def sender(assignment: Assignment, context: Context) -> Callable[..., WideSender]:
    """Makes the sender of a worker that others find at ``assignment.listen``.

    Raises:
        EnvironmentFault: that cannot be had.
    """
    router, address = tcp.listen(context, assignment.listen, assignment.curve)
    gate = None if assignment.curve is None else tcp.Gate(context, assignment.curve)
    links = [link for outlet in assignment.outlets for link in outlet.links]
    compress = {link.id: link.compress for link in links if link.compress}
    return functools.partial(WideSender, far=FarRouter(router), address=address, gate=gate, compress=compress)


def reach(exchange: Exchange, assignment: Assignment, context: Context, clock: Callable[[], float]) -> None:
    """Have it connect to senders of its own host as ever, and to others by tcp."""
    wishes = {link.id: link.compress or "" for link in assignment.inlinks}
    told: Dict[int, str] = {}

    def far(link: int, endpoint: str, identity: bytes) -> Tuple[FarDealer, Landing]:
        wish = wishes.get(link, "")
        ways = packing.able(wish)
        if wish and not ways and link not in told:
            told[link] = packing.lacking(wish)
            exchange.notice("warning", f"what comes to {assignment.stage} from other hosts: {told[link]}")
        dealer, watch = tcp.dial(context, endpoint, identity, assignment.curve)
        tell = functools.partial(_tell, exchange, assignment.stage, endpoint)
        return FarDealer(dealer, watch, ways, prompt=wish == packing.AUTO, tell=tell), Landing(clock, ways)

    def connect(message: Connect) -> None:
        reached = functools.partial(far, message.link) if message.endpoint.startswith("tcp:") else None
        exchange.receiver.connect(message.link, message.peer, message.label, message.endpoint, far=reached)

    exchange.obey(Connect, connect)


def _tell(exchange: Exchange, stage: str, endpoint: str, answers: bool) -> None:  # noqa: FBT001  a callback
    text = "answers" if answers else "does not answer; is that port open, and does the tunnel carry it?"
    exchange.notice("warning", f"{stage} takes items from {endpoint}, which {text}")
