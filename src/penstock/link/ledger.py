"""What a sender owes: every item it sent, until it is settled. A decision module: no sockets, no clock.

At any time, per link:    sent = settled + dead + dropped + in flight

where *in flight* is with a receiver, or waiting to be delivered again. An item leaves the ledger by
exactly one of three doors: ``settled`` (everything made from it has been settled downstream), ``dead``
(its letter is on disk) or ``dropped`` (its link may do that: see ``lossy``). Sent is what no longer waits:
what is dropped while it waits is sent and dropped in one step. Items are counted by batches; only a failure
or a death makes single ones of them.
"""

from __future__ import annotations

import heapq
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

FIRST_PAUSE = 0.05
"""Seconds before an item that failed once is delivered again; doubled each time."""
LONGEST_PAUSE = 10.0


class Run(NamedTuple):
    """Neighbouring items of one origin: ids ``origin:first`` ..., all made from ``parent``."""

    parent: Any
    """The batch they were made from (opaque here); None at a source."""
    origin: str
    first: int
    items: int


class Tag(NamedTuple):
    """What a link with a key knows of an item."""

    serial: int
    """Items are numbered as they are made."""
    shard: int


class Cargo:
    """The items of one batch, kept until they are settled."""

    __slots__ = (
        "attempt",
        "cause",
        "counted",
        "expires",
        "failures",
        "frames",
        "nbytes",
        "payloads",
        "runs",
        "slots",
        "tags",
        "traceback",
    )

    def __init__(
        self,
        payloads: List[bytes],
        runs: List[Run],
        *,
        nbytes: int = 0,
        slots: Optional[List[Sequence[Any]]] = None,
        frames: Sequence[Any] = (),
    ) -> None:
        self.payloads = payloads
        self.runs = runs
        self.nbytes = nbytes
        self.slots = slots
        """The arena slots of each item; None: none has any."""
        self.frames = frames
        """Only an item that travels alone has frames."""
        self.tags: Sequence[Tag] = ()
        """On a link with a key, the tag of each item."""
        self.attempt = 1
        self.counted = False
        """Whether its items are among those that the ledger calls sent."""
        self.expires = 0
        """When its items become too old, in ns on the host's monotonic clock; 0: never."""
        self.failures = 0
        self.cause = ""
        self.traceback = ""

    def __len__(self) -> int:
        return len(self.payloads)

    def ids(self) -> List[Tuple[str, int, int]]:
        """Origin, first number and count, neighbours joined also where their parents differ."""
        ids: List[Tuple[str, int, int]] = []
        for _, origin, first, count in self.runs:
            if ids and ids[-1][0] == origin and ids[-1][1] + ids[-1][2] == first:
                ids[-1] = (origin, ids[-1][1], ids[-1][2] + count)
            else:
                ids.append((origin, first, count))
        return ids

    def single(self, index: int) -> Cargo:
        """The item at ``index``, alone, as its next delivery."""
        payload = self.payloads[index]
        slots = self.slots[index] if self.slots is not None else ()
        nbytes = len(payload) + sum(slot.size for slot in slots) + sum(len(frame) for frame in self.frames)
        one = Cargo(
            [payload],
            [self.run_at(index)],
            nbytes=nbytes,
            slots=[slots] if slots else None,
            frames=self.frames,
        )
        one.attempt = self.attempt + 1
        one.counted, one.expires = self.counted, self.expires
        if self.tags:
            one.tags = [self.tags[index]]
        one.failures, one.cause, one.traceback = self.failures, self.cause, self.traceback
        return one

    def run_at(self, index: int) -> Run:
        """The one item at ``index`` as a run."""
        for run in self.runs:
            if index < run.items:
                return Run(run.parent, run.origin, run.first + index, 1)
            index -= run.items
        raise IndexError(index)


class Fault(NamedTuple):
    """One item that was not finished, as the ledger needs to know it."""

    place: int
    cause: str
    traceback: str = ""
    reject: bool = False
    after: Optional[float] = None
    unread: bool = False
    """The batch could not be decoded: in one of several items nobody knows yet which was bad."""
    shared: bool = False
    """The call failed that it was in with others. True at a first delivery alone: later ones come alone."""
    unbegun: bool = False
    """It goes to somebody else: whoever had it leaves, and has not tried."""


