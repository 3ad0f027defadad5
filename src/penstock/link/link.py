"""One out-link of a worker: its account, its receivers' room, and what waits. Decides; ``sender`` does it.

All methods but ``put`` are called with the worker's lock held.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional

from penstock.link.credit import NEVER, Credit
from penstock.link.ledger import Cargo, Fault, Ledger
from penstock.link.outbox import Outbox
from penstock.link.passage import Passage
from penstock.message.envelope import Failure, Hello
from penstock.observe import page

Put = Callable[..., bool]
"""Takes an item, as ``Outbox.put``."""


class Dispatch(NamedTuple):
    """A batch, and to whom it goes."""

    receiver: int
    cargo: Cargo


class Link:
    """What is handed to whichever receiver has room."""

    lone = True
    """Whether an item that comes alone may go before it is known which it is."""

    def __init__(
        self,
        *,
        id: int,
        target: str,
        max_failures: int,
        word: int,
        pool: int = 0,
        outbox: Optional[Outbox] = None,
    ) -> None:
        """``pool``: bytes of shared memory that the arrays of this link may use. ``outbox``: another than the
        one that takes all."""
        self.id = id
        self.target = target
        self.word = word
        """Its first word on the status page."""
        self.ledger = Ledger(max_failures)
        self.credit = Credit(pool)
        self.outbox = Outbox() if outbox is None else outbox
        self.put = self.outbox.put
        self.take = self.outbox.take
        self.limit = 1
        """When so many items wait, whoever makes more must wait too."""
        self.tap: Optional[Callable[[Cargo], None]] = None
        """Gets to see every cargo that goes out; nobody looks, usually. Set by ``watch``."""
        self._watchers: Dict[str, Callable[[Cargo], None]] = {}
        self.easing: Optional[float] = None
        """When its credit gives way, where it does."""
        self.passage: Optional[Passage] = None
        """What it says of ids that never arrive; nobody below wants to know, usually."""
        self.bytes = self.shared = 0
        """What was sent, and what of it lay in shared memory."""

    def toward(self, _: Any) -> Put:
        """What takes this value."""
        return self.put

    def watch(self, who: str, see: Optional[Callable[[Cargo], None]]) -> None:
        """Have ``see`` called with every cargo just before it goes out, beside the others; None: no more."""
        self._watchers.pop(who, None)
        if see is not None:
            self._watchers[who] = see
        watchers = list(self._watchers.values())
        self.tap = _all(watchers) if len(watchers) > 1 else watchers[0] if watchers else None

    @property
    def waiting(self) -> int:
        """Items that were put and not yet sent for the first time."""
        return self.outbox.waiting

    @property
    def full(self) -> bool:
        """Whether the maker of items has to wait."""
        return self.outbox.waiting >= self.limit or self.outbox.heavy >= self.outbox.heavy_limit

    @property
    def empty(self) -> bool:
        """Whether nothing waits and nothing is in flight."""
        told = self.passage is None or self.passage.empty
        return told and not self.waiting and not self.ledger.in_flight

    @property
    def unfinished(self) -> bool:
        """Whether receivers are still to be through with an item of it."""
        return self.waiting > 0 or self.ledger.unfinished

    def next_due(self) -> Optional[float]:
        """When time alone gives it something to do: an item to deliver again, a letter to write again. An
        item for which nobody has room needs no clock: it will go when credit comes."""
        due = sooner(self.ledger.next_burial(), self.easing)
        again = self.ledger.next_due()
        return due if again is None or self.credit.trigger() == NEVER else sooner(due, again)

    def next_batch(self, clock: Callable[[], float]) -> Optional[Dispatch]:
        """What may be sent now; None: better wait."""
        ledger, outbox = self.ledger, self.outbox
        due = ledger.next_due() is not None and ledger.due(clock())
        # What is due again takes any room there is: held back until somebody idles, as one item would
        # be, it would hold back all that waits behind it.
        waiting = NEVER - 1 if due else outbox.waiting
        offer = self.credit.offer(waiting) if waiting else None
        if offer is None:
            self.easing = self.credit.ease(clock()) if waiting else None
            return None
        cargo = ledger.take_due() if due else self.take(offer.items, offer.nbytes)
        return Dispatch(offer.receiver, cargo)

    def join(self, hello: Hello) -> str:
        """A receiver says HELLO; what people should know of that, if anything.

        Raises:
            ValueError: it asks for what cannot be.
        """
        self.credit.join(hello.worker, hello.window, hello.window_bytes, hello.batch)
        return ""

    def close(self, receiver: int) -> str:
        """Nothing more for it, but it finishes what it has. Answers as ``join``."""
        self.credit.close(receiver)
        return ""

    def leave(self, receiver: int) -> str:
        """It is dead. Answers as ``join``."""
        self.credit.leave(receiver)
        return ""

    def requeue(self, cargo: Cargo, shard: int, now: float) -> None:
        """A dead letter was put back. ``shard`` is for links with a key."""
        self.ledger.requeue(cargo, now)

    def spend(self, receiver: int, cargo: Cargo) -> None:
        """A batch was sent to it."""
        self.credit.spend(receiver, len(cargo), cargo.nbytes)
        self.bytes += cargo.nbytes

    def regain(self, receiver: int, cargo: Cargo, busy: int) -> None:
        """It finished a batch, in ``busy`` ns."""
        self.credit.regain(receiver, len(cargo), cargo.nbytes, busy)
        if cargo.slots is None:
            self.credit.pace.weigh(len(cargo), cargo.nbytes)

    def note(self, words: Any) -> None:
        """Write on the status page how things stand."""
        ledger, at = self.ledger, self.word
        words[at + page.SENT] = ledger.sent
        words[at + page.SETTLED] = ledger.settled
        words[at + page.DEAD] = ledger.dead
        words[at + page.AGAIN] = ledger.again
        words[at + page.SENT_BYTES] = self.bytes
        words[at + page.TAKEN_BACK] = ledger.taken_back
        words[at + page.WAITING] = self.waiting
        words[at + page.SHARED_BYTES] = self.shared
        words[at + page.OLDEST] = int(ledger.oldest * 1e9)
        words[at + page.COST] = int(self.credit.pace.cost)


def sooner(one: Optional[float], other: Optional[float]) -> Optional[float]:
    """The earlier of two times that may not be."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _all(watchers: List[Callable[[Cargo], None]]) -> Callable[[Cargo], None]:
    def see(cargo: Cargo) -> None:
        for watcher in watchers:
            watcher(cargo)

    return see


def faults(failures: Iterable[Failure]) -> List[Fault]:
    """What a receiver says of items that were not finished, as a ledger needs to know it."""
    return [
        Fault(f.index, f.error, f.traceback, f.reject, f.after, f.unread, f.shared, f.unbegun)
        for f in failures
    ]
