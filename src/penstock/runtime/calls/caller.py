"""In whoever calls services: all calls of one process to the services of one run.

There is no thread for it. A thread that calls sends its own call, and waits at the socket for the answer;
of several that wait, one reads, and passes on what is for others (``turnstile``). In a loop of asyncio the
socket is one more file that is waited on (``loops``). So a call costs what sending and receiving cost.

A call is with one replica at a time. When that dies, which the supervisor says (``directory``), the call goes
to another: so it may be done twice, and ``ctx.attempt`` says so there.
"""

from __future__ import annotations

import functools
import os
import time
from collections import deque
from operator import attrgetter
from typing import Any, Deque, Dict, Iterable, Optional

from penstock.errors import (
    EnvironmentFault,
    NotRunning,
    PeerError,
    PenstockError,
    ServiceError,
    TimedOut,
    UserError,
)
from penstock.link import callwire
from penstock.link.callpeer import CallPeer, Ends, connect
from penstock.link.ear import Ear
from penstock.message.codec import Decoder
from penstock.runtime.calls import outcome
from penstock.runtime.calls.desk import Desk
from penstock.runtime.calls.directory import Directory, Gone, Listing, Seat, refusal
from penstock.runtime.calls.parcel import Parcels
from penstock.runtime.calls.pending import Pending
from penstock.runtime.calls.turnstile import Turnstile


