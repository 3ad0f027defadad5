"""A way through between networks: what goes through, what does not, and that nothing is lost when it ends."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import IO, Any

import numpy as np
import pytest

from penstock.link.relay import Address, Relay
from penstock.security.curve import new_pair
from tests.unit.link.wire import Receiving, Sending, until

LOOPBACK = "127.0.0.1"


def greeting(mechanism: bytes) -> bytes:
    """The first 64 bytes of ZMTP 3.1."""
    return b"\xff" + bytes(8) + b"\x7f\x03\x01" + mechanism.ljust(20, b"\0") + bytes(32)


async def through(mechanism: bytes, *, closed: bool) -> tuple[bytes, Relay]:
    """What comes back of a greeting from an end that repeats all, and the relay between."""

    async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(repeat, LOOPBACK, 0)
    there = Address(LOOPBACK, server.sockets[0].getsockname()[1])
    relay = Relay(Address(LOOPBACK, 0), there, closed=closed, say=lambda _: None)
    reader, writer = await asyncio.open_connection(*await relay.start())
    writer.write(greeting(mechanism))
    try:
        answer = await reader.readexactly(64)
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        answer = getattr(error, "partial", b"")
    writer.close()
    await relay.close()
    server.close()
    return answer, relay


@pytest.mark.parametrize(("mechanism", "closed"), [(b"CURVE", True), (b"CURVE", False), (b"NULL", False)])
def test_what_is_said_goes_through_as_it_is(mechanism: bytes, *, closed: bool) -> None:
    answer, relay = asyncio.run(through(mechanism, closed=closed))
    assert answer == greeting(mechanism)
    assert (relay.counts.connections, relay.counts.forth, relay.counts.back) == (1, 64, 64)
    assert relay.open == 0


@pytest.mark.parametrize("mechanism", [b"NULL", b"PLAIN", b"CURVED"])
def test_who_does_not_say_curve_is_not_let_through(mechanism: bytes) -> None:
    answer, relay = asyncio.run(through(mechanism, closed=True))
    assert answer == b""
    assert relay.counts.refused >= 1
    assert relay.open == 0


def test_a_place_that_is_not_there_is_told_once_and_tried_for_whoever_comes() -> None:
    said: list[str] = []

    async def come() -> None:
        with closing(socket.socket()) as nobody:
            nobody.bind((LOOPBACK, 0))
            there = Address(LOOPBACK, nobody.getsockname()[1])
            relay = Relay(Address(LOOPBACK, 0), there, closed=True, say=said.append)
            here = await relay.start()
            for _ in range(3):
                reader, writer = await asyncio.open_connection(*here)
                with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                    await reader.readexactly(1)
                writer.close()
            await relay.close()

    asyncio.run(come())
    assert len(said) == 1
    assert "cannot be reached: Connect call failed" in said[0] or "refused" in said[0]


@contextmanager
def relaying(here: str, there: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`penstock relay`, and where it listens."""
    command = [sys.executable, "-m", "penstock", "relay", "--from", here, "--to", there]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            stderr: IO[Any] = process.stderr  # type: ignore[assignment]
            yield process, stderr.readline().split()[0]
        finally:
            process.kill()


def test_a_link_goes_through_a_relay_and_outlives_it() -> None:
    pair = new_pair()
    curve = (pair.public, pair.secret)
    with (
        tempfile.TemporaryDirectory(prefix="pt-") as folder,
        closing(Sending(folder, listens=True, curve=curve)) as sending,
        closing(Receiving(10)) as far,
    ):
        values: list[int] = []

        def came() -> bool:
            values.extend(int(value[-1]) for value in far.work())
            return len(values) % 10 == 0 and len(values) > 0

        place = f"{LOOPBACK}:0"
        for turn in range(2):
            with relaying(f"tcp://{place}", sending.sender.address) as (process, place):
                if not turn:
                    far.reach(sending, at=f"tcp://{place}", curve=curve)
                sending.put(*(np.full(20_000, 10 * turn + n) for n in range(10)))
                until(lambda turn=turn: came() and len(values) == 10 * turn + 10, sending, far)  # type: ignore[misc]
                until(lambda: sending.sender.idle, sending, far)
                process.send_signal(signal.SIGTERM)
                said = process.communicate(timeout=30)[1]
                assert process.returncode == 0
                assert "ended: 1 connections" in said
                assert "0 not let through" in said
        assert values == list(range(20))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "say --from tcp://host:port, or PENSTOCK_RELAY_FROM"),
        (["--from", "tcp://127.0.0.1:0"], "say --to tcp://host:port, or PENSTOCK_RELAY_TO"),
        (["--from", "ipc://here", "--to", "tcp://a:1"], "--from is an address of tcp"),
        (["--from", "tcp://*:7788", "--to", "tcp://a:1"], "would listen on all interfaces"),
        (["--from", "tcp://127.0.0.1:0", "--to", "tcp://a:*"], "cannot be connected to"),
        (["--from", "tcp://127.0.0.1:80-82", "--to", "tcp://a:1-2"], "--from has 3 ports, and --to 2"),
    ],
)
def test_addresses_that_will_not_do_are_refused_in_a_sentence(arguments: list[str], sentence: str) -> None:
    command = [sys.executable, "-m", "penstock", "relay", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert sentence in done.stderr
