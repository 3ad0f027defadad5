"""Devices and pools: what comes is passed on and counted, and they stop when they are asked to."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from penstock.errors import RequestFailed, TimedOut, UserError
from penstock.patterns import (
    Forwarder,
    Publisher,
    Puller,
    Pusher,
    Queue,
    Replier,
    ReplierPool,
    Requester,
    Streamer,
    Subscriber,
    Tuning,
)

LONG = 30.0


def test_a_streamer_passes_on_all_of_it_and_counts(tmp_path: Path) -> None:
    with (
        Streamer(f"ipc://{tmp_path}/f", f"ipc://{tmp_path}/b") as device,
        Pusher(device.front_endpoint) as pusher,
        Puller(device.back_endpoint, bind=False) as puller,
    ):
        for number in range(500):
            pusher.send({"number": number})
        pusher.send(np.zeros(100_000))
        assert [puller.receive(LONG)["number"] for _ in range(500)] == list(range(500))
        assert puller.receive(LONG).nbytes == 800_000
        counts = device.stop()
    assert (counts.forth, counts.back, counts.dropped) == (501, 0, 0)
    assert counts.bytes > 800_000


def test_what_has_come_is_passed_on_before_it_stops() -> None:
    device = Streamer("inproc://sf", "inproc://sb").start()
    with Pusher("inproc://sf") as pusher:
        for number in range(300):
            pusher.send(number)
        with Puller("inproc://sb", bind=False) as puller:
            assert device.stop(within=LONG).forth == 300
            assert [puller.receive(LONG) for _ in range(300)] == list(range(300))


def test_it_stops_in_time_though_nobody_takes_what_it_holds() -> None:
    device = Streamer("inproc://held-f", "inproc://held-b", tuning=Tuning(hwm=1, linger=0)).start()
    with Pusher("inproc://held-f") as pusher:
        pusher.send("nobody wants this")
        assert device.stop(within=0.05).forth == 0
        assert device.stop().forth == 0, "and again"


def test_back_pressure_goes_through_a_device() -> None:
    with (
        Streamer("inproc://bp-f", "inproc://bp-b", tuning=Tuning(hwm=1, linger=0)),
        Puller("inproc://bp-b", bind=False, tuning=Tuning(hwm=1)) as puller,
        Pusher("inproc://bp-f", timeout=0.05, tuning=Tuning(hwm=1, linger=0)) as pusher,
    ):
        sent = 0
        with suppress(TimedOut):
            while sent < 100:
                pusher.send(sent)
                sent += 1
        assert sent < 20, "it was felt"
        assert [puller.receive(LONG) for _ in range(sent)] == list(range(sent))


def test_a_forwarder_passes_on_what_is_asked_for(tmp_path: Path) -> None:
    with (
        Forwarder(f"ipc://{tmp_path}/f", f"ipc://{tmp_path}/b") as device,
        Publisher(device.front_endpoint, bind=False) as publisher,
        Subscriber(device.back_endpoint, topics="wanted") as subscriber,
    ):
        got: list[Any] = []
        while not got:
            publisher.send("unwanted", 0)
            publisher.send("wanted", 1)
            try:
                got.append(subscriber.receive(0.01))
            except TimedOut:
                continue
        assert got == [("wanted", 1)]
        assert device.counts.back == 2, "a topic is two subscriptions"


def test_a_queue_has_requests_answered_by_several_repliers(tmp_path: Path) -> None:
    with Queue(f"ipc://{tmp_path}/f", f"ipc://{tmp_path}/b") as device, ThreadPoolExecutor() as threads:

        def serve() -> None:
            with Replier(device.back_endpoint, bind=False) as replier:
                replier.serve(lambda x: (x, threading.get_ident()), requests=5)

        serving = [threads.submit(serve) for _ in range(2)]
        with Requester(device.front_endpoint, timeout=LONG) as requester:
            answers = [requester.request(number) for number in range(10)]
        for each in serving:
            each.result(LONG)
        assert [answer[0] for answer in answers] == list(range(10))
        assert len({answer[1] for answer in answers}) == 2
        assert device.stop()[:2] == (10, 10)


@pytest.mark.parametrize(
    "make", [lambda where: Queue(where, "inproc://x"), lambda where: ReplierPool(where, str)]
)
def test_one_that_cannot_be_opened_says_so_where_it_is_started(make: Callable[[str], Any]) -> None:
    with pytest.raises(UserError, match="would listen on all interfaces"):
        make("tcp://*:5555").start()


def test_a_pool_answers_several_at_once(tmp_path: Path) -> None:
    together = threading.Barrier(3)

    def handler(value: int) -> int:
        together.wait(LONG)  # nobody goes on alone
        return value * 2

    with (
        ReplierPool(f"ipc://{tmp_path}/s", handler, threads=3) as pool,
        ThreadPoolExecutor() as threads,
    ):

        def ask(value: int) -> Any:
            with Requester(pool.endpoint, timeout=LONG) as requester:
                return requester.request(value)

        assert list(threads.map(ask, range(6))) == [0, 2, 4, 6, 8, 10]
    assert pool.answered == 6


def test_a_pool_answers_on_after_a_handler_that_exits(tmp_path: Path) -> None:
    def handler(value: int) -> int:
        if value == 0:
            raise SystemExit("enough")
        return value

    with (
        ReplierPool(f"ipc://{tmp_path}/s", handler, threads=1) as pool,
        Requester(pool.endpoint, timeout=LONG) as requester,
    ):
        with pytest.raises(RequestFailed, match="enough"):
            requester.request(0)
        assert requester.request(7) == 7
    assert pool.answered == 2


def test_a_slow_request_holds_up_nobody(tmp_path: Path) -> None:
    release = threading.Event()

    def handler(value: str) -> str:
        if value == "slow":
            release.wait(LONG)
        return value

    with ReplierPool(f"ipc://{tmp_path}/s", handler, threads=2) as pool, ThreadPoolExecutor(1) as threads:

        def slow() -> Any:
            with Requester(pool.endpoint, timeout=LONG) as requester:
                return requester.request("slow")

        waiting = threads.submit(slow)
        with Requester(pool.endpoint, timeout=LONG) as requester:
            assert all(requester.request(number) == number for number in range(20))
        release.set()
        assert waiting.result(LONG) == "slow"


def test_what_was_taken_is_answered_before_a_pool_stops(tmp_path: Path) -> None:
    taken, release = threading.Event(), threading.Event()

    def handler(value: int) -> int:
        taken.set()
        release.wait(LONG)
        return value

    pool = ReplierPool(f"ipc://{tmp_path}/s", handler, threads=1).start()
    with ThreadPoolExecutor(2) as threads:

        def ask() -> Any:
            with Requester(pool.endpoint, timeout=LONG) as requester:
                return requester.request(7)

        asked = threads.submit(ask)
        assert taken.wait(LONG)
        stopped = threads.submit(pool.stop)
        release.set()
        assert stopped.result(LONG) == 1
        assert asked.result(LONG) == 7


def test_a_pool_tells_of_errors_and_outlives_strangers(tmp_path: Path) -> None:
    with (
        ReplierPool(f"ipc://{tmp_path}/s", lambda x: 1 / x, threads=1) as pool,
        zmq.Context() as context,
        context.socket(zmq.DEALER) as stranger,
        Requester(pool.endpoint, timeout=LONG) as requester,
    ):
        stranger.connect(pool.endpoint)
        for request in ([b"no envelope"], [b""], [b"", b"\xc1"], [b"", b"", b""], [b"x" * 300, b"", b"\x01"]):
            stranger.send_multipart(request)
        with pytest.raises(RequestFailed, match="ZeroDivisionError"):
            requester.request(0)
        assert requester.request(np.full(20_000, 2.0)).shape == (20_000,)
        assert requester.request(4) == 0.25


FORGOTTEN = """
import os, sys, threading
from penstock.patterns import Publisher, Puller, Pusher, Replier, ReplierPool, Requester, Streamer
folder = sys.argv[1]
device = Streamer(f"ipc://{folder}/f", f"ipc://{folder}/b").start()
pool = ReplierPool(f"ipc://{folder}/p", str).start()
pid = os.fork()
if not pid:
    device.stop()  # the parent's: nothing
    pool.stop()
    sys.exit()
assert os.waitpid(pid, 0)[1] == 0
with Pusher(f"ipc://{folder}/f") as pusher, Puller(f"ipc://{folder}/b", bind=False) as puller:
    pusher.send("on")
    assert puller.receive(30) == "on"
with Requester(f"ipc://{folder}/p") as requester:
    assert requester.request(1) == "1"
publisher = Publisher(f"ipc://{folder}/k", last_values=1)
publisher.send("a", 1)
bound = threading.Event()
def wait():
    replier = Replier(f"ipc://{folder}/r")
    bound.set()
    replier.receive(None)
threading.excepthook = lambda told: None if "is closed" in str(told.exc_value) else print(told, flush=True)
threading.Thread(target=wait, daemon=True).start()
bound.wait()
print("done")
"""


def test_what_was_not_stopped_ends_with_the_process_and_a_forked_child_stops_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORGOTTEN, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)
    assert (told.returncode, told.stdout, told.stderr) == (0, "done\n", "")
