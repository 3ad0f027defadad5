"""A link whose receivers each get the items of certain keys.

Which receiver a key belongs to says ``affinity``, what waits for whom ``lanes``. The link is full when the
lane of *one* receiver holds a whole batch: a key that gets more than its replica can do makes the maker
wait, as a slow replica does, and no lane ever grows longer than that.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any, Callable, Dict, Iterator, NamedTuple, Optional

from penstock.link.affinity import Affinity
from penstock.link.batching import MOST
from penstock.link.credit import NEVER
from penstock.link.lanes import Lanes
from penstock.link.ledger import Cargo, Run, Tag
from penstock.link.link import Dispatch, Link, Put, sooner
from penstock.link.outbox import Extras
from penstock.message.envelope import Hello

NO_LIMIT = 1 << 62

PATIENCE = 10.0
"""Seconds for which keys wait for a replica that has never been there. It joins before its code is loaded."""


class _Marked(NamedTuple):
    """What the outbox knows as the parent of an item."""

    shard: int
    parent: Any


class KeyedLink(Link):
    """Items of one key go to one receiver, as long as it is there."""

    lone = False

    shard: Callable[[Any], int]
    """In which shard the key of a value is; set when user code is loaded."""

    def __init__(
        self, *, id: int, target: str, max_failures: int, word: int, pool: int = 0, replicas: int = 0
    ) -> None:
        """``replicas``: how many receivers are to be expected. The rest: see ``Link``."""
        super().__init__(id=id, target=target, max_failures=max_failures, word=word, pool=pool)
        self._serials = itertools.count()
        self._replicas: Dict[int, int] = {}
        self._patience: Optional[float] = None
        self.affinity = Affinity(replicas)
        self.lanes = Lanes(self.affinity)

    def toward(self, value: Any) -> Put:
        """What takes this value. Raises what ``shard`` raises."""
        return functools.partial(self.put_at, self.shard(value))

    def put_at(
        self,
        shard: int,
        parent: Any,
        origin: str,
        number: int,
        payload: bytes,
        extras: Optional[Extras] = None,
    ) -> bool:
        """``Outbox.put``, for an item of that shard."""
        return self.outbox.put(_Marked(shard, parent), origin, number, payload, extras)

    @property
    def waiting(self) -> int:
        """Items that were put and not yet sent for the first time."""
        return self.outbox.waiting + self.lanes.waiting

    @property
    def full(self) -> bool:
        """Whether the maker of items has to wait."""
        return self.outbox.waiting >= self.limit or self.lanes.longest >= self.limit or self._heavy

    @property
    def unfinished(self) -> bool:
        """Whether receivers are still to be through with an item of it."""
        return super().unfinished or not self.lanes.empty

    @property
    def _heavy(self) -> bool:
        return self.outbox.heavy + self.lanes.nbytes >= self.outbox.heavy_limit

    def next_due(self) -> Optional[float]:
        """When time alone gives it something to do. What is due already lies in a lane: it needs no clock."""
        again = sooner(self.ledger.next_burial(), self.ledger.next_due())
        return sooner(again, sooner(self._patience, self.easing))

    def next_batch(self, clock: Callable[[], float]) -> Optional[Dispatch]:
        """What may be sent now; None: better wait."""
        ledger, lanes = self.ledger, self.lanes
        while ledger.next_due() is not None and ledger.due(clock()):
            lanes.add_again(ledger.take_due())
        while self.outbox.waiting:
            lanes.add(self._singles(self.outbox.take(MOST, NO_LIMIT)))
        if self.affinity.incomplete:
            self._wait_for_all(clock())
        for receiver in lanes.pending():
            length = lanes.length(receiver)
            offer = self.credit.offer_to(receiver, NEVER - 1 if length is None else length)
            if offer is not None:
                return Dispatch(receiver, lanes.take(receiver, offer.items, offer.nbytes))
        self.easing = self.credit.ease(clock()) if self.waiting else None
        return None

    def _wait_for_all(self, now: float) -> None:
        """Some replicas have never been here: for how long what waits for them does so."""
        if self._patience is None and self.lanes.waiting:
            self._patience = now + PATIENCE
        elif self._patience is not None and self._patience <= now:
            self._patience = None
            self.affinity.complete()
            self.lanes.sort()

    def join(self, hello: Hello) -> str:
        """A receiver says HELLO; what people should know of that, if anything.

        Raises:
            ValueError: it asks for what cannot be.
        """
        super().join(hello)
        self._replicas[hello.worker] = hello.replica
        share = self.affinity.join(hello.worker, hello.replica)
        if not self.affinity.incomplete:
            self._patience = None
        self.lanes.sort()
        if not share:
            return ""
        return f"{self.target}/{hello.replica} has joined: {share:.0%} of the keys go to it from now on"

    def close(self, receiver: int) -> str:
        """Nothing more for it, but it finishes what it has. Answers as ``join``."""
        super().close(receiver)
        return self._without(receiver, self.affinity.close(receiver))

    def leave(self, receiver: int) -> str:
        """It is dead. Answers as ``join``."""
        super().leave(receiver)
        return self._without(receiver, self.affinity.leave(receiver))

    def requeue(self, cargo: Cargo, shard: int, now: float) -> None:
        """A dead letter was put back; it comes behind what was made before."""
        cargo.tags = [Tag(next(self._serials), shard)]
        super().requeue(cargo, shard, now)

    def spend(self, receiver: int, cargo: Cargo) -> None:
        """A batch was sent to it."""
        super().spend(receiver, cargo)
        self.affinity.sent(receiver, (tag.shard for tag in cargo.tags))

    def regain(self, receiver: int, cargo: Cargo, busy: int) -> None:
        """It finished a batch, in ``busy`` ns."""
        super().regain(receiver, cargo, busy)
        if self.affinity.finished(tag.shard for tag in cargo.tags):
            self.lanes.sort()

    def _without(self, receiver: int, share: float) -> str:
        self.lanes.sort()
        replica, left = self._replicas.get(receiver), self.affinity.receivers()
        if not share:
            return ""
        others = {0: "wait for another", 1: "go to the one that is left"}.get(
            left, f"go to the {left} others"
        )
        return f"{self.target}/{replica} has left: its keys ({share:.0%} of all) {others}"

    def _singles(self, cargo: Cargo) -> Iterator[Cargo]:
        """Each item of a batch as a cargo of its own, with its own parent."""
        at = 0
        for run in cargo.runs:
            for number in range(run.first, run.first + run.items):
                payload = cargo.payloads[at]
                slots = cargo.slots[at] if cargo.slots is not None else ()
                one = Cargo(
                    [payload],
                    [Run(run.parent.parent, run.origin, number, 1)],
                    nbytes=len(payload) + sum(slot.size for slot in slots) + sum(map(len, cargo.frames)),
                    slots=[slots] if slots else None,
                    frames=cargo.frames,
                )
                one.tags = [Tag(next(self._serials), run.parent.shard)]
                at += 1
                yield one
