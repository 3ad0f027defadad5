"""What happens to connections is in the log, as typed events."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.errors import TimedOut
from penstock.patterns import Puller, Pusher, Requester, Tuning
from penstock.patterns.monitor import Connected, Disconnected, Listening, Refused, Retrying, SocketEvent
from penstock.security import Keyring
from penstock.security.curve import new_pair

LONG = 30.0


class Events(logging.Handler):
    """Keeps the events of all records."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.seen: queue.SimpleQueue[SocketEvent] = queue.SimpleQueue()

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.put(record.event)  # type: ignore[attr-defined]  # put there by `monitor`

    def until(self, kind: type[SocketEvent], name: str) -> SocketEvent:
        """The next event of that kind at a socket of that name."""
        while True:
            event = self.seen.get(timeout=LONG)
            if type(event) is kind and event.socket.startswith(name):
                return event


@pytest.fixture
def events() -> Iterator[Events]:
    log, handler = logging.getLogger("penstock.patterns.monitor"), Events()
    before = log.level
    log.setLevel(logging.DEBUG)
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)
    log.setLevel(before)


def test_a_connection_is_told_of_from_its_beginning_to_its_end(events: Events, tmp_path: Path) -> None:
    where = f"ipc://{tmp_path}/s"
    with Pusher(where, tuning=Tuning(reconnect=0.01)):
        retrying = events.until(Retrying, "Pusher")
        assert isinstance(retrying, Retrying) and 0 < retrying.after < 1
        with Puller(where):
            assert events.until(Listening, "Puller").endpoint == where
            assert events.until(Connected, "Pusher").socket == f"Pusher on {where}"
        assert events.until(Disconnected, "Pusher").endpoint == where


def test_who_is_not_let_in_is_told_of(events: Events, tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "keys")
    keyring.keep(new_pair())
    with Puller("tcp://127.0.0.1:0", curve=keyring) as puller, Pusher(puller.endpoint):
        refused = events.until(Refused, "Puller")
        assert isinstance(refused, Refused) and "with keys, or without" in refused.why


def test_the_thread_that_listens_ends_with_the_socket(tmp_path: Path) -> None:
    others = _monitors()
    with Requester(f"ipc://{tmp_path}/s", timeout=0.01, retries=2) as requester:
        assert len(_monitors() - others) == 1
        with pytest.raises(TimedOut):
            requester.request(1)
        begun = _monitors() - others
    for thread in begun:
        thread.join(LONG)
        assert not thread.is_alive()


def _monitors() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "penstock-monitor"}


def test_who_wants_no_thread_has_none(tmp_path: Path) -> None:
    others = _monitors()
    with Puller(f"ipc://{tmp_path}/s", tuning=Tuning(watch=False)), Puller("inproc://unwatched"):
        assert _monitors() <= others
