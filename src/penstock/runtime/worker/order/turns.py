"""In the worker of a stage that takes its items in order: what has come, and whose turn it is.

Which item's turn it is says ``link.sequence``, what may be settled ``link.settling``; here are the batches
themselves. While there is nothing whose turn it is, every batch is finished, begun or not: its credit goes
back, for what has to come first may wait for just that.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from penstock.link.holding import Holding
from penstock.link.receiver import Inbound
from penstock.link.sequence import Segment, Sequencer
from penstock.link.settling import Settling
from penstock.message.codec import Decoder
from penstock.message.envelope import Failure
from penstock.observe import page
from penstock.runtime.worker.order.floors import Floors
from penstock.runtime.worker.order.teller import Teller
from penstock.runtime.worker.several.stock import Item, unpack


class Held:
    """A batch of the link that is not done."""

    __slots__ = ("busy", "credited", "failures", "inbound", "left", "values")

    def __init__(self, inbound: Inbound, values: List[Any]) -> None:
        self.inbound = inbound
        self.values = values
        """Of those taken: None. A view of shared memory shall die with its call."""
        self.failures: List[Failure] = []
        """Those that the sender does not know."""
        self.left = inbound.count
        """Items not done."""
        self.busy = 0
        """ns of user code so far."""
        self.credited = False
        """Its sender has its credit back."""

    def take(self, segment: Segment) -> List[Any]:
        """The values of these items."""
        at = slice(segment.place, segment.place + segment.items)
        values = self.values[at]
        self.values[at] = [None] * segment.items
        return values


class Turns:
    """What a worker has received and not done. Called with the worker's lock held."""

    def __init__(
        self,
        *,
        receiver: Holding,
        decoder: Decoder,
        words: Any,
        sequencer: Sequencer,
        floors: Floors,
        teller: Optional[Teller],
    ) -> None:
        self._receiver = receiver
        self._decoder = decoder
        self._words = words
        self._sequencer = sequencer
        self._settling = Settling(lambda root: sequencer.rows[root].floor)
        self._floors = floors
        self._teller = teller
        self._uncredited: Dict[int, Held] = {}
        self._cost = 1000.0
        """ns that an item takes here, as far as is known."""
        self._concluded = False

    def next(self, most: int) -> Optional[Segment]:
        """The items whose turn it is, ``most`` at most; None: there are none."""
        receiver = self._receiver
        self._settle()
        if receiver.paused and not receiver.leaving:
            return None
        self._accept()
        while True:
            segment = self._sequencer.take(most)
            if segment is None and self._conclude():
                continue
            if segment is None or not segment.repeat:
                break
            self.close(segment, segment.items, [], 0, begun=False)
        if segment is None:
            self._free()
            self._settle()
            self._words[page.KEPT] = self._sequencer.held  # all of it is finished now
        return segment

    def close(
        self, segment: Segment, done: int, failures: List[Failure], busy: int, *, begun: bool = True
    ) -> None:
        """The first ``done`` of these were called, with such failures, in ``busy`` ns; the others were
        not."""
        held: Held = segment.token
        for failure in failures:
            self._sequencer.again(segment, failure.index - segment.place)
        if done < segment.items:
            self._sequencer.put_back(segment.part(done, segment.items - done))
        held.left -= done
        held.busy += busy
        if begun:
            self._words[page.ITEMS] += done - len(failures)
            self._words[page.FAILURES] += len(failures)
            self._cost += 0.1 * (busy / max(1, done) - self._cost)
        if not held.credited:
            held.failures += failures
        elif failures:
            self._receiver.fault(held.inbound, failures)
        if not held.left:
            self._end(held)

    def _end(self, held: Held) -> None:
        """All of a batch is done."""
        if not held.credited:
            self._credit(held, held.busy)
        self._uncredited.pop(id(held.inbound), None)
        self._receiver.end(held.inbound)

    def _credit(self, held: Held, busy: int) -> None:
        failures, held.failures = held.failures, []
        held.credited = True
        self._receiver.finish(held.inbound, busy, failures)

    def _free(self) -> None:
        """Give back all credit: what comes next may have to wait for that. What the rest will take is not
        known yet; as long as others took."""
        while self._uncredited:
            _, held = self._uncredited.popitem()
            self._credit(held, held.busy + int(self._cost * held.left))

    def _accept(self) -> None:
        """Take what has come."""
        while True:
            inbound = self._receiver.next()
            if inbound is None:
                return
            if inbound.passed is not None:
                self._pass(inbound, inbound.passed)
            else:
                self._hold(inbound)

    def _pass(self, inbound: Inbound, ids: Any) -> None:
        self._settling.open(inbound, self._sequencer.passed(inbound.connection.link, ids))
        if self._teller is not None:
            self._teller.forward(inbound)
        self._receiver.end(inbound)

    def _hold(self, inbound: Inbound) -> None:
        failures: List[Failure] = []
        held = Held(inbound, unpack(self._decoder, inbound, failures))
        if failures:  # it cannot be read: its items come again, each alone
            self._words[page.FAILURES] += len(failures)
            held.failures, held.left = failures, 0
            self._settling.open(inbound, [])
            self._end(held)
            return
        again = inbound.attempt > 1
        self._uncredited[id(inbound)] = held
        link = inbound.connection.link
        self._settling.open(inbound, self._sequencer.arrive(link, held, inbound.ids, again=again))

    def _settle(self) -> None:
        """Settle all before which everything is. Where it has come to is on file first: so whoever comes
        after a kill waits for nothing that was settled."""
        through = self._receiver.through
        if not through and not self._concluded:
            return
        while through:
            self._settling.done(through.popleft())
        ripe, floors = self._settling.ripe()
        if floors:
            self._floors.note(floors)
        for inbound in ripe:
            self._receiver.settle(inbound)

    def _conclude(self) -> bool:
        """Nothing's turn has come. Once nothing more can come, what is held is let go; whether that is so.
        Who only makes room for another leaves it to that one."""
        receiver = self._receiver
        if not receiver.leaving:
            return False
        if not receiver.connections and not self._concluded:
            self._concluded = True
            self._sequencer.finish()
            return True
        batches = self._settling.batches.values()
        receiver.stuck = all(each.token.settled == each.token.emitted - 1 for each in batches)
        return False


class OrderedStock:
    """What ``Stock`` is to a stage with ``batch=`` or async code, in order."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._taken: List[Segment] = []

    def fill(self, items: List[Item], values: List[Any], most: int, *, alone: bool = True) -> bool:
        """As ``Stock.fill``; what it fills is always alone."""
        while len(items) < most:
            segment = self._turns.next(most - len(items))
            if segment is None:
                return False
            held: Any = segment.token
            is_suspect = held.inbound.attempt > 1
            if is_suspect and items:
                self._turns.close(segment, 0, [], 0)
                return True
            items += [Item(held, segment.place + place) for place in range(segment.items)]
            values += held.take(segment)
            self._taken.append(segment)
            if is_suspect:
                return True
        return True

    def finish(self, items: List[Item], busy: int) -> None:
        """As ``Stock.finish``."""
        taken, self._taken = self._taken, []
        for segment in taken:
            held: Held = segment.token
            places = range(segment.place, segment.place + segment.items)
            mine = [failure for failure in held.failures if failure.index in places]
            held.failures = [failure for failure in held.failures if failure.index not in places]
            self._turns.close(segment, segment.items, mine, busy * segment.items // len(items))
