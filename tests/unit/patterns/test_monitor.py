"""What happens to connections is in the log, as typed events."""

from __future__ import annotations

import logging
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.errors import TimedOut
from penstock.patterns import Puller, Pusher, Requester, Subscriber, Tuning
from penstock.patterns.monitor import (
    Awake,
    Connected,
    Disconnected,
    Knocked,
    Listening,
    Refused,
    Retrying,
    Silent,
    SocketEvent,
)
from penstock.security import Keyring
from penstock.security.curve import new_pair

LONG = 30.0


class Events(logging.Handler):
    """Keeps the events of all records."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.seen: queue.SimpleQueue[SocketEvent] = queue.SimpleQueue()
        self._passed: list[SocketEvent] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.put(record.event)  # type: ignore[attr-defined]  # put there by `monitor`

    def until(self, kind: type[SocketEvent], name: str) -> SocketEvent:
        """The next event of that kind at a socket of that name. Others are kept: each socket has a thread to
        tell of it, so what happened first may be told last."""
        end = time.monotonic() + LONG
        while True:
            for event in self._passed:
                if type(event) is kind and event.socket.startswith(name):
                    self._passed.remove(event)
                    return event
            self._passed.append(self.seen.get(timeout=max(0.0, end - time.monotonic())))


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


STOPPED = """
import sys
from penstock.patterns import Publisher, Replier
with Publisher("tcp://127.0.0.1:0") as publisher, Replier("ipc://" + sys.argv[1]) as replier:
    print(publisher.endpoint, flush=True)
    replier.serve(str)
"""


def test_a_process_that_is_stopped_is_told_of_and_when_it_goes_on(events: Events, tmp_path: Path) -> None:
    """By tcp and at a file; whose connections stand."""
    often, where = Tuning(heartbeat=0.05), f"{tmp_path}/s"
    command = [sys.executable, "-c", STOPPED, where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        endpoint = other.stdout.readline().strip()
        with (
            Subscriber(endpoint, tuning=often),
            Requester(f"ipc://{where}", timeout=LONG, tuning=often) as requester,
        ):
            assert requester.request(1) == "1"
            other.send_signal(signal.SIGSTOP)
            silent = {events.until(Silent, "").socket for _ in range(2)}
            assert silent == {f"Subscriber on {endpoint}", f"Requester on ipc://{where}"}
            other.send_signal(signal.SIGCONT)
            assert {events.until(Awake, "").socket for _ in range(2)} == silent
            assert requester.request(2) == "2"
        other.kill()


def test_a_reader_that_has_no_room_is_not_taken_for_a_dead_one(events: Events) -> None:
    """Not after ten times as long as a dead one may be silent; and nothing is lost."""
    often, many, beats = Tuning(heartbeat=0.02, hwm=1), 100, 30
    with Puller("tcp://127.0.0.1:0", tuning=often) as puller:
        sending = threading.Thread(target=_push, args=(puller.endpoint, many, often))
        sending.start()
        for _ in range(beats):
            events.until(Knocked, "Puller")
        assert [puller.receive(LONG)[0] for _ in range(many)] == list(range(many))
        sending.join()


def _push(endpoint: str, many: int, tuning: Tuning) -> None:
    with Pusher(endpoint, tuning=tuning, timeout=LONG) as pusher:
        for number in range(many):
            pusher.send([number, bytes(200_000)])


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
