"""A publisher's last values, for subscribers that join late: in a thread, as it may be silent for an hour.

Two threads and one socket: whoever uses it holds the lock. The thread sleeps until ZeroMQ's file says that
something has come (that is who subscribes), and a publisher looks for the same once it has published, as its
call may have been the one that took note of it.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable

from penstock.message.parcel import Parcel
from penstock.patterns.topics import Latest, stamped
from penstock.patterns.wire import NOBODY, Wire

SUBSCRIBES = 1


class Keeper:
    """Of one publisher."""

    def __init__(self, wire: Wire, most: int) -> None:
        """``most``: topics whose last value is kept."""
        self._wire = wire
        self._latest = Latest(most)
        self._id, self._number = os.urandom(8), 0
        self._lock = threading.Lock()
        self._end, self._ended = os.pipe()
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._attend, name="penstock-keeper", daemon=True)
        self._thread.start()

    def publish(self, topic: bytes, pack: Callable[[bytes], Parcel]) -> None:
        """Publish what ``pack`` makes with the head it is given, and keep it."""
        self._wire.be_mine()
        self._number += 1
        parcel = pack(stamped(topic, self._id, self._number))
        with self._lock:
            self._wire.spread(parcel)
            self._latest.keep(topic, [parcel] if isinstance(parcel, bytes) else parcel)
            self._serve()

    def close(self) -> None:
        """End the thread. In the child of a fork there is none."""
        if self._end >= 0 and self._pid == os.getpid():
            os.close(self._ended)
            self._thread.join()
            os.close(self._end)
            self._end = -1

    def _attend(self) -> None:
        file = self._wire.fileno()
        while True:
            with self._lock:
                self._serve()
            try:
                ready, _, _ = select.select([file, self._end], [], [])
            except OSError:
                if self._wire.owner == NOBODY:
                    return  # the process ends, and has closed it
                raise
            if self._end in ready:
                return

    def _serve(self) -> None:
        """Send what those who have just subscribed have missed. (It goes to all who asked for that topic; a
        subscriber knows what it has had.)"""
        while said := self._wire.hear():
            if said[0] == SUBSCRIBES:
                for frames in self._latest.wanted(said[1:]):
                    self._wire.spread(frames)