class Caller:
    """All calls of this process to the services of one run."""

    def __init__(self, path: str, pipeline: str) -> None:
        """``path``: of the run directory.

        Raises:
            NotRunning: nobody answers there.
        """
        self._name = int.from_bytes(os.urandom(8), "little")
        self._directory = Directory(path, pipeline, caller=self._name)
        self._pipeline = pipeline
        self._pid = os.getpid()
        self.turnstile = Turnstile()
        self._ear = Ear(
            {
                self._directory.fileno(): self.read_directory,
                self.turnstile.wake_fd: self._give_way,
            }
        )
        self._parcels = Parcels()
        self._decoder = Decoder()
        self._desks: Dict[str, Desk] = {}
        self._peers: Dict[int, CallPeer] = {}
        """Replicas, by number."""
        self._hand: Dict[int, Pending] = {}
        """Calls without an outcome, by number."""
        self._abandoned: Deque[Pending] = deque()
        self._number = self._turns = 0
        self.leading = False
        """Some thread reads for all."""
        self.ended = ""
        """Why nothing can be called any more."""
        self.file = self._ear.fileno()
        """Can be read while there is something for ``drain``. (A number that stays the same: a loop still has
        it when it is closed.)"""
        self._apply()

    # What a call does ------------------------------------------------------------------------------------

    def begin(self, service: str, value: Any, seconds: Optional[float], *, waits: bool = False) -> Pending:
        """Send a call, or have it wait for room. With the turnstile held. ``waits``: who calls does nothing
        else until there is an outcome; so ``value`` stays as it is, should it have to be sent again.

        Raises:
            NotRunning: the run has ended, or this caller is closed.
            UserError: there is no such service.
            UnsupportedType: ``value`` cannot travel.
            EnvironmentFault: nothing can be connected to any replica.
        """
        if self.ended or self._pid != os.getpid():
            raise NotRunning(self.ended or "a connection to services does not survive a fork; make a new one")
        desk = self._desks.get(service)
        if desk is None:
            raise UserError(refusal(self._directory, service))
        if desk.unmet:
            self._meet_again(desk)
        body, frames = self._parcels.pack(value, bare=waits)
        self._number += 1
        due = None if seconds is None else time.monotonic() + seconds
        pending = self._hand[self._number] = Pending(self._number, service, body, frames, due)
        if desk.waiting or not self._try(desk, pending):
            desk.waiting.append(pending)
        return pending

    def room(self, service: str) -> int:
        """How many calls the replicas of a service hold of ours, at most, as things stand."""
        desk = self._desks.get(service)
        return desk.picker.room if desk is not None else 0

    def wait(self, pending: Pending) -> Any:
        """Until it has an outcome; that. With the turnstile held.

        Raises:
            RemoteError: it has raised.
            TimedOut: its time is up.
            ServiceError: replicas died with it, again and again.
            NotRunning: the run has ended.
        """
        try:
            while not pending.done:
                left = self._left(pending)
                if left is not None and left <= 0:
                    self._close_book(pending)
                elif self.leading:
                    pending.sleep(self.turnstile, left)
                else:
                    self._lead(pending, left)
        finally:
            if not pending.done:  # somebody has pressed Ctrl-C
                self.forget(pending)
            self.pass_on()
        return pending.result()

    def _lead(self, pending: Pending, left: Optional[float]) -> None:
        """Read for all until this one has an outcome, or its time is up, in ``left`` seconds."""
        self.leading = True
        turn = self._ear.turn
        try:
            while left is None or left > 0:
                turn(left)
                if pending.done:
                    return
                left = self._left(pending)
        finally:
            self.leading = False

    def pass_on(self) -> None:
        """Have another thread read, if nobody does and one waits. (A loop sees by itself that there is
        something to read.)"""
        if self.leading:
            return
        if self._abandoned:
            self._sweep()
        for other in self._hand.values():
            if other.sleeps and other.notify is not None:
                other.notify()
                return

    def abandon(self, left: Iterable[Pending]) -> None:
        """Nobody waits for these any more. From anywhere, also from within any of our own methods: what was
        forgotten is ended by the garbage collector."""
        self._abandoned.extend(left)
        if not self._abandoned:
            return
        if self.turnstile.enter_free():
            try:
                self._sweep()
            finally:
                self.turnstile.leave()
        else:
            self.turnstile.knock()

    def _sweep(self) -> None:
        while self._abandoned:
            self.forget(self._abandoned.popleft())

    def _give_way(self) -> None:
        self._sweep()
        if self.leading:
            self.turnstile.give_way()
        else:
            self.turnstile.hear()

    @staticmethod
    def _left(pending: Pending) -> Optional[float]:
        return None if pending.due is None else pending.due - time.monotonic()

    def _close_book(self, pending: Pending) -> None:
        """Its time is up, unless the answer is there already, and nobody has looked. (Of ``map``, whose
        reader may take long between two answers.)"""
        if not self.leading:
            self.drain()
        if not pending.done:
            self.expire(pending)

    def expire(self, pending: Pending) -> None:
        """Its time is up."""
        desk = self._desks[pending.service]
        begun = pending.replica != 0
        self.forget(pending)
        pending.fail(outcome.too_late(desk.name, desk.picker, begun=begun, waiting=len(desk.waiting)))

    def forget(self, pending: Pending) -> None:
        """Nobody waits for it any more."""
        if self._hand.pop(pending.id, None) is None:
            return
        if pending.replica:
            peer = self._peers.get(pending.replica)
            if peer is not None:
                peer.send(callwire.pack(callwire.Cancel([pending.id])))
        else:
            self._desks[pending.service].waiting.remove(pending)

    # What goes out ---------------------------------------------------------------------------------------

    def _try(self, desk: Desk, pending: Pending) -> bool:
        """Whether a replica had room for it. (Or it has an outcome: it cannot be sent.)"""
        while (number := desk.picker.pick(pending.version)) is not None:
            call = callwire.Call(pending.id, pending.attempt, self._left(pending), pending.body)
            try:
                sent = self._peers[number].send(callwire.pack(call), pending.frames, pending.id)
            except OSError as error:
                del self._hand[pending.id]
                pending.fail(EnvironmentFault(f"a call of {desk.name} cannot be sent: {error}"))
                return True
            if sent:
                desk.picker.taken(number)
                self._turns = pending.turn = self._turns + 1
                pending.replica = number
                return True
            desk.picker.close(number)  # it has just gone, and we shall hear of it
        return False

    def _pump(self, desk: Desk) -> None:
        while desk.waiting and self._try(desk, desk.waiting[0]):
            desk.waiting.popleft()

    # What comes in ---------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Take all that is there. Nobody is let in meanwhile: who then leads would not let us back."""
        while not self.ended and self._ear.turn(0):
            pass
        self.turnstile.remind()

    def _hear(self, desk: Desk, number: int, word: Any, frames: Any) -> None:
        told = callwire.from_replica(word)
        if isinstance(told, callwire.Leaving):
            desk.picker.close(number)
            return
        if isinstance(told, callwire.Refused):
            raise PeerError(f"a replica of {desk.name} refuses our words: {told.why}")
        desk.picker.freed(number, told.load)
        pending = self._hand.get(told.call)
        if pending is not None and pending.replica == number:
            self._settle(desk, pending, told, frames)
        if desk.waiting:
            self._pump(desk)

    def _part(self, desk: Desk, number: int, error: Optional[PeerError]) -> None:
        """That replica is gone: its calls come back when the directory says why. One that talks nonsense, or
        takes what we say for that, is not called again."""
        desk.picker.close(number)
        if error is not None:
            for pending in [each for each in self._hand.values() if each.replica == number]:
                del self._hand[pending.id]
                pending.fail(ServiceError(str(error)))

    def _settle(self, desk: Desk, pending: Pending, told: Any, frames: Any) -> None:
        if isinstance(told, callwire.Skipped) and not told.late:
            self._again(desk, pending)
            return
        del self._hand[pending.id]
        if isinstance(told, callwire.Answer):
            try:
                pending.succeed(self._parcels.unpack(self._decoder, told.body, frames))
            except PenstockError as error:
                pending.fail(error)
        elif isinstance(told, callwire.Failed):
            pending.fail(outcome.raised(desk.name, told))
        else:
            pending.fail(TimedOut(f"{desk.name} has not answered in the time that the call had"))

    def _again(self, desk: Desk, pending: Pending) -> None:
        """It is for another replica."""
        pending.replica = 0
        pending.attempt += 1
        desk.waiting.appendleft(pending)

    # Who is there ----------------------------------------------------------------------------------------

    def read_directory(self) -> None:
        """The supervisor may have said something."""
        if self.ended:
            return
        changed, alive = self._directory.read()
        if not alive:
            self.close(f"{self._pipeline} has ended")
        elif changed:
            self._apply()

    def _apply(self) -> None:
        """Take the directory as it is now for true."""
        for name, listing in self._directory.services.items():
            desk = self._desks.get(name)
            if desk is None:
                desk = self._desks[name] = Desk(name)
            self._seat(desk, listing)
            self._pump(desk)

    def _seat(self, desk: Desk, listing: Listing) -> None:
        desk.max_failures = listing.max_failures
        desk.unmet.clear()
        desk.picker.share(listing.shares)
        there = {seat.number for seat in listing.seats}
        for number in [each for each in desk.picker.numbers if each not in there]:
            self._lose(desk, number)
        for seat in listing.seats:
            if not seat.takes:
                desk.picker.close(seat.number)
            elif seat.number not in desk.picker:
                self._meet(desk, seat)

    def _meet(self, desk: Desk, seat: Seat) -> None:
        try:
            peer = connect(seat.endpoint, self._ear, Ends(self._name, seat.number, self._directory.curve))
        except (ConnectionRefusedError, FileNotFoundError, PeerError):
            return  # it has just gone, and we shall hear of it
        except OSError as error:
            desk.unmet[seat.number], desk.fault = seat, error
            return
        peer.heard = functools.partial(self._hear, desk, seat.number)
        peer.gone = functools.partial(self._part, desk, seat.number)
        desk.picker.add(seat.number, seat.version, seat.window)
        self._peers[seat.number] = peer
        peer.send(callwire.pack(callwire.Hello(callwire.VERSION, self._name)))

    def _meet_again(self, desk: Desk) -> None:
        """Those who could not be met: it may be better now."""
        unmet, desk.unmet = desk.unmet, {}
        for seat in unmet.values():
            self._meet(desk, seat)
        if desk.unmet and not desk.picker.numbers:
            raise EnvironmentFault(f"no replica of {desk.name} can be reached from here: {desk.fault}")

    def _lose(self, desk: Desk, number: int) -> None:
        """A replica is no more: what it had goes to others, of the same version where they have room."""
        desk.picker.close(number)  # what it has said makes room, which is to be nobody's
        peer = self._peers.pop(number)
        while peer.take():  # what it has said before it went
            pass
        peer.close()
        version = desk.picker.version(number)
        desk.picker.remove(number)
        gone = self._directory.gone.get(number, Gone())
        had = [each for each in self._hand.values() if each.replica == number]
        had.sort(key=attrgetter("turn"))
        for pending in reversed(had):
            pending.version = version
            if gone.caller == self._name and gone.call == pending.id:
                pending.losses += 1
            if pending.losses > desk.max_failures:
                del self._hand[pending.id]
                pending.fail(ServiceError(outcome.lost(desk.name, pending.losses, gone.cause)))
            else:
                self._again(desk, pending)

    def close(self, why: str = "this connection to services is closed") -> None:
        """Nothing more is called; who waits gets no answer. With the turnstile held. Twice is fine."""
        if self.ended:
            return
        self.ended = why
        for peer in self._peers.values():
            peer.close()
        for pending in list(self._hand.values()):
            pending.fail(NotRunning(f"{why}: the call of {pending.service} has no answer"))
        self._hand.clear()

    def disown(self) -> None:
        """In a child of a fork: only the parent is to keep its files, so that his end is seen."""
        self._ear.close()
        for peer in self._peers.values():
            peer.close()
        self._directory.close()

    def release(self) -> None:
        """Close its files, once it has ended: a loop may have waited on them until then."""
        self._ear.close()
        self._directory.close()