class _Open:
    """A batch that is out."""

    __slots__ = ("cargo", "failed", "finished", "receiver", "since", "stale")

    def __init__(self, receiver: int, cargo: Cargo, since: float) -> None:
        self.receiver = receiver
        self.cargo = cargo
        self.since = since
        self.finished = False
        self.failed: set[int] = set()
        self.stale = 0


class Settled(NamedTuple):
    """What left by the good door: the items of ``cargo`` that are not in ``failed``."""

    cargo: Cargo
    failed: set[int]


class Ledger:
    """One link's account at one sender."""

    def __init__(self, max_failures: int) -> None:
        self._max_failures = max_failures
        self._open: Dict[int, _Open] = {}
        self._next = 1
        self._again: List[Tuple[float, int, Cargo]] = []
        self._unburied: List[Tuple[float, int, Cargo]] = []
        self.sent = 0
        self.settled = 0
        self.dead = 0
        self.dropped_full = 0
        """Items dropped because their link was full."""
        self.dropped_too_old = 0
        self.again = 0
        """Deliveries beyond the first."""
        self.taken_back = 0
        """Items that a receiver held when it died."""

    @property
    def in_flight(self) -> int:
        """Items that are out, or wait to go out again."""
        return self.sent - self.settled - self.dead - self.dropped_full - self.dropped_too_old

    @property
    def unfinished(self) -> bool:
        """Whether a receiver is still to be through with an item, now or when it comes again."""
        # The last to go out are the last to be finished: nearly always the first look is enough.
        return bool(self._again) or any(not entry.finished for entry in reversed(self._open.values()))

    @property
    def next(self) -> int:
        """The number that the next batch will have."""
        return self._next

    @property
    def oldest(self) -> float:
        """When the oldest batch that is out went there; 0: none is out."""
        for entry in self._open.values():
            return entry.since
        return 0.0

    def send(self, receiver: int, cargo: Cargo, now: float = 0.0) -> int:
        """``cargo`` goes to ``receiver``; the number of the batch."""
        number = self._next
        self._next += 1
        self._open[number] = _Open(receiver, cargo, now)
        if not cargo.counted:
            self.sent += len(cargo)
            cargo.counted = True
        self.again += cargo.attempt > 1
        return number

    def finish(
        self, receiver: int, batch: int, faults: Sequence[Fault], now: float, stale: int = 0
    ) -> Tuple[Optional[Cargo], List[Cargo]]:
        """The receiver is through with a batch. Its cargo, for the credit, and the items that are now to
        be written to the dead letters (then ``buried``); ``(None, [])`` for what was never open: said
        twice, or by a receiver whose items have been taken back. ``stale``: so many of the others were too
        old to be begun, and nothing was made from them."""
        entry = self._open.get(batch)
        if entry is None or entry.receiver != receiver or entry.finished:
            return None, []
        entry.finished = True
        dying = self._take_faults(entry, faults, now)
        entry.stale = min(max(0, stale), len(entry.cargo) - len(entry.failed))
        return entry.cargo, dying

    def fail(self, receiver: int, batch: int, faults: Sequence[Fault], now: float) -> List[Cargo]:
        """Items of a batch that was finished have failed after all: they had been held back. Answers as
        ``finish`` what is to be written to the dead letters."""
        entry = self._open.get(batch)
        if entry is None or entry.receiver != receiver or not entry.finished:
            return []
        return self._take_faults(entry, faults, now)

    def _take_faults(self, entry: _Open, faults: Sequence[Fault], now: float) -> List[Cargo]:
        dying: List[Cargo] = []
        for fault in faults:
            if 0 <= fault.place < len(entry.cargo) and fault.place not in entry.failed:
                entry.failed.add(fault.place)
                one = entry.cargo.single(fault.place)
                in_company = fault.unread and len(entry.cargo) > 1
                if in_company or fault.unbegun or (fault.shared and entry.cargo.attempt == 1):
                    self._queue(one, now)  # not a failure of its own until it has come alone
                else:
                    dying += self._fail(one, fault, now)
        return dying

    def settle(self, receiver: int, batch: int) -> Optional[Settled]:
        """All that was made from a batch is settled; None for a batch that is not open, or not finished."""
        entry = self._open.get(batch)
        if entry is None or entry.receiver != receiver or not entry.finished:
            return None
        del self._open[batch]
        self.settled += len(entry.cargo) - len(entry.failed) - entry.stale
        self.dropped_too_old += entry.stale
        return Settled(entry.cargo, entry.failed)

    def lose(self, receiver: int, cause: str, blame: Optional[Tuple[int, int]], now: float) -> List[Cargo]:
        """The receiver died. What it held goes out again, one by one; the item that it was working on
        (``blame``: batch, index) has failed. Answers the items for the dead letters."""
        dying = []
        for number in [n for n, entry in self._open.items() if entry.receiver == receiver]:
            entry = self._open.pop(number)
            for index in range(len(entry.cargo)):
                if index in entry.failed:
                    continue
                one = entry.cargo.single(index)
                self.taken_back += 1
                if blame == (number, index):
                    dying += self._fail(one, Fault(index, cause, after=0.0), now)
                else:
                    self._queue(one, now)
        return dying

    def unsent(self, receiver: int, batch: int, now: float) -> None:
        """The batch could not be handed to the socket: its items wait again, for the same attempt."""
        cargo = self._open.pop(batch).cargo
        self.again -= cargo.attempt > 1
        for index in range(len(cargo)):
            one = cargo.single(index)
            one.attempt = cargo.attempt
            self._queue(one, now)

    def due(self, now: float) -> bool:
        """Whether an item waits whose time to go out again has come."""
        return bool(self._again) and self._again[0][0] <= now

    def next_due(self) -> Optional[float]:
        """When the next such time comes."""
        return self._again[0][0] if self._again else None

    def take_due(self) -> Cargo:
        """The first of them."""
        return heapq.heappop(self._again)[2]

    def requeue(self, cargo: Cargo, now: float) -> None:
        """A dead letter was put back: it counts as sent at once, so that nobody ends before it is over."""
        cargo.counted = True
        self.sent += len(cargo)
        self._queue(cargo, now)

    def drop(self, cargo: Cargo) -> None:
        """``cargo`` was waiting, and its link is full."""
        self.sent += len(cargo)
        self.dropped_full += len(cargo)

    def outlive(self, cargo: Cargo) -> None:
        """``cargo`` was waiting, for the first time or again, and has become too old."""
        if not cargo.counted:
            self.sent += len(cargo)
        self.dropped_too_old += len(cargo)

    def first_due(self) -> Cargo:
        """What ``take_due`` would take."""
        return self._again[0][2]

    def buried(self, _: Cargo) -> None:
        """Its letter is on disk."""
        self.dead += 1

    def not_buried(self, cargo: Cargo, when: float) -> None:
        """Its letter could not be written: it stays in flight, but with nobody, and is buried at ``when``."""
        heapq.heappush(self._unburied, (when, self._next, cargo))
        self._next += 1

    def next_burial(self) -> Optional[float]:
        """When to try that the next time; None: all letters are written."""
        return self._unburied[0][0] if self._unburied else None

    def take_unburied(self, now: float) -> List[Cargo]:
        """The items that are now to be written to the dead letters once more."""
        found = []
        while self._unburied and self._unburied[0][0] <= now:
            found.append(heapq.heappop(self._unburied)[2])
        return found

    def _fail(self, one: Cargo, fault: Fault, now: float) -> List[Cargo]:
        one.failures += 1
        one.cause, one.traceback = fault.cause, fault.traceback
        if fault.reject or one.failures > self._max_failures:
            return [one]
        pause = fault.after
        if pause is None:
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (one.failures - 1))
        self._queue(one, now + max(0.0, pause))
        return []

    def _queue(self, one: Cargo, when: float) -> None:
        # Numbered, so that what became due first goes first and two cargos are never compared.
        heapq.heappush(self._again, (when, self._next, one))
        self._next += 1
