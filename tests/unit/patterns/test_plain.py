"""Requests, replies and pushes over real sockets: what comes, what ends, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from penstock.errors import PeerError, RequestFailed, TimedOut, UserError
from penstock.patterns import Puller, Pusher, Replier, Requester, Tuning
from penstock.patterns.plain import _Plain

Beside = Callable[..., Any]
LONG = 30.0
"""Seconds: more than anything takes on a busy machine."""


@pytest.fixture(params=["inproc", "ipc", "tcp"])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place to bind, of each transport."""
    return {"inproc": f"inproc://{tmp_path}", "ipc": f"ipc://{tmp_path}/s", "tcp": "tcp://127.0.0.1:0"}[
        request.param
    ]


@pytest.fixture
def beside() -> Iterator[Beside]:
    """Runs functions in threads, and waits for them at the end."""
    with ThreadPoolExecutor() as pool:
        yield pool.submit


def answering(endpoint: str, beside: Beside, handler: Any, requests: int, **options: Any) -> str:
    """The endpoint of a replier that serves so many requests in a thread."""
    bound = threading.Event()
    where: list[str] = []

    def serve() -> None:
        with Replier(endpoint, **options) as replier:
            where.append(replier.endpoint)
            bound.set()
            replier.serve(handler, requests=requests)

    beside(serve)
    assert bound.wait(LONG)
    return where[0]


def test_a_value_pushed_is_the_value_pulled(endpoint: str) -> None:
    values = [1, "two", {"three": 3.0}, (4,), b"5" * 100_000, None, {"six": {6}}]
    with Puller(endpoint) as puller, Pusher(puller.endpoint) as pusher:
        for value in values:
            pusher.send(value)
        assert [puller.receive(LONG) for _ in values] == values


def test_so_is_an_array_of_any_size(endpoint: str) -> None:
    with Puller(endpoint) as puller, Pusher(puller.endpoint) as pusher:
        for size in (0, 10, 100_000, 1_000_000):
            array = np.arange(size, dtype="f4")
            pusher.send({"array": array})
            np.testing.assert_array_equal(puller.receive(LONG)["array"], array)


def test_a_request_has_its_reply(endpoint: str, beside: Beside) -> None:
    where = answering(endpoint, beside, lambda x: x + 1, 3)
    with Requester(where, timeout=LONG) as requester:
        assert [requester.request(x) for x in range(3)] == [1, 2, 3]


def test_what_a_handler_raises_is_raised_where_it_was_asked(endpoint: str, beside: Beside) -> None:
    where = answering(endpoint, beside, lambda x: 1 / x, 2)
    with Requester(where, timeout=LONG) as requester:
        with pytest.raises(RequestFailed, match="ZeroDivisionError: division by zero") as error:
            requester.request(0)
        assert error.value.kind == "ZeroDivisionError"
        assert requester.request(2) == 0.5, "and the replier serves on"


def test_waiting_ends_and_says_who_waited_for_what() -> None:
    with Puller("inproc://nobody-pushes", timeout=0.02) as puller:
        with pytest.raises(TimedOut, match=r"Puller on inproc://nobody-pushes: nothing came within 0\.02 s"):
            puller.receive()
        with pytest.raises(TimedOut, match="within 0 s"):
            puller.receive(0)


def test_a_full_queue_ends_a_send_too(tmp_path: Path) -> None:
    with Pusher(f"ipc://{tmp_path}/s", tuning=Tuning(hwm=1, linger=0)) as pusher:
        pusher.send(1)
        with pytest.raises(TimedOut, match=r"no peer took it within 0\.02 s"):
            pusher.send(1, timeout=0.02)


def test_a_request_nobody_answers_ends(tmp_path: Path) -> None:
    requester = Requester(f"ipc://{tmp_path}/s", timeout=0.01, retries=2)
    with requester, pytest.raises(TimedOut, match=r"no reply within 0\.07 s in 3 attempts"):
        requester.request("hello")


