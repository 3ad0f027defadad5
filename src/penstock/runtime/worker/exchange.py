"""In the worker: where all messages come in and go out. With the lock held, whoever the thread is.

The main thread calls ``turn`` when it has nothing to do and ``pump`` from inside user code that makes
items; the steward calls ``turn`` while user code takes its time.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

from penstock.errors import PeerError
from penstock.link.link import sooner
from penstock.link.receiver import Receiver
from penstock.link.sender import Sender
from penstock.link.sockets import Call, Waiter
from penstock.observe import page
from penstock.runtime import control
from penstock.runtime.worker.bulletin import Bulletin
from penstock.runtime.worker.channel import Channel, SupervisorLost
from penstock.runtime.worker.steward import TICK, Guard
from penstock.runtime.worker.world import World

if TYPE_CHECKING:
    from penstock.link.hearing import Hearing

LOOK = 0.002
"""Seconds: how often a busy worker looks at its sockets. Meanwhile items gather into batches."""

MOST = 4096
"""Items between two looks."""

LATEST = 0.020
"""Seconds after which a worker looks at its sockets though nothing makes it: a receiver may have died."""

TOLD = 5
"""Notices of one kind that people get in one second; the page counts all."""


class Stopped(BaseException):
    """The worker was told to end now; unwinds user code that waits for room."""


class Exchange:
    """The sockets of one worker and what it was told."""

    def __init__(
        self, channel: Channel, *, number: int, label: str, words: Any, world: World, tick: float = TICK
    ) -> None:
        """``label``: how people call this worker. ``tick``: see ``Guard``."""
        self.channel = channel
        self.guard: Guard = world.guard(self._steward_turn, tick)
        self.sender: Sender
        self.receiver: Receiver
        self.draining = False
        """Nothing new is to be begun."""
        self.stopping = False
        """End after the current item."""
        self.exhausted = False
        """Nothing more is made here, whatever comes."""
        self.paused = False
        """Nothing new is to be begun for now: a source is not asked, a batch that came waits."""
        self.interruptible = False
        """Whether SIGTERM gets the main thread out of a source's ``next()``."""
        self.bulletin = Bulletin(self.guard.wake)
        self.waited = 0
        """ns that user code has waited for room in a link."""
        self.clock = world.clock
        self.hearing: Optional[Hearing] = None
        """Of a subscriber: where it gets what is published."""
        self.errand: Optional[Callable[[], None]] = None
        """What is to be done before each wait, if there is anything."""
        self.bereft: Callable[[BaseException], None] = _die
        """What the steward does when it cannot go on."""
        self._number = number
        self._label = label
        self._words = words
        self._refused = 0
        self._told: Dict[str, Tuple[int, int]] = {}
        self._waiter: Waiter = world.waiter(
            {channel.fileno(): self._obey, self.guard.wake_fd: self.guard.hear}
        )
        self._watched = -1
        self._looked = 0.0
        self._flushed = 0.0
        self._made = 0
        self._obedience: Dict[type, Callable[[Any], None]] = {
            control.Connect: self._connect,
            control.Gone: self._gone,
            control.Drain: self._drain,
            control.Stop: self._stop,
            control.Pause: lambda message: self.pause(paused=message.paused),
        }

    def obey(self, kind: type, do: Callable[[Any], None]) -> None:
        """Have ``do`` called with every message of that kind from the supervisor."""
        self._obedience[kind] = do

    def use(self, sender: Sender, receiver: Receiver) -> None:
        """The two ends this worker serves."""
        self.sender, self.receiver = sender, receiver

    def attend(self, file: int, expects: Callable[[], bool]) -> None:
        """Let ``turn`` end when ``file`` can be read, too. ``expects``: whether anything is to be expected
        there; only a test with a clock of its own asks."""
        self._waiter.attend(file, expects)
        self._watched = -1

    def dismiss(self, file: int) -> None:
        """No longer."""
        self._waiter.dismiss(file)
        self._watched = -1

    def notice(self, kind: str, text: str) -> None:
        """Tell people; of a kind that comes in thousands, the first few of every second."""
        second = int(self.clock())
        last, told = self._told.get(kind, (second, 0))
        if last == second and told >= TOLD:
            self._told[kind] = (second, told + 1)
            return
        if last != second:
            text += f" (and {told - TOLD:,} more like it before)" if told > TOLD else ""
            told = 0
        self._told[kind] = (second, told + 1)
        self.channel.say(control.Notice(kind, text))

    def pump(self) -> None:
        """From inside user code: send, take what has come, and wait while a link is full.

        Raises:
            Stopped: the worker was told to end.
        """
        self.guard.enter()
        try:
            if self.sender.dash() and self.clock() < self._looked + LATEST:
                return
            self.serve()
            self._pace()
            if self.sender.full:
                self._until_room()
            if self.stopping:
                raise Stopped
        finally:
            self.guard.leave()

    def _until_room(self) -> None:
        """Wait while a link is full. That is the receivers' time and not that of the item in hand: its
        time-out stands still meanwhile, and a worker that dies here did not die of it."""
        words, began = self._words, time.monotonic_ns()
        started, words[page.STARTED], words[page.BLOCKED] = words[page.STARTED], 0, began
        while self.sender.full and not self.stopping:
            self.turn()
            self._flush()  # what came may have made room; there may be no more to wait for
        waited = time.monotonic_ns() - began
        self.waited += waited
        words[page.WAITED] += waited
        words[page.BLOCKED] = 0
        if started:
            words[page.STARTED] = started + waited

    def has_room(self) -> bool:
        """Whether no link is full, once all is sent that may be: what has come may have made room."""
        if self.sender.full:
            self._flush()
        return not self.sender.full

    def pause(self, *, paused: bool) -> None:
        """Begin nothing more, or go on."""
        self.paused = self.receiver.paused = paused
        self.sender.alarm(on=paused or self.draining)

    def until_resumed(self) -> None:
        """From inside a source: wait while it is paused. Who drains is not.

        Raises:
            Stopped: the worker was told to end.
        """
        self.guard.enter()
        try:
            while self.paused and not self.draining:
                self.turn()
            if self.stopping:
                raise Stopped
        finally:
            self.guard.leave()

    def until_settled(self) -> None:
        """Wait until everything that was made here is settled.

        Raises:
            Stopped: the worker was told to end.
        """
        self.exhausted = True
        self.serve()
        while not self.sender.idle:
            self.turn()
            if self.stopping:
                raise Stopped

    def part(self) -> None:
        """Wait until the senders have read all that was said to them. They may hear of our end from the
        supervisor first, and what they have not read by then, they deliver again to others.

        Raises:
            Stopped: the worker was told to end.
        """
        self._flush()
        self.receiver.part()
        while not self.receiver.parted:
            self.turn()
            if self.stopping:
                raise Stopped

    def turn(self, until: Optional[float] = None) -> None:
        """Send what may be sent, wait until there is something to do, and do it; no longer than ``until`` on
        the clock, and not at all where items have ended here: that may be what the caller waits for. Never
        runs user code."""
        self.guard.waiting = True  # a view dropped from here on wakes us; the others are flushed
        try:
            ready = self._ready(0.0 if self._flush() else self._patience(until))
        finally:
            self.guard.waiting = False
        self._take_all(ready)

    def _patience(self, until: Optional[float]) -> Optional[float]:
        """Seconds until time alone gives it something to do, or ``until`` has come; None: it does not."""
        due = sooner(self.sender.next_due(), until)
        if self.bulletin.is_used:
            due = sooner(due, self.bulletin.next_due())
        if self.receiver.ebbs:
            due = sooner(due, self._dry_later())
        return None if due is None else max(0.0, due - self.clock())

    def serve(self) -> None:
        """Send what may be sent, take what has come, and send what may then be sent. Does not wait."""
        self._flush()
        ready = self._ready(0.0)
        while ready:
            self._take_all(ready)
            ready = self._ready(0.0)
        self._flush()

    def glance(self) -> None:
        """Between two batches: serve, unless that was done a moment ago. So what is made of small batches
        leaves in larger ones."""
        if self.clock() >= self._flushed + LOOK:
            self.serve()

    def _flush(self) -> bool:
        """Send what may be sent; whether items have ended by that."""
        self._flushed = now = self.clock()
        if self.bulletin.is_used:
            self._tell(now)
        ended = self.sender.flush()
        self.receiver.flush()
        if self.errand is not None:
            self.errand()
        if (self.exhausted or self.receiver.ebbs) and self.dry and not self._words[page.KEPT]:
            self.sender.ebb()
        return ended

    @property
    def dry(self) -> bool:
        """Whether nothing more is to be waited for, as things stand: whoever feeds us has nothing more, and
        what came is finished."""
        since = self.receiver.dry_from if self.receiver.ebbs else None
        return self.exhausted or (since is not None and since <= self.clock())

    def _dry_later(self) -> Optional[float]:
        """When, on the clock, it will be so if nothing comes; None: it is so already, or will not be."""
        since = self.receiver.dry_from
        return since if since is not None and since > self.clock() else None

    def _tell(self, now: float) -> None:
        notes = self.bulletin.tell(now)
        if notes is not None:
            self.channel.say(control.Progress(notes))

    def _ready(self, timeout: Optional[float]) -> List[Call]:
        hearing = self.hearing
        changes = self.receiver.changes + (hearing.changes if hearing is not None else 0)
        if self._watched != changes:
            self._watched = changes
            topics = hearing.calls() if hearing is not None else {}
            self._waiter.watch({**self.receiver.calls(), **self.sender.calls(), **topics})
        return self._waiter.ready(timeout)

    def _take_all(self, ready: List[Call]) -> None:
        """One message from each that is ready: so an idle worker is at its first item the soonest."""
        for take in ready:
            try:
                take()
            except PeerError as error:  # noqa: PERF203  one bad message must not keep the others waiting
                self._refuse(error)

    def _obey(self) -> None:
        for message in self.channel.receive():
            self._obedience[type(message)](message)

    def _pace(self) -> None:
        """Set the stride so that user code is left alone for about ``LOOK``, at the rate of the last stride.
        (Should the next item take much longer, the steward looks in its place.)"""
        now, made = self.clock(), self.sender.made
        items, elapsed = made - self._made, now - self._looked
        self.sender.stride = max(1, min(MOST, int(items * LOOK / elapsed))) if elapsed > 0 else MOST
        self._looked, self._made = now, made

    def interrupt_source(self) -> None:
        """Get the main thread out of a source's ``next()``, if it is there."""
        if self.interruptible:
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, signal.SIGTERM)

    def _steward_turn(self) -> None:
        if self.draining:
            self.interrupt_source()
        # Whoever took so long is in no hurry: what it makes next is looked at, however fast it was before.
        # With the stride of then, a short burst before the next pause would wait until some message comes.
        self.sender.stride = 1
        try:
            self.turn()
        except BaseException as error:
            self.bereft(error)

    def _refuse(self, error: PeerError) -> None:
        """A message that is none of the protocol is counted and told, and has changed nothing."""
        self._refused += 1
        self._words[page.REFUSED] = self._refused
        self.notice("refused", f"{self._label} refused a message: {error}")

    def _connect(self, message: control.Connect) -> None:
        self.receiver.connect(message.link, message.peer, message.label, message.endpoint)

    def _gone(self, message: control.Gone) -> None:
        self.receiver.gone(message.peer, finished=not message.cause)
        blame, item = message.blame, None
        if blame is not None and blame.sender == self._number:
            item = (blame.link, blame.batch, blame.index)
        self.sender.lose(message.peer, f"{message.label} {message.cause or 'ended'}", item)

    def _drain(self, _: control.Drain) -> None:
        self.draining = True
        self.receiver.leave()
        self.sender.alarm()
        self.interrupt_source()

    def _stop(self, _: control.Stop) -> None:
        self.draining = self.stopping = True
        self.sender.alarm()
        self.interrupt_source()


def _die(error: BaseException) -> None:
    """A worker whose duties nobody does must not look alive: dead, its items go to others."""
    if isinstance(error, SupervisorLost):
        os._exit(1)  # user code may never come back, and nobody is left to wait for it
    traceback.print_exception(type(error), error, error.__traceback__)
    os._exit(70)
