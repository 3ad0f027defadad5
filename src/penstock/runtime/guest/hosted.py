"""In a script that takes part in a pipeline: the worker, without a loop of its own.

What ``Worker.run`` does from top to bottom is done here in pieces, between which the script has the thread.
Its loop is the user code; the steward serves the sockets meanwhile, as in any worker. Nothing ends the
process but the script: where an ordinary worker dies with its supervisor, this one says so.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from penstock.errors import NotRunning
from penstock.link.receiver import Receiver
from penstock.message.codec import Decoder
from penstock.observe import page
from penstock.runtime import control
from penstock.runtime.guest.interrupts import Interrupts
from penstock.runtime.worker.channel import Channel, SupervisorLost
from penstock.runtime.worker.emitter import Emitter
from penstock.runtime.worker.exchange import Exchange, Stopped
from penstock.runtime.worker.order import ordering
from penstock.runtime.worker.order.teller import Teller
from penstock.runtime.worker.several.stock import Stock
from penstock.runtime.worker.worker import Worker
from penstock.runtime.worker.world import real


class Hosted(Worker):
    """A worker whose user code is the script around it. The lock is held except in the script's code."""

    def __init__(self, channel: Channel, assignment: control.Assignment) -> None:
        super().__init__(channel, assignment, real())
        self._dismissed = ""
        self._closed = False
        self._lost: Optional[BaseException] = None
        self._exchange.bereft = self._forsake
        self._exchange.obey(control.Dismissed, self._hear_why)
        self.assignment = assignment
        self.words = self._words
        self.interrupts = Interrupts(self._exchange.guard.knock)
        self.stock = Stock(
            receiver=self._exchange.receiver,
            decoder=Decoder(allow_pickle=assignment.allow_pickle),
            words=self._words,
            clock=self._clock,
        )
        self.teller: Optional[Teller] = None
        """Says which ids never arrive further down; None: nobody wants to know."""

    @property
    def exchange(self) -> Exchange:
        """Its sockets."""
        return self._exchange

    @property
    def receiver(self) -> Receiver:
        """What comes in."""
        return self._exchange.receiver

    @property
    def emitter(self) -> Emitter:
        """Where values go out."""
        return self._emitter

    @property
    def lost(self) -> bool:
        """Whether there is no pipeline any more."""
        return self._lost is not None

    def begin(self) -> None:
        """Take the seat.

        Raises:
            WiringError: what chooses among the links behind it cannot be imported here.
        """
        self._open()
        self._emitter = self._make_emitter()
        self.teller = self._make_teller(yields=False)
        if self.assignment.kind == "source":
            ordering.begin(self.assignment, self._links, None)
        self._words[page.STATE] = page.READY
        self._channel.say(control.Ready())
        self._wishes.take_back()
        self._exchange.guard.leave()

    def enter(self) -> None:
        """Out of the script's code.

        Raises:
            SupervisorLost: meanwhile that was seen.
        """
        self.interrupts.hold()
        self._exchange.guard.enter()
        if self._lost is not None:
            raise SupervisorLost

    def leave(self) -> None:
        """Back into it; a Ctrl-C that came meanwhile is raised."""
        if not self._closed:
            self._exchange.guard.leave()
        self.interrupts.release()

    def part(self, give_back: Callable[[], None]) -> None:
        """Go as one should: give back what is not done, wait until what was made is settled.

        Nothing goes back before those who sent it know that we leave, or it would come again at once.
        ``give_back``: does so with the item in hand, if there is one.

        Raises:
            Stopped: the pipeline ends without that, or Ctrl-C has come. What is unsettled comes again.
            SupervisorLost: it has ended.
        """
        exchange = self._exchange
        self._channel.say(control.Leaving())
        while not exchange.draining:
            self._turn()
        give_back()
        self.stock.give_back()
        while not self.receiver.left:
            self._turn()
            self.stock.give_back()
        self._words[page.STATE] = page.DRAINING
        exchange.serve()
        while not exchange.sender.idle:
            self._turn()
        exchange.part()
        exchange.sender.end()
        self._words[page.STATE] = page.FINISHED
        self._channel.say(control.Finished())

    def close(self) -> None:
        """Let go of everything; the script goes on. Twice is fine."""
        if self._closed:
            return
        self._closed = True
        self._exchange.guard.close()
        super().close()
        self._channel.close()
        self._arena.close()
        self._arena.map = b""  # unmapped with the last array that lies in it
        self._page.close()

    def farewell(self) -> NotRunning:
        """What to tell the script that has no pipeline any more."""
        label, name = self.assignment.label, self.assignment.pipeline
        if self._dismissed:
            return NotRunning(f"{name} goes on without this script as {label}: {self._dismissed}")
        return NotRunning(
            f"{name} has ended, or was killed, while this script took part as {label};"
            " attach again when it runs"
        )

    def _turn(self) -> None:
        if self._exchange.stopping or self.interrupts.came:
            raise Stopped
        self._exchange.turn()

    def _hear_why(self, message: Any) -> None:
        self._dismissed = message.cause

    def _forsake(self, error: BaseException) -> None:
        """The steward cannot go on; the script hears of it as soon as it asks for anything."""
        self._lost = error
        self._exchange.guard.retire()
