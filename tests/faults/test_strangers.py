"""Strangers at a socket with keys are refused, counted and told, and harm nobody."""

from __future__ import annotations

import logging
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest
import zmq

from penstock.errors import PenstockError, TimedOut
from penstock.patterns import Puller, Pusher, Tuning, context
from penstock.runtime import hostwire
from penstock.security import Keyring, joinkey
from tests.faults.rig import PENSTOCK, Rig
from tests.faults.strangers import Meddler, Strangers
from tests.keyrings import client_of, keyring

pytestmark = pytest.mark.fault

LONG = 60.0
MOST_GROWTH = 100 << 20
"""Bytes, of a process in which the strangers live, too."""


@pytest.fixture
def server(tmp_path: Path) -> Keyring:
    return keyring(tmp_path / "server")


@pytest.fixture
def client(tmp_path: Path, server: Keyring) -> Keyring:
    return client_of(server, tmp_path / "client")


def memory(process: int | str = "self") -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096


def until(happened: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + LONG
    while not happened():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def rate(puller: Puller, client: Keyring, items: int) -> float:
    """Items a second; all have come, in order, and nothing else has."""

    def send() -> None:
        with Pusher(puller.endpoint, curve=client.towards("hub"), timeout=LONG) as pusher:
            for number in range(items):
                pusher.send(number)
            pusher.send("end")

    sending = threading.Thread(target=send)
    begun = time.perf_counter()
    sending.start()
    assert [puller.receive(LONG) for _ in range(items)] == list(range(items))
    assert puller.receive(LONG) == "end"
    sending.join()
    return items / (time.perf_counter() - begun)


def test_strangers_harm_nobody(
    server: Keyring, client: Keyring, long_form: bool, caplog: pytest.LogCaptureFixture
) -> None:
    items, tries = (1_000_000, 20_000) if long_form else (20_000, 150)
    with Puller("tcp://127.0.0.1:0", curve=server, tuning=Tuning(handshake=1.0)) as puller:
        with Meddler(puller.endpoint) as meddler:
            with Pusher(meddler.endpoint, curve=client.towards("hub")) as pusher:
                pusher.send("overheard")
                assert puller.receive(LONG) == "overheard"
            alone, before, refused = rate(puller, client, items), memory(), context.gatekeeper().refused
            with Strangers(puller.endpoint, server=server.own.public, heard=meddler.heard) as strangers:
                strangers.stay_silent(100)
                until(lambda: strangers.tried.total() > tries // 3, "strangers try")
                among = rate(puller, client, items)
                until(lambda: strangers.tried.total() > tries, "strangers try")
                until(lambda: context.gatekeeper().refused > refused + 10, "keys are refused, and counted")
                for line in strangers.silent:
                    assert hung_up(line), "who does not say who he is, is not waited for"
        grown = memory() - before
        with pytest.raises(TimedOut):
            puller.receive(0.1)
    print(
        f"{sum(strangers.tried.values()):,} tries: {alone:,.0f} items/s alone, {among:,.0f} among strangers"
    )
    print(dict(strangers.tried), f"{grown:,} bytes more")
    assert grown < MOST_GROWTH, f"{grown:,}"
    assert "a key that is not trusted here" in caplog.text, "and people are told"
    assert len([one for one in caplog.records if one.levelno >= logging.WARNING]) < 100, "but not flooded"


def hung_up(line: socket.socket) -> bool:
    line.settimeout(LONG)
    try:
        while line.recv(4096):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


SLOW = """
import socket, struct, sys, time, threading
from penstock.patterns import Puller, Tuning
with Puller("tcp://127.0.0.1:0", tuning=Tuning(hwm=1, heartbeat=0.1)) as puller:
    print(puller.endpoint, flush=True)
    time.sleep(float(sys.stdin.readline()))
    print(puller.receive(0), flush=True)
"""


def test_a_connection_that_is_reset_while_its_reader_is_slow_kills_nobody() -> None:
    """With ZMTP's heartbeats, libzmq aborts then: at the next one, on a connection it no longer reads."""
    command = [sys.executable, "-c", SLOW]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as slow:
        assert slow.stdin is not None and slow.stdout is not None
        with (
            Meddler(slow.stdout.readline().strip()) as meddler,
            Pusher(meddler.endpoint, tuning=Tuning(linger=0, hwm=0)) as pusher,
        ):
            for number in range(2000):
                pusher.send([number, "x" * 1000])
            until(lambda: meddler.passed > 100_000, "much is on its way")
            meddler.reset()
        slow.stdin.write("1.0\n")
        slow.stdin.flush()
        assert slow.stdout.readline().startswith("[0, ")
        assert slow.wait(LONG) == 0


def test_what_was_changed_on_the_way_is_not_read(server: Keyring, client: Keyring, long_form: bool) -> None:
    """Some of it is lost with its connection, as ever where nobody confirms; what comes is what was said."""
    words = [f"a word that nobody may change: {number}" for number in range(50_000 if long_form else 3000)]
    quick = Tuning(reconnect=0.01, reconnect_most=0.05, linger=0.2)
    with Puller("tcp://127.0.0.1:0", curve=server) as puller, Meddler(puller.endpoint, every=12) as meddler:
        came: list[str] = []

        def send() -> None:
            for begin in range(0, len(words), 100):
                with (
                    Pusher(meddler.endpoint, curve=client.towards("hub"), tuning=quick) as pusher,
                    suppress(PenstockError),  # a broken handshake is not tried again
                ):
                    for word in words[begin : begin + 100]:
                        pusher.send(word, timeout=0.5)

        sending = threading.Thread(target=send)
        sending.start()
        while True:
            try:
                came.append(puller.receive(0.3))
            except TimedOut:
                if not sending.is_alive():
                    break
    print(f"{meddler.changed} changes: {len(came):,} of {len(words):,} came")
    assert meddler.changed > 3
    assert set(came) <= set(words) and len(came) == len(set(came))


def test_strangers_at_a_run_that_others_may_join_harm_nobody(rig: Rig, long_form: bool) -> None:
    """And neither does who may join, and talks nonsense."""
    items, tries = (300_000, 10_000) if long_form else (20_000, 100)
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    run = rig.start("doubling", command=[*PENSTOCK, "run", "--listen", endpoint], ITEMS=items)
    family = run.until_whole()
    key = joinkey.read(str(run.state / joinkey.NAME))
    before = memory(run.process.pid)
    with Strangers(endpoint, server=key.server) as strangers, Liar(endpoint, key) as liar:
        strangers.stay_silent(50)
        run.open("count", items // 2)
        run.until(lambda: strangers.tried.total() > tries, "strangers try", within=LONG)
        run.until(lambda: liar.said > 20 * tries, "nonsense is said", within=LONG)
        assert {each.pid for each in family} == {each.pid for each in run.workers()}, "nobody has died"
        run.open("count")
        run.until(lambda: run.noted("record") == items, "all items arrive among them", within=300)
        assert memory(run.process.pid) - before < MOST_GROWTH
    account = run.end(within=300)
    assert len(run.tape("record")) == items == account["totals"]["through"]
    assert run.lines("a key that is not trusted here"), "and people are told"
    assert run.lines("refused a message of a host, 64 so far: ")
    print(dict(strangers.tried), f"{liar.said:,} lies")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Liar:
    """Somebody who is let in as a worker, and says what no agent says."""

    def __init__(self, endpoint: str, key: joinkey.JoinKey) -> None:
        self._endpoint = endpoint
        self._key = key
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.said = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._enough.set()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        luck = random.Random(9)
        join = hostwire.packed(hostwire.Leave())
        letters = [
            hostwire.sealed(hostwire.Letter("0" * hostwire.TOKEN, number, number, 0, body=body))
            for number in (0, 1, 2)
            for body in (b"", join, b"\x81\xa4type\xa4join", b"\x91" * 5000)
        ]
        with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
            dealer.linger = 0
            dealer.curve_publickey, dealer.curve_secretkey = (
                self._key.pair.public.encode(),
                self._key.pair.secret.encode(),
            )
            dealer.curve_serverkey = self._key.server.encode()
            dealer.connect(self._endpoint)
            while not self._enough.wait(0.001):
                frame = bytearray(luck.choice([*letters, luck.randbytes(100)]))
                for _ in range(luck.randrange(3)):
                    frame[luck.randrange(len(frame))] = luck.randrange(256)
                with suppress(zmq.Again):
                    dealer.send_multipart([bytes(frame)] * luck.choice([1, 1, 1, 2]), zmq.NOBLOCK)
                    self.said += 1