def test_a_request_is_sent_again_to_a_server_that_came_back(tmp_path: Path, beside: Beside) -> None:
    """The lazy pirate: the first server takes the request and dies with it."""
    where, answered = f"ipc://{tmp_path}/s", threading.Event()

    def dies_then_serves() -> Any:
        with Replier(where, tuning=Tuning(linger=0)) as first:
            taken = first.receive(LONG)
        with Replier(where) as second:
            while not answered.is_set():
                with suppress(TimedOut):
                    second.send(second.receive(0.05).upper())
        return taken

    died = beside(dies_then_serves)
    with Requester(where, timeout=0.2, retries=7) as requester:
        assert requester.request("hello") == "HELLO"
    answered.set()
    assert died.result(LONG) == "hello"


def test_a_late_reply_is_not_taken_for_that_of_the_next_request(tmp_path: Path) -> None:
    where = f"ipc://{tmp_path}/s"
    with Replier(where) as replier, ThreadPoolExecutor(1) as pool:
        given_up = threading.Event()

        def ask() -> Any:
            with Requester(where, timeout=LONG) as requester:
                with pytest.raises(TimedOut):
                    requester.request("slow", timeout=0.05)
                given_up.set()
                return requester.request("quick")

        answer = pool.submit(ask)
        assert replier.receive(LONG) == "slow"
        assert given_up.wait(LONG)
        replier.send("late")
        assert replier.receive(LONG) == "quick"
        replier.send("at once")
        assert answer.result(LONG) == "at once"


@dataclass
class Order:
    what: str
    count: int


def test_what_comes_is_what_it_was_said_to_be_and_the_rest_is_left_out(endpoint: str) -> None:
    with Puller(endpoint, of=Order) as puller, Pusher(puller.endpoint) as pusher:
        for value in ({"what": "nails"}, 7, Order("nails", 3)):
            pusher.send(value)
        assert puller.receive(LONG) == Order("nails", 3)
        assert puller.refused == 2


def test_who_asked_what_is_refused_is_told_so(tmp_path: Path, beside: Beside) -> None:
    where = answering(f"ipc://{tmp_path}/s", beside, lambda order: order.count, 1, of=Order)
    with Requester(where, timeout=LONG) as requester:
        with pytest.raises(RequestFailed, match=r"the request was refused: .*Expected `object`, got `str`"):
            requester.request("nails")
        assert requester.request(Order("nails", 3)) == 3


def test_a_reply_that_is_not_what_it_is_to_be_is_an_error_that_says_why(
    tmp_path: Path, beside: Beside
) -> None:
    where = answering(f"ipc://{tmp_path}/s", beside, lambda value: value, 2)
    with Requester(where, timeout=LONG, of=list[int]) as requester:
        with pytest.raises(PeerError, match=r"reply was refused: .*Expected `int`, got `str` - at `\$\[1\]`"):
            requester.request([1, "two"])
        assert requester.request([1, 2]) == [1, 2]


def test_a_stranger_that_speaks_another_protocol_is_left_out(tmp_path: Path, caplog: Any) -> None:
    with Puller(f"ipc://{tmp_path}/s") as puller, Pusher(puller.endpoint) as pusher:
        context = zmq.Context()
        with context.socket(zmq.PUSH) as stranger:
            stranger.connect(puller.endpoint)
            for frames in ([b""], [b"", b"", b"x", b"y"], [b"\xc1"], [b"", b"\x01"] * 3000, [b"\x93\x01"]):
                stranger.send_multipart(frames)
            stranger.send(b"\x2a")
            assert puller.receive(LONG) == 42, "what it said well is taken"
            assert puller.refused == 5
        context.term()
        pusher.send("on")
        assert puller.receive(LONG) == "on"
    assert "has refused 1 so far" in caplog.text


def test_a_replier_answers_on_after_such_a_stranger(tmp_path: Path, beside: Beside) -> None:
    where = answering(f"ipc://{tmp_path}/s", beside, str.upper, 1)
    context = zmq.Context()
    with context.socket(zmq.REQ) as stranger:
        stranger.connect(where)
        for frames in ([b"\xc1"], [b"\x01", b"\x02", b"\x03"], [b"", b""]):
            stranger.send_multipart(frames)
            assert len(stranger.recv_multipart()) == 4, "a failure"
        with Requester(where, timeout=LONG) as requester:
            assert requester.request("on") == "ON"
    context.term()


