"""Who may be sent how much. A decision module: no sockets, no clock.

Nothing is sent without credit. A receiver has room for ``window`` items and ``window_bytes`` bytes that
it has not finished, and credit comes back when work is *finished*, so it bounds what is in flight and not
just what is queued. Within that:

* a receiver with nothing to do is offered whatever waits, at once;
* a second batch, to be there when the first is done, goes out when it is as large as the first: so
  batches double while there is a backlog, and shrink when there is none;
* the receiver with the least in hand comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional

from penstock.link.batching import Pace

if TYPE_CHECKING:
    from penstock.link.trip import Trip

NEVER = 1 << 62
"""A number of waiting items that is not reached."""


LONGEST_TRIP = 1.0
"""Seconds of work that a receiver is sent beforehand at most, however far it is."""


class Offer(NamedTuple):
    """One batch that may be sent now."""

    receiver: int
    items: int
    """At most."""
    nbytes: int
    """At most, but one item always may."""


class _Room:
    """What one receiver has in hand."""

    __slots__ = ("batch", "batches", "items", "nbytes", "open", "trip", "window", "window_bytes")

    def __init__(self, window: int, window_bytes: int) -> None:
        self.window = window
        self.window_bytes = window_bytes
        self.batch = 0
        """Items that it gathers for one call of user code."""
        self.batches: List[int] = []
        self.items = 0
        self.nbytes = 0
        self.open = True
        self.trip: Optional[Trip] = None
        """The way to it, if it is on another host."""


class Credit:
    """The receivers of one link, and what each may still be sent."""

    def __init__(self, pool: int = 0) -> None:
        """``pool``: bytes of shared memory the sender has; its receivers share half of it, the other half is
        for what is finished and not yet settled. 0: their own windows are all that bounds them."""
        self.pace = Pace()
        self._pool = pool
        self._rooms: Dict[int, _Room] = {}

    def join(self, receiver: int, window: int, window_bytes: int, batch: int = 0) -> None:
        """A receiver says HELLO; ``window`` 0 leaves the number of items to the pace of the link, but it may
        have two of the batches that it gathers. Said twice, it still has in hand what it had.

        Raises:
            ValueError: a window or a batch below zero, or a window of no bytes.
        """
        if window < 0 or window_bytes < 1 or batch < 0:
            raise ValueError(f"a window of {window} items and {window_bytes} bytes, for batches of {batch}")
        room = self._rooms.setdefault(receiver, _Room(window, window_bytes))
        room.window, room.window_bytes, room.batch, room.open = window, window_bytes, batch, True

    def afar(self, receiver: int, trip: Trip) -> None:
        """It is on another host: what it is sent takes its time."""
        self._rooms[receiver].trip = trip

    def close(self, receiver: int) -> None:
        """It said BYE: nothing more for it, but it finishes what it has."""
        if receiver in self._rooms:
            self._rooms[receiver].open = False

    def leave(self, receiver: int) -> None:
        """It is gone."""
        self._rooms.pop(receiver, None)

    def receivers(self) -> List[int]:
        """Who has joined and not left."""
        return list(self._rooms)

    def __contains__(self, receiver: int) -> bool:
        return receiver in self._rooms

    def spend(self, receiver: int, items: int, nbytes: int) -> None:
        """A batch was sent to it."""
        room = self._rooms[receiver]
        room.batches.append(items)
        room.items += items
        room.nbytes += nbytes

    def regain(self, receiver: int, items: int, nbytes: int, busy: int) -> None:
        """It finished a batch, in ``busy`` ns."""
        room = self._rooms.get(receiver)
        if room is None:
            return
        room.batches.remove(items)
        room.items -= items
        room.nbytes -= nbytes
        self.pace.report(items, busy)

    def offer(self, waiting: int) -> Optional[Offer]:
        """The batch to send now when ``waiting`` items wait; None: better wait."""
        best: Optional[int] = None
        least = NEVER
        for receiver, room in self._rooms.items():
            if waiting == 1 and not room.batches and room.open:
                return Offer(receiver, 1, 1)  # an idle link: whatever its size, one item may go
            if waiting >= self._wants(room) and room.items < least:
                best, least = receiver, room.items
        if best is None:
            return None
        return self._offer(best, self._rooms[best])

    def listener(self) -> Optional[int]:
        """Whom to tell what needs no room: who has the least in hand; None: nobody is there."""
        there = [receiver for receiver, room in self._rooms.items() if room.open]
        return min(there, key=lambda receiver: self._rooms[receiver].items, default=None)

    def offer_to(self, receiver: int, waiting: int) -> Optional[Offer]:
        """The batch to send now to that receiver, for which ``waiting`` items wait; None: better wait."""
        room = self._rooms.get(receiver)
        if room is None or waiting < self._wants(room):
            return None
        return self._offer(receiver, room)

    def ease(self, _: float) -> Optional[float]:
        """When time alone would make an offer of what waits; None: it never does."""
        return None

    def _offer(self, receiver: int, room: _Room) -> Offer:
        window = self._window_bytes(room)
        nbytes = min(window // 2, window - room.nbytes)
        return Offer(receiver, self._most(room), max(1, nbytes))

    def trigger(self) -> int:
        """How many items must wait for ``offer`` to say yes; ``NEVER`` when none would do."""
        return min(map(self._wants, self._rooms.values()), default=NEVER)

    def backlog(self) -> int:
        """How many items a sender should let gather while all are busy: the next batch."""
        most = max((self._largest(room) for room in self._rooms.values()), default=1)
        return max(1, most)

    def heavy(self) -> int:
        """How many bytes of large arrays a sender should let gather: the next batch."""
        return max((self._window_bytes(room) // 2 for room in self._rooms.values()), default=1)

    def _window_bytes(self, room: _Room) -> int:
        if not self._pool:
            return room.window_bytes
        return max(1, min(room.window_bytes, self._pool // 2 // (len(self._rooms) + 1)))

    def _wants(self, room: _Room) -> int:
        """How many items must wait before this receiver is sent a batch."""
        if not room.open:
            return NEVER
        if not room.batches:
            return 1
        window_bytes = self._window_bytes(room)
        if room.nbytes >= window_bytes // 2 and room.nbytes + room.nbytes // room.items > window_bytes:
            return NEVER
        if room.window:
            if room.items >= room.window:
                return NEVER
        elif self._is_supplied(room) and room.items >= 2 * room.batch:
            return NEVER
        wanted = min(room.batches[-1], self._most(room))
        if room.items < 2 * room.batch:  # it may be waiting for no more than the rest of a batch
            return min(wanted, room.batch - room.items % room.batch)
        return wanted

    def _is_supplied(self, room: _Room) -> bool:
        """Whether it has enough to do until more can be there: while its credit is on its way hither, and
        what that buys on its way back."""
        trip, cost = room.trip, self.pace.cost
        if len(room.batches) < self.pace.depth(afar=trip is not None):
            return False
        return trip is None or not cost or room.items * cost >= min(trip.least, LONGEST_TRIP) * 1e9

    def _largest(self, room: _Room) -> int:
        """Items of a full batch for this receiver: two of them fill its window."""
        target = max(self.pace.target(), room.batch)
        return min(target, max(1, room.window // 2)) if room.window else target

    def _most(self, room: _Room) -> int:
        largest = self._largest(room)
        return min(largest, room.window - room.items) if room.window else largest
