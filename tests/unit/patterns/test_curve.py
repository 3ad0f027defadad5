"""Sockets with keys: those who are trusted speak, others are not let in, and nothing is in the clear."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest
import zmq

from penstock.errors import TimedOut, UserError
from penstock.patterns import (
    Publisher,
    Puller,
    Pusher,
    Replier,
    ReplierPool,
    Requester,
    Router,
    Sender,
    Subscriber,
    Tuning,
    aio,
)
from penstock.security import Keyring
from penstock.security.curve import answering, new_pair
from tests.keyrings import client_of, keyring

LONG = 30.0
QUICK = Tuning(reconnect=0.01, linger=0)


@pytest.fixture
def server(tmp_path: Path) -> Keyring:
    return keyring(tmp_path / "server")


@pytest.fixture
def client(tmp_path: Path, server: Keyring) -> Keyring:
    return client_of(server, tmp_path / "client")


def test_who_is_trusted_speaks(server: Keyring, client: Keyring) -> None:
    with (
        Puller("tcp://127.0.0.1:0", curve=server) as puller,
        Pusher(puller.endpoint, curve=client.towards("hub")) as pusher,
    ):
        pusher.send({"secret": "plans"})
        assert puller.receive(LONG) == {"secret": "plans"}


def test_who_knows_two_keys_of_a_server_finds_which_it_has(server: Keyring, client: Keyring) -> None:
    before, after = server.own, new_pair()
    client.trust(after.public, "server", "hub")
    for own in (before, after):
        server.keep(own)
        with Router("tcp://127.0.0.1:0", curve=server) as router:
            found = answering(router.endpoint, client.towards("hub"))
            assert (found.server, found.others) == (own.public, ())
    assert answering("tcp://127.0.0.1:1", client.towards("hub")).server == before.public, "nobody is there"


def test_a_request_tried_again_is_so_with_the_same_key(server: Keyring, client: Keyring) -> None:
    with Requester(f"tcp://127.0.0.1:{free_port()}", curve=client.towards("hub"), timeout=0.02) as requester:
        with pytest.raises(TimedOut):
            requester.request(1)

        def serve() -> None:
            with Replier(requester.endpoint, curve=server) as replier:
                replier.serve(str, requests=1)

        serving = threading.Thread(target=serve)
        serving.start()
        assert requester.request(2, LONG) == "2"
        serving.join()


def test_a_handler_is_told_who_asks(server: Keyring, client: Keyring) -> None:
    def greet(value: str, sender: Sender) -> str:
        return f"{value} {sender.role} {sender.name}"

    with (
        ReplierPool("tcp://127.0.0.1:0", greet, curve=server) as pool,
        Requester(pool.endpoint, curve=client.towards("hub")) as laptop,
    ):
        assert laptop.request("hello", LONG) == "hello client laptop"


def test_who_is_revoked_is_cut_off_though_it_is_connected_and_nobody_else(
    server: Keyring, client: Keyring, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = keyring(tmp_path / "other")
    other.trust(server.own.public, "server", "hub")
    server.trust(other.own.public, "client", "tablet")
    often = Tuning(heartbeat=0.05, reconnect=0.01, linger=0)
    with (
        Puller("tcp://127.0.0.1:0", curve=server, tuning=often) as puller,
        Pusher(puller.endpoint, curve=client.towards("hub"), tuning=often) as laptop,
        Pusher(puller.endpoint, curve=other.towards("hub"), tuning=often) as tablet,
    ):
        for pusher in (laptop, tablet):
            pusher.send("hello")
            assert puller.receive(LONG) == "hello"
        server.revoke("laptop")
        quiet_until(puller, caplog, "a key that is not trusted here")
        refused(puller, laptop, caplog, "a key that is not trusted here")
        tablet.send("again")
        assert puller.receive(LONG) == "again"


def test_without_keys_nobody_is_known() -> None:
    with (
        ReplierPool("inproc://plain", lambda value, sender: sender is None) as pool,
        Requester(pool.endpoint) as requester,
    ):
        assert requester.request(1, LONG) is True


def test_so_does_asyncio(server: Keyring, client: Keyring) -> None:
    async def echo() -> Any:
        async with aio.Replier("tcp://127.0.0.1:0", curve=server) as replier:
            serving = asyncio.create_task(replier.serve(lambda value: value, requests=1))
            async with aio.Requester(replier.endpoint, curve=client.towards("hub")) as requester:
                answer = await requester.request("echo", LONG)
            await serving
            return answer

    assert asyncio.run(echo()) == "echo"


def refused(puller: Puller, pusher: Pusher, caplog: pytest.LogCaptureFixture, says: str) -> None:
    """Nothing of what ``pusher`` says arrives, and the log says why. (No sleeping: its refusal is waited
    for.)"""
    with suppress(TimedOut):  # so ends a send once the connection was refused
        pusher.send("let me in", timeout=0)
    quiet_until(puller, caplog, says)


def quiet_until(puller: Puller, caplog: pytest.LogCaptureFixture, says: str) -> None:
    for _ in range(1000):
        with pytest.raises(TimedOut):
            puller.receive(0.03)
        if says in caplog.text:
            return
    raise AssertionError(f"{says!r} is not in the log")


def test_a_key_that_is_not_trusted_is_not_let_in_until_it_is(
    tmp_path: Path, server: Keyring, client: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = keyring(tmp_path / "stranger")
    towards = stranger.towards(server.own.public)
    with Puller("tcp://127.0.0.1:0", curve=server) as puller:
        with Pusher(puller.endpoint, curve=towards, tuning=QUICK) as pusher:
            refused(puller, pusher, caplog, "a key that is not trusted here")
        server.trust(stranger.own.public, "worker", "new-one")
        with Pusher(puller.endpoint, curve=towards, tuning=QUICK) as pusher:
            pusher.send("thank you")
            assert puller.receive(LONG) == "thank you"
        server.revoke("new-one")
        with Pusher(puller.endpoint, curve=towards, tuning=QUICK) as pusher:
            caplog.clear()
            refused(puller, pusher, caplog, "a key that is not trusted here")


def test_a_requester_is_let_in_with_its_next_request_once_it_is_trusted(
    tmp_path: Path, server: Keyring
) -> None:
    stranger, bound, where = keyring(tmp_path / "stranger"), threading.Event(), list[str]()

    def serve() -> None:
        with Replier("tcp://127.0.0.1:0", curve=server) as replier:
            where.append(replier.endpoint)
            bound.set()
            replier.serve(str, requests=1)

    serving = threading.Thread(target=serve)
    serving.start()
    assert bound.wait(LONG)
    with Requester(where[0], curve=stranger.towards(server.own.public)) as requester:
        with pytest.raises(TimedOut):
            requester.request("not yet", timeout=0.2)
        server.trust(stranger.own.public, "client", "new-one")
        assert requester.request("now", LONG) == "now"
    serving.join()


def test_a_role_that_is_not_admitted_is_not_let_in(
    server: Keyring, client: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        Puller("tcp://127.0.0.1:0", curve=server.admitting("worker")) as puller,
        Pusher(puller.endpoint, curve=client.towards("hub"), tuning=QUICK) as pusher,
    ):
        refused(puller, pusher, caplog, "a key that is not trusted here")


def test_nobody_is_let_in_by_a_list_that_others_could_have_written(
    server: Keyring, client: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    with Puller("tcp://127.0.0.1:0", curve=server) as puller:
        path = server.folder / "trusted"
        path.write_text(path.read_text())
        path.chmod(0o666)
        with Pusher(puller.endpoint, curve=client.towards("hub"), tuning=QUICK) as pusher:
            refused(puller, pusher, caplog, "nobody is let in: ")


def test_without_a_key_nobody_is_let_in(server: Keyring, client: Keyring) -> None:
    with (
        Puller("tcp://127.0.0.1:0", curve=server) as puller,
        Pusher(puller.endpoint, tuning=QUICK) as plain,
        Pusher(puller.endpoint, curve=client.towards("hub")) as pusher,
    ):
        with suppress(TimedOut):
            plain.send("let me in", timeout=0)
        pusher.send("hello")
        assert puller.receive(LONG) == "hello"
        with pytest.raises(TimedOut):
            puller.receive(0.1)


def test_whoever_is_not_that_server_hears_nothing(tmp_path: Path, server: Keyring, client: Keyring) -> None:
    """Somebody else has taken its place, and would let anybody in."""
    with zmq.Context() as context, context.socket(zmq.PULL) as other:
        other.curve_server = True
        other.curve_publickey, other.curve_secretkey = zmq.curve_keypair()
        port = other.bind_to_random_port("tcp://127.0.0.1")
        with Pusher(f"tcp://127.0.0.1:{port}", curve=client.towards("hub"), tuning=QUICK) as pusher:
            with suppress(TimedOut):
                pusher.send("for the hub only", timeout=0)
            assert not other.poll(200)


def test_what_is_said_is_not_to_be_read_on_the_way(server: Keyring, client: Keyring) -> None:
    """Bytes as they go by, at somebody who forwards them."""
    with Puller("tcp://127.0.0.1:0", curve=server) as puller, Wiretap(puller.endpoint) as tap:
        with Pusher(tap.endpoint, curve=client.towards("hub")) as pusher:
            pusher.send("attack at dawn")
            assert puller.receive(LONG) == "attack at dawn"
        assert b"CURVE" in tap.heard and b"dawn" not in tap.heard
    with Puller("tcp://127.0.0.1:0") as puller, Wiretap(puller.endpoint) as tap:
        with Pusher(tap.endpoint) as pusher:
            pusher.send("attack at dawn")
            assert puller.receive(LONG) == "attack at dawn"
        assert b"dawn" in tap.heard, "or this could not fail"


def test_a_publisher_has_keys_too(server: Keyring, client: Keyring) -> None:
    with (
        Publisher("tcp://127.0.0.1:0", last_values=1, curve=server) as publisher,
        Subscriber(publisher.endpoint, curve=client.towards("hub")) as subscriber,
    ):
        publisher.send("a", 1)
        assert subscriber.receive(LONG) == ("a", 1)


def test_with_keys_it_may_listen_to_the_network_when_told_so(server: Keyring) -> None:
    with pytest.raises(UserError, match="all interfaces"):
        Puller("tcp://*:0", curve=server)
    with Puller("tcp://*:0", curve=server, tuning=Tuning(all_interfaces=True)) as puller:
        assert puller.endpoint.startswith("tcp://0.0.0.0:")


def test_each_side_says_what_it_must(server: Keyring, client: Keyring) -> None:
    with pytest.raises(UserError, match="who connects says to whom"):
        Pusher("tcp://127.0.0.1:5555", curve=server)
    with pytest.raises(UserError, match="who binds says who is let in"):
        Puller("tcp://127.0.0.1:0", curve=client.towards("hub"))
    (server.folder / "own.key").chmod(0o644)
    with pytest.raises(UserError, match="open to others: chmod 600"):
        Puller("tcp://127.0.0.1:0", curve=server)


def test_no_log_has_a_secret(server: Keyring, client: Keyring, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with (
        Puller("tcp://127.0.0.1:0", curve=server.admitting("worker")) as puller,
        Pusher(puller.endpoint, curve=client.towards("hub"), tuning=QUICK) as pusher,
    ):
        refused(puller, pusher, caplog, "not trusted")
    assert server.own.secret not in caplog.text and client.own.secret not in caplog.text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Wiretap:
    """Forwards one connection, and keeps what goes by."""

    def __init__(self, endpoint: str) -> None:
        self.heard = b""
        self._there = int(endpoint.rpartition(":")[2])
        self._here = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self._here.getsockname()[1]}"
        self._ends: tuple[socket.socket, ...] = ()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exception: object) -> None:
        for thread in self._threads:
            thread.join(LONG)
            assert not thread.is_alive()
        for each in (self._here, *self._ends):
            each.close()

    def _accept(self) -> None:
        one, _ = self._here.accept()
        other = socket.create_connection(("127.0.0.1", self._there))
        self._ends = (one, other)
        for source, target in ((one, other), (other, one)):
            self._threads.append(threading.Thread(target=self._forward, args=(source, target)))
            self._threads[-1].start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):  # the other direction may have ended it
            while data := source.recv(65536):
                self.heard += data
                target.sendall(data)
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
