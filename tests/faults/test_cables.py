"""A cable between two hosts that is pulled: network namespaces with real TCP between, nothing simulated."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from penstock.bench import road
from penstock.security.curve import new_pair
from tests.keyrings import client_of, keyring

pytestmark = pytest.mark.fault
ROOT = Path(__file__).resolve().parents[2]
ITEMS = ("-m", "tests.faults.cable")
A_SECOND = 50
"""Items."""
RECOVERY = 15.0
"""Seconds, on a machine that is busy; 3 where it is not."""


class End:
    """A process at one end."""

    def __init__(self, prefix: tuple[str, ...], *arguments: str) -> None:
        command = [*prefix, sys.executable, *arguments]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._out: IO[Any] = self._process.stdout  # type: ignore[assignment]

    def line(self) -> str:
        line: str = self._out.readline()
        assert line, "it has ended"
        return line.strip()

    def until(self, number: int) -> None:
        """Read until that item is said."""
        while int(self.line()) < number:
            pass

    def ask(self) -> dict[str, Any]:
        """Have it come to its end, and hear how that was."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        while not (line := self.line()).startswith("{"):
            pass
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def cable() -> Iterator[road.Road]:
    """Two hosts and a cable; skipped where nobody may make them."""
    told: list[str] = []
    with road.made(road.Weather(), told.append) as made:
        if not made.near:
            pytest.skip(told[0])
        yield made


def ends(
    stack: ExitStack, way: road.Road, *, name: str = "", prefix: tuple[str, ...] = ()
) -> tuple[End, End]:
    """A sender at the far end, and a receiver at the near one; ``name``: by which it knows the sender."""
    pair = new_pair()
    sender = End(way.far, *ITEMS, "send", way.host, pair.public, pair.secret)
    stack.callback(sender.close)
    address = sender.line()
    if name:
        address = f"tcp://{name}:{address.rpartition(':')[2]}"
    receiver = End((*way.near, *prefix), *ITEMS, "take", address, pair.public, pair.secret)
    stack.callback(receiver.close)
    return sender, receiver


def ip(prefix: tuple[str, ...], *words: str) -> None:
    subprocess.run([*prefix, "ip", *words], check=True)


def recovered(sender: End, receiver: End, made: int) -> float:
    """Seconds until the receiver has what was made meanwhile; all that came, came once and in order."""
    began = time.monotonic()
    receiver.until(made)
    took = time.monotonic() - began
    sent = sender.ask()
    receiver.until(sent["sent"] - 1)
    came = receiver.ask()
    assert came["came"] == list(range(sent["sent"]))
    assert (sent["settled"], sent["again"]) == (sent["sent"], 0)
    assert sent["refused"] == came["refused"] == []
    return took


@pytest.mark.parametrize("side", ["near", "far"])
def test_a_cable_that_is_pulled_for_two_seconds_loses_nothing(side: str, *, long_form: bool) -> None:
    with cable() as way, ExitStack() as stack:
        sender, receiver = ends(stack, way)
        receiver.until(20)
        ip(getattr(way, side), "link", "set", "wire", "down")
        sender.until(20 + (20 if long_form else 2) * A_SECOND)
        ip(getattr(way, side), "link", "set", "wire", "up")
        took = recovered(sender, receiver, 20 + 2 * A_SECOND)
        assert took < RECOVERY


def test_a_sender_that_moves_to_another_address_is_found_by_its_name(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{road.FAR} first\n")
    mount = f'mount --bind {hosts} /etc/hosts && exec "$@"'
    prefix = ("unshare", "--mount", "sh", "-c", mount, "sh")
    with cable() as way, ExitStack() as stack:
        sender, receiver = ends(
            stack, road.Road(host="0.0.0.0", near=way.near, far=way.far), name="first", prefix=prefix
        )
        receiver.until(20)
        ip(way.far, "address", "add", "10.213.0.5/29", "dev", "wire")
        ip(way.near, "route", "add", "10.213.0.5/32", "dev", "wire")
        ip(way.far, "address", "del", f"{road.FAR}/30", "dev", "wire")
        ip(way.far, "route", "add", f"{road.NEAR}/32", "dev", "wire", "src", "10.213.0.5")
        with hosts.open("r+") as file:
            file.write("127.0.0.1 localhost\n10.213.0.5 first\n")
            file.truncate()
        took = recovered(sender, receiver, 20 + A_SECOND)
        assert took < RECOVERY


PUSHER = """
import sys, time, logging
from penstock.patterns import Pusher, Tuning
from penstock.security import Keyring
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
tuning = Tuning(heartbeat=0.2, reconnect_most=0.2)
with Pusher(sys.argv[1], curve=Keyring(sys.argv[2]).towards("hub"), tuning=tuning) as pusher:
    while True:
        pusher.send(time.monotonic(), timeout=None)
        time.sleep(0.01)
"""
PULLER = """
import sys
from penstock.patterns import Puller
from penstock.security import Keyring
with Puller(sys.argv[1], curve=Keyring(sys.argv[2])) as puller:
    print(puller.endpoint, flush=True)
    while True:
        print("took", puller.receive(None), flush=True)
"""


def test_a_plain_socket_with_much_on_its_way_notices_that_the_cable_is_pulled(tmp_path: Path) -> None:
    """The kernel by itself would ask for a quarter of an hour."""
    server = keyring(tmp_path / "server")
    client_of(server, tmp_path / "client")
    with cable() as way, ExitStack() as stack:
        puller = End(way.far, "-c", PULLER, f"tcp://{way.host}:0", str(server.folder))
        stack.callback(puller.close)
        pusher = End(way.near, "-c", PUSHER, puller.line(), str(tmp_path / "client"))
        stack.callback(pusher.close)
        assert pusher.line().startswith("Connected(")
        ip(way.near, "link", "set", "wire", "down")
        assert pusher.line().startswith("Disconnected(")
        ip(way.near, "link", "set", "wire", "up")
        assert pusher.line().startswith("Connected(")
        back = time.monotonic()
        while float(puller.line().removeprefix("took ")) < back:
            pass
