"""Where one worker sits in a rehearsal: a thread that runs only while it has the turn.

Exactly one thread of a rehearsal runs at any time, and it hands the turn back only where a real worker
would wait for its sockets. So there is nothing to race with, and the order is the same every time. (A
generator would do without threads; but the worker's own loops, and user code that waits for room, must be
able to wait from deep inside, and they shall be the same code as in a real run.)
"""

from __future__ import annotations

import select
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from penstock.link.sockets import Call
from penstock.runtime import control
from penstock.runtime.worker.channel import SupervisorLost

CHANNEL, KNOCKS = -1, -2
"""Numbers that no file has, for what a real worker polls beside its sockets."""


class Seat:
    """A thread and what its worker waits with."""

    def __init__(self, run: Callable[[], None], *, clock: Callable[[], float]) -> None:
        """``run`` is the worker's whole life."""
        self.deadline: float | None = None
        """Until when it waits, if nothing comes."""
        self.ended = False
        self.error: BaseException | None = None
        """What nobody has caught: a fault of ours."""
        self.mailbox: deque[control.ToWorker] = deque()
        self.knocked = False
        self.outside: dict[int, Callable[[], bool]] = {}
        """Files of this machine that it waits for, each with whether anything is to be expected there."""
        self._run = run
        self._clock = clock
        self._waiter: Waiter | None = None
        self._begun = False
        self._abandoned = False
        self._mine = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._live, name="penstock-rehearsal", daemon=True)

    @property
    def is_ready(self) -> bool:
        """Whether it would go on, had it the turn."""
        if not self._begun:
            return True
        due = self.deadline is not None and self.deadline <= self._clock()
        return due or self._waiter is None or bool(self._waiter.now())

    def go(self) -> None:
        """Give it the turn until it waits or has ended."""
        if not self._begun:
            self._begun = True
            self._thread.start()
        self._mine.release()
        self._back.acquire()

    def wait(self, deadline: float | None) -> None:
        """In its thread: give the turn back, until there is something to do.

        Raises:
            SupervisorLost: the rehearsal is over.
        """
        if self._abandoned:  # and it tidies up
            raise SupervisorLost
        self.deadline = deadline
        self._back.release()
        self._mine.acquire()
        self.deadline = None
        if self._abandoned:
            raise SupervisorLost

    def abandon(self) -> None:
        """It is to end where it waits, as a worker does whose supervisor has gone."""
        self._abandoned = True
        if self._begun and not self.ended:
            self._mine.release()
            self._thread.join(1.0)

    # What its worker has of the world --------------------------------------------------------------------

    def waiter(self, files: dict[int, Call]) -> Waiter:
        """In place of ``link.sockets.Waiter``."""
        self._waiter = Waiter(self, files, self._clock)
        return self._waiter

    def _live(self) -> None:
        self._mine.acquire()
        try:
            if not self._abandoned:
                self._run()
        except SupervisorLost:
            pass
        except BaseException as error:  # noqa: BLE001  told to whoever called test(), in its thread
            self.error = error
        finally:
            self.ended = True
            self._back.release()


class Waiter:
    """Knows which sockets have a message; waits by giving the turn back."""

    def __init__(self, seat: Seat, files: dict[int, Call], clock: Callable[[], float]) -> None:
        self._seat = seat
        self._files = files
        self._clock = clock
        self._sockets: dict[Any, Call] = {}

    def watch(self, sockets: dict[Any, Call]) -> None:
        """From now on, wait on these too."""
        self._sockets = dict(sockets)

    def ready(self, timeout: float | None) -> list[Call]:
        """What is now to be called."""
        if not self.now() and timeout != 0.0:
            self._seat.wait(None if timeout is None else self._clock() + timeout)
        return self.now()

    def attend(self, file: int, expects: Callable[[], bool]) -> None:
        """A file of this machine is waited for too, if anything is to be expected there."""
        self._seat.outside[file] = expects

    def dismiss(self, file: int) -> None:
        """No longer."""
        self._seat.outside.pop(file, None)

    def now(self) -> list[Call]:
        """What is to be called without waiting."""
        found: list[Call] = [_nothing] if outside([self._seat], 0.0) else []
        found += [call for socket, call in self._sockets.items() if socket.inbox]
        if self._seat.mailbox:
            found.append(self._files[CHANNEL])
        if self._seat.knocked:
            found.append(self._files[KNOCKS])
        return found


class Channel:
    """In place of ``runtime.channel.Channel``."""

    def __init__(self, seat: Seat, hear: Callable[[control.ToSupervisor], None]) -> None:
        self._seat = seat
        self.say = hear

    def fileno(self) -> int:
        """To wait on."""
        return CHANNEL

    def learn(self, words: Any) -> None:
        """Nothing to be read here: words come as they are."""

    def receive(self) -> list[control.ToWorker]:
        """All that was told."""
        found = list(self._seat.mailbox)
        self._seat.mailbox.clear()
        return found


class Guard:
    """In place of ``runtime.steward.Guard``: who has the turn has the lock, and nobody serves meanwhile."""

    wake_fd = KNOCKS

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self.waiting = False

    def leave(self) -> None:
        """Into user code."""

    def enter(self) -> None:
        """And back."""

    def wake(self) -> None:
        """A view was dropped."""
        self._seat.knocked |= self.waiting

    def knock(self) -> None:
        """A thread has something to say; here it is the same one."""
        self._seat.knocked = True

    def hear(self) -> None:
        """It has been seen."""
        self._seat.knocked = False


class Inline:
    """In place of ``runtime.pool.Pool``: one thread runs at a time here, so it may as well be this one."""

    def __init__(self, count: int) -> None:
        """``count``: how many there are in a real run."""

    def do(self, call: Callable[..., None], *arguments: Any) -> None:
        """At once."""
        call(*arguments)


def outside(seats: Iterable[Seat], timeout: float) -> bool:
    """Whether something of this machine has come for one of them, by ``timeout`` seconds of real time."""
    poll = select.poll()  # not select(), which knows 1,024 files: a test may have opened more
    files = [file for seat in seats for file, expects in seat.outside.items()]
    for file in files:
        poll.register(file, select.POLLIN)
    return bool(files and poll.poll(timeout * 1000))


def _nothing() -> None:
    """Of a file that only ends a wait."""