def test_a_socket_is_one_threads(beside: Beside) -> None:
    with Puller("inproc://mine") as puller, Pusher("inproc://mine") as pusher:
        uses: list[Callable[[], object]] = [puller.receive, lambda: pusher.send(1), puller.close]
        for use in uses:
            with pytest.raises(UserError, match="belongs to the thread 'MainThread'"):
                beside(use).result(LONG)
        pusher.send(1)
        assert puller.receive() == 1


def test_a_closed_socket_says_so_and_may_be_closed_again() -> None:
    puller = Puller("inproc://closed")
    puller.close()
    puller.close()
    with pytest.raises(UserError, match="Puller on inproc://closed is closed"):
        puller.receive()


def test_it_is_not_its_turn_says_a_replier_without_a_request() -> None:
    with Replier("inproc://turns") as replier, pytest.raises(UserError, match="not its turn"):
        replier.send("reply")


FORK = """
import os, sys
from penstock.patterns import Puller, Pusher
puller = Puller(f"ipc://{sys.argv[1]}/s")
pid = os.fork()
if not pid:
    try:
        puller.receive()
    except Exception as error:
        print(error, flush=True)
    puller.close()
    with Pusher(f"ipc://{sys.argv[1]}/s") as pusher:
        pusher.send("from the child")
    sys.exit()
print(puller.receive(30), flush=True)
os.waitpid(pid, 0)
"""


def test_after_a_fork_the_child_is_told_so_and_makes_its_own(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORK, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)
    assert "was made before a fork, and works in the parent only" in told.stdout
    assert "from the child" in told.stdout
    assert told.returncode == 0 and not told.stderr


LEAVE = """
import sys
from penstock.patterns import Pusher
pusher = Pusher(f"ipc://{sys.argv[1]}/s")
for number in range(1000):
    pusher.send(number)
"""


def test_what_was_sent_leaves_before_the_process_does(tmp_path: Path) -> None:
    with Puller(f"ipc://{tmp_path}/s", timeout=LONG) as puller:
        subprocess.run([sys.executable, "-c", LEAVE, tmp_path], check=True, timeout=LONG)
        assert [puller.receive() for _ in range(1000)] == list(range(1000))


def test_a_process_ends_though_nobody_takes_what_it_sent(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", LEAVE, tmp_path], check=True, timeout=LONG)


def test_a_socket_file_is_its_owners_and_nobody_elses_is_taken_away(tmp_path: Path) -> None:
    where = f"ipc://{tmp_path}/s"
    with Puller(where):
        assert os.stat(tmp_path / "s").st_mode & 0o777 == 0o600
        with pytest.raises(UserError, match="is in use"):
            Puller(where)
    with Puller(where):
        pass


def test_what_cannot_be_bound_says_why(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such folder"):
        Puller(f"ipc://{tmp_path}/none/s")
    with Puller("tcp://127.0.0.1:0") as first, pytest.raises(UserError, match="it is in use"):
        Puller(first.endpoint)


@pytest.mark.parametrize(
    "make",
    [
        Puller,
        lambda: Puller("inproc://a", timeout=-1),
        lambda: Puller("inproc://a", tuning=Tuning(hwm=-1)),
        lambda: Puller("inproc://a", tuning=Tuning(linger=float("nan"))),
        lambda: Puller("inproc://a", tuning=Tuning(watch=1)),  # type: ignore[arg-type]
        lambda: Requester("inproc://a", retries=1.5),  # type: ignore[arg-type]
        lambda: Puller("tcp://192.0.2.1:5555"),
        lambda: Puller("tcp://*:5555"),
    ],
)
def test_what_a_socket_cannot_be_is_refused_before_it_is(make: Callable[[], _Plain]) -> None:
    with pytest.raises(UserError):
        make()


def test_iterating_gives_value_after_value() -> None:
    with Puller("inproc://all", timeout=0.05) as puller, Pusher("inproc://all") as pusher:
        for number in range(3):
            pusher.send(number)
        got = []
        with suppress(TimedOut):
            for number in puller:
                got.append(number)  # noqa: PERF402  a loop keeps what it had
        assert got == [0, 1, 2]
