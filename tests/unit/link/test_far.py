"""A link to another host, over real sockets: arrays come as frames, keys are asked for, cuts lose nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import numpy as np
import pytest
import zmq

from penstock.errors import EnvironmentFault, PeerError
from penstock.link import tcp
from penstock.link.sockets import Context
from penstock.message import codec, envelope, head
from penstock.message.codec import Decoder
from penstock.message.freight import Frames, Freight
from penstock.security.curve import new_pair
from tests.proxy import proxy
from tests.unit.link.wire import LINK, Receiving, Sending, until

BIG = 20_000


@pytest.fixture
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="pt-") as path:
        yield path


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def curve() -> tcp.Curve:
    pair = new_pair()
    return pair.public, pair.secret


def receiver(stack: ExitStack, number: int = 10) -> Receiving:
    return stack.enter_context(closing(Receiving(number)))


def test_arrays_arrive_whole_at_another_host_and_no_shared_memory_is_opened_for_them(
    folder: str, stack: ExitStack, curve: tcp.Curve
) -> None:
    sending = stack.enter_context(closing(Sending(folder, listens=True, curve=curve)))
    far = receiver(stack)
    far.reach(sending, curve=curve)
    array, blob = np.arange(BIG), bytes(range(256)) * 5000
    sending.put(array, (array * 2, {"raw": blob, "again": array}), "small")
    first, (second, third), small = collect(sending, far, 3)
    assert (first == array).all()
    assert (second == array * 2).all()
    assert third["raw"] == blob
    assert (third["again"] == array).all()
    assert small == "small"
    assert not first.flags.writeable
    assert next(iter(far.receiver.connections.values())).source.mapping is None
    until(lambda: sending.link.ledger.settled == 3, sending, far)


def collect(sending: Sending, receiving: Receiving, count: int) -> list[Any]:
    """The next ``count`` values, each finished."""
    values: list[Any] = []

    def came() -> bool:
        values.extend(receiving.work())
        return len(values) >= count

    until(came, sending, receiving)
    return values


def test_one_receiver_here_and_one_there_share_a_link(
    folder: str, stack: ExitStack, curve: tcp.Curve
) -> None:
    sending = stack.enter_context(closing(Sending(folder, listens=True, curve=curve, capacity=1 << 25)))
    near, far = receiver(stack, 10), receiver(stack, 11)
    near.connect(sending)
    far.reach(sending, curve=curve)
    until(lambda: {10, 11} <= set(sending.link.credit.receivers()), sending, near, far)
    sending.put(*(np.full(BIG, n) for n in range(20)))
    values: list[tuple[int, int]] = []

    def all_came() -> bool:
        for each in (near, far):
            values.extend((each.number, int(value[-1])) for value in each.work())
        return len(values) == 20

    until(all_came, sending, near, far)
    assert sorted(value for _, value in values) == list(range(20))
    assert {number for number, _ in values} == {10, 11}
    until(lambda: sending.sender.idle, sending, near, far)


def test_the_slot_of_what_was_sent_is_free_once_it_is_settled(folder: str, stack: ExitStack) -> None:
    sending = stack.enter_context(closing(Sending(folder, listens=True)))
    far = receiver(stack)
    far.reach(sending)
    for turn in range(30):  # the arena has room for some twenty
        sending.put(np.full(BIG, turn))
        assert int(collect(sending, far, 1)[0][0]) == turn
    until(lambda: sending.sender.idle, sending, far)
    assert not sending.encoder.spilled


@pytest.mark.parametrize("way", ["slot", "blob", "passed"])
def test_shared_memory_that_is_only_named_is_refused(way: str) -> None:
    pack = codec._pack
    words = {
        "slot": codec.Ext(codec.SLOT, pack(("<i8", "C", (BIG,), 64, 7))),
        "blob": codec.Ext(codec.BLOB, pack((64, 64, 7))),
        "passed": codec.Ext(codec.PASSED, pack(("<i8", "C", (1,), 0, 64, 7, (1, 0, 5)))),
    }
    source = Freight()
    source.frames = Frames([b"x" * 64], [(9, 64, 7)])
    with pytest.raises(PeerError, match="shared memory of another host"):
        Decoder().values(pack([words[way]]), source, count=1)


def test_a_sender_of_another_host_that_offers_its_shared_memory_is_refused(stack: ExitStack) -> None:
    far = receiver(stack)
    context = stack.enter_context(zmq.Context())
    router = stack.enter_context(context.socket(zmq.ROUTER))
    router.linger = 0
    port = router.bind_to_random_port("tcp://127.0.0.1")
    sending = type("Other", (), {"sender": type("S", (), {"_number": 1, "address": ""})})
    far.reach(sending, at=f"tcp://127.0.0.1:{port}")  # type: ignore[arg-type]
    name = router.recv_multipart()[0]
    welcome = envelope.pack(envelope.Welcome(envelope.VERSION, 1, "/proc/1/fd/3"))
    router.send_multipart([name, head.pack(head.Head(head.WORD, 1, 0)), welcome])
    until(lambda: far.refused, far)
    assert "shared memory, from another host (from src/0→work)" in far.refused[0]


def test_who_has_another_key_is_not_let_in(folder: str, stack: ExitStack, curve: tcp.Curve) -> None:
    sending = stack.enter_context(closing(Sending(folder, listens=True, curve=curve)))
    thief = new_pair()
    context = stack.enter_context(zmq.Context())
    socket = stack.enter_context(context.socket(zmq.DEALER))
    socket.linger = 0
    socket.setsockopt(zmq.CURVE_PUBLICKEY, thief.public.encode())
    socket.setsockopt(zmq.CURVE_SECRETKEY, thief.secret.encode())
    socket.setsockopt(zmq.CURVE_SERVERKEY, curve[0].encode())
    socket.connect(sending.sender.address)
    socket.send(b"let me in")
    until(lambda: sending.refused, sending)
    assert "a key that is not trusted here" in sending.refused[0]
    far = receiver(stack)
    far.reach(sending, curve=curve)
    sending.put("still at work")
    assert collect(sending, far, 1) == ["still at work"]


def test_an_address_that_others_could_reach_is_not_used_without_a_key() -> None:
    with closing(Context()) as context, pytest.raises(EnvironmentFault, match="and this run has no key"):
        tcp.listen(context, "tcp://10.0.0.5:*", None)


def test_of_the_ports_that_were_named_a_free_one_is_taken() -> None:
    with closing(Context()) as context:
        first, found = tcp.listen(context, "tcp://127.0.0.1:*", None)
        port = int(found.rpartition(":")[2])
        ports = f"tcp://127.0.0.1:{port}-{port}"
        with closing(first), pytest.raises(EnvironmentFault, match="say more of them with --ports"):
            tcp.listen(context, ports, None)
        until(lambda: _listens(context, ports))


def _listens(context: Context, endpoint: str) -> bool:
    """The one before may not be quite gone."""
    try:
        router, found = tcp.listen(context, endpoint, None)
    except EnvironmentFault:
        return False
    router.close()
    return found == endpoint.rpartition("-")[0]


@pytest.mark.parametrize("worked_while_cut", [False, True])
def test_a_connection_that_is_cut_and_mended_loses_nothing_and_repeats_nothing(
    folder: str,
    stack: ExitStack,
    curve: tcp.Curve,
    monkeypatch: pytest.MonkeyPatch,
    *,
    worked_while_cut: bool,
) -> None:
    monkeypatch.setattr(tcp, "UNANSWERED", 0.05)
    sending = stack.enter_context(closing(Sending(folder, listens=True, curve=curve)))
    way = stack.enter_context(proxy(int(sending.sender.address.rpartition(":")[2])))
    far = receiver(stack)
    far.reach(sending, at=f"tcp://127.0.0.1:{way.port}", curve=curve)
    sending.put(*range(100), np.arange(BIG))
    values = collect(sending, far, 1)
    watch = next(iter(far.receiver.connections.values())).dealer.watch
    for cut in range(1, 3):
        way.cut()
        sending.put(*range(100 * cut, 100 * cut + 100), np.arange(BIG))
        sending.serve()
        if worked_while_cut:
            values += far.work()
            far.receiver.flush()
        until(lambda cut=cut: far.told == [False, True] * (cut - 1) + [False], far)  # type: ignore[misc]
        way.mend()
        values += collect(sending, far, 101 * (cut + 1) - len(values))
        assert watch.connections == cut + 1
        assert far.told == [False, True] * cut, "people hear that nobody answers, and that somebody does"
    until(lambda: sending.sender.idle, sending, far)
    assert sorted(value for value in values if type(value) is int) == list(range(300))
    assert len(values) == 303
    ledger = sending.link.ledger
    assert (ledger.sent, ledger.settled, ledger.again) == (303, 303, 0)
    assert sending.refused == far.refused == []


def test_who_was_declared_dead_is_not_heard_when_the_connection_is_mended(
    folder: str, stack: ExitStack
) -> None:
    sending = stack.enter_context(closing(Sending(folder, listens=True)))
    far, other = receiver(stack, 10), receiver(stack, 11)
    far.reach(sending)
    sending.put("once")
    until(lambda: far.receiver.queued, sending, far)
    sending.sender.lose(10, "its host is gone", None)
    assert far.work() == ["once"]
    other.connect(sending)
    assert until(other.work, sending, far, other) == ["once"]
    until(lambda: sending.sender.idle, sending, far, other)
    assert sending.link.ledger.settled == 1
    assert sending.refused == []


def test_a_peer_that_talks_nonsense_from_another_host_is_refused_and_named(
    folder: str, stack: ExitStack
) -> None:
    sending = stack.enter_context(closing(Sending(folder, listens=True)))
    context = stack.enter_context(zmq.Context())
    socket = stack.enter_context(context.socket(zmq.DEALER))
    socket.linger = 0
    socket.connect(sending.sender.address)
    hello = envelope.pack(envelope.Hello(envelope.VERSION, 10, LINK, "there", 0, 1 << 20))
    word = head.pack(head.Head(head.WORD, 1, 0))
    for frames in (
        [b"x"],
        [b"x" * 70_000, hello],
        [head.pack(head.Head(7, 1, 0)), hello],
        [word],
        [word, b"x"],
    ):
        socket.send_multipart(frames)
    until(lambda: len(sending.refused) == 5, sending)
    assert sending.link.credit.receivers() == []
