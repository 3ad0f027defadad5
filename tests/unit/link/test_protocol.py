"""The link protocol, spoken over real sockets by a real sender and real receivers."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import numpy as np
import pytest
import zmq

from penstock.errors import PeerError
from penstock.link.receiver import Inbound
from penstock.link.sockets import Context
from penstock.message import envelope
from penstock.observe import page
from tests.unit.link.wire import LINK, Receiving, Sending, until

PATH_LIMIT = 107


@pytest.fixture
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="pt-") as path:
        yield path


@pytest.fixture
def sending(folder: str) -> Iterator[Sending]:
    with closing(Sending(folder)) as sending:
        yield sending


@pytest.fixture
def join(sending: Sending) -> Iterator[Callable[..., Receiving]]:
    """`join(number)`: a receiver that has been welcomed."""
    with ExitStack() as stack:

        def make(number: int = 10, **how: Any) -> Receiving:
            receiving = stack.enter_context(closing(Receiving(number, **how)))
            receiving.connect(sending)
            until(lambda: number in sending.link.credit, sending, receiving)
            return receiving

        yield make


Join = Callable[..., Receiving]


def stranger(stack: ExitStack, sending: Sending, name: bytes = b"stranger") -> zmq.SyncSocket:
    """A peer that says what it wants to."""
    context = stack.enter_context(zmq.Context())
    socket: zmq.SyncSocket = stack.enter_context(context.socket(zmq.DEALER))
    socket.setsockopt(zmq.IDENTITY, name)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(sending.endpoint)
    return socket


def next_batch(sending: Sending, receiving: Receiving) -> Inbound:
    found: Inbound = until(receiving.receiver.next, sending, receiving)
    return found


def test_an_item_travels_and_is_settled(sending: Sending, join: Join) -> None:
    receiving = join()
    sending.put({"a": (1, {2})}, parent="p")
    inbound = next_batch(sending, receiving)
    assert (inbound.attempt, inbound.count, inbound.id_at(0)) == (1, 1, ("src/0", 0))
    assert receiving.read(inbound) == [{"a": (1, {2})}]
    assert sending.link.ledger.in_flight == 1
    receiving.finish(inbound)
    until(lambda: sending.sender.idle, sending, receiving)
    assert sending.settled == ["p"]
    words = sending.words[sending.link.word :]
    assert (words[page.SENT], words[page.SETTLED], words[page.DEAD]) == (1, 1, 0)
    held = receiving.words[page.link_word(0, 0) :]
    assert (held[page.RECEIVED], held[page.DONE], held[page.HELD]) == (1, 1, 0)


def test_thousands_of_items_arrive_in_order_and_in_few_messages(sending: Sending, join: Join) -> None:
    receiving = join()
    sending.put(*range(20_000))
    arrived: list[int] = []

    def all_arrived() -> bool:
        arrived.extend(receiving.work())
        return len(arrived) == 20_000 and sending.sender.idle

    until(all_arrived, sending, receiving)
    assert arrived == list(range(20_000))
    assert sending.link.ledger._next < 2_000, "many in a batch"


def test_an_item_is_settled_when_all_that_was_made_from_it_is(sending: Sending, join: Join) -> None:
    receiving = join()
    sending.put("x")
    inbound = next_batch(sending, receiving)
    inbound.emitted = 2
    receiving.finish(inbound)
    until(lambda: sending.link.credit.offer(1) is not None, sending, receiving)
    assert sending.link.ledger.in_flight == 1, "the room is free again, the item is not settled"
    receiving.receiver.settled(inbound, 1)
    receiving.receiver.flush()
    assert receiving.receiver.unsettled == 1
    receiving.receiver.settled(inbound, 1)
    until(lambda: sending.sender.idle, sending, receiving)
    assert receiving.receiver.unsettled == 0


def test_what_is_settled_downstream_before_its_parent_is_finished_waits_for_that(
    sending: Sending, join: Join
) -> None:
    receiving = join()
    sending.put("x")
    inbound = next_batch(sending, receiving)
    inbound.emitted = 1
    receiving.receiver.settled(inbound, 1)
    inbound.emitted = 2
    receiving.receiver.settled(inbound, 1)
    assert receiving.receiver.connections[1, LINK].settles == []
    receiving.finish(inbound)
    assert receiving.receiver.unsettled == 0
    until(lambda: sending.sender.idle, sending, receiving)


def test_a_failed_item_comes_again_alone_and_then_goes_to_the_dead(sending: Sending, join: Join) -> None:
    receiving = join(window=10)
    sending.link.credit.pace.report(1000, 1000)
    sending.put("good", "bad", "fine")
    batch = next_batch(sending, receiving)
    assert batch.count == 3
    receiving.finish(batch, envelope.Failure(1, "ValueError: no", "Traceback …", after=0.0))
    for attempt in (2, 3, 4):
        again = next_batch(sending, receiving)
        assert (again.attempt, again.count, again.id_at(0)) == (attempt, 1, ("src/0", 1))
        assert receiving.read(again) == ["bad"]
        receiving.finish(again, envelope.Failure(0, "ValueError: no", "Traceback …", after=0.0))
    until(lambda: sending.buried and sending.sender.idle, sending, receiving)
    (dead,) = sending.buried
    assert (dead.failures, dead.attempt, dead.cause) == (4, 5, "ValueError: no")
    assert (sending.link.ledger.settled, sending.link.ledger.dead) == (2, 1)
    assert "work: ValueError: no" in sending.notices


def test_thousands_of_failures_fit_into_their_credit(sending: Sending, join: Join) -> None:
    receiving = join()
    sending.link.credit.pace.report(1000, 1000)
    sending.put(*range(4096))
    batch = next_batch(sending, receiving)
    assert batch.count == 4096
    text = "☃" * 16_000
    failures = [envelope.Failure(place, text[:500], text, reject=True) for place in range(batch.count)]
    receiving.finish(batch, *failures)
    until(lambda: sending.sender.idle, sending, receiving)
    assert sending.refused == []
    assert sending.link.ledger.dead == 4096


def test_a_receiver_with_a_large_window_is_not_taken_for_dead(sending: Sending, join: Join) -> None:
    receiving = join(window=20_000)
    for number in range(5000):
        sending.put(number)
        sending.sender.flush()
    assert sending.link.ledger.sent == 5000, "each as a message of its own, and none was read yet"
    arrived: list[int] = []

    def all_arrived() -> bool:
        arrived.extend(receiving.work())
        return sending.sender.idle

    until(all_arrived, sending, receiving)
    assert arrived == list(range(5000))


# ----------------------------------------------------------------------------------------------- arrays


def test_a_large_array_is_looked_at_where_it_was_written_and_given_back(sending: Sending, join: Join) -> None:
    receiving = join()
    sending.put(np.arange(100_000))
    inbound = next_batch(sending, receiving)
    (array,) = receiving.read(inbound)
    assert array.sum() == sum(range(100_000))
    receiving.finish(inbound)
    until(lambda: sending.sender.idle, sending, receiving)
    assert sending.arena.held() == {10: 800_000}, "settled, and still looked at"
    del array
    assert receiving.wakes == 1
    until(lambda: not sending.arena.used, sending, receiving)


def test_an_array_that_finds_no_room_arrives_as_a_frame(sending: Sending, join: Join) -> None:
    receiving = join()
    full = sending.arena.take(3 << 20)
    assert full is not None
    sending.put([np.arange(100_000), np.arange(100_000)[::-1]])
    (value,) = until(receiving.work, sending, receiving)
    assert value[0][-1] == value[1][0] == 99_999
    with pytest.raises(ValueError, match="read-only"):
        value[0][0] = 1
    until(lambda: sending.sender.idle, sending, receiving)


def test_slots_of_what_could_not_be_read_are_taken_back(sending: Sending, join: Join) -> None:
    receiving = join()
    sending.put(np.arange(100_000))
    inbound = next_batch(sending, receiving)
    inbound.body = bytes(inbound.body) + b"?"
    with pytest.raises(PeerError):
        receiving.read(inbound)
    receiving.finish(inbound, envelope.Failure(0, "PeerError: …", "", reject=True, unread=True))
    until(lambda: sending.sender.idle, sending, receiving)
    assert sending.arena.used == 0


def test_views_outlive_their_sender(sending: Sending, join: Join) -> None:
    receiving = join()
    sending.put(np.arange(100_000))
    (array,) = until(receiving.work, sending, receiving)
    receiving.receiver.gone(1)
    sending.close()
    assert array.sum() == sum(range(100_000))
    del array
    receiving.receiver.flush()


# ------------------------------------------------------------------------------------- coming and going


def test_what_a_dead_receiver_held_goes_to_another_one_by_one(sending: Sending, join: Join) -> None:
    first = join(10, window=10)
    sending.link.credit.pace.report(1000, 1000)
    sending.put("a", "b", "c")
    held = next_batch(sending, first)
    assert held.count == 3
    first.close()
    second = join(11, window=10)
    sending.sender.lose(10, "work/0 killed (SIGKILL)", (LINK, held.number, 1))
    got: list[tuple[tuple[str, int], int, int]] = []
    while len(got) < 3:
        inbound = next_batch(sending, second)
        got.append((inbound.id_at(0), inbound.attempt, inbound.count))
        second.finish(inbound)
    assert sorted(got) == [(("src/0", number), 2, 1) for number in range(3)]
    until(lambda: sending.sender.idle, sending, second)
    assert sending.link.ledger.taken_back == 3


def test_a_receiver_that_vanished_unheard_is_sent_nothing_more(sending: Sending, join: Join) -> None:
    first = join(10)
    first.close()
    until(lambda: not sending.sender.router.send(b"10.3", b"?"), sending)  # libzmq has noticed
    sending.put("a")
    sending.sender.flush()
    sending.sender.flush()
    assert (sending.link.ledger.in_flight, sending.link.ledger.again) == (1, 0)
    assert sending.sender.next_due() is None, "nobody to send it to, and nothing to wait for with a clock"
    second = join(11)
    assert until(second.work, sending, second) == ["a"]


def test_a_sender_that_has_ended_is_let_go_of_with_all_it_sent(sending: Sending, join: Join) -> None:
    receiving = join(window=10)
    sending.put("a", "b")
    begun = next_batch(sending, receiving)
    until(lambda: receiving.words[page.link_word(0, page.RECEIVED)] == 2, sending, receiving)
    receiving.receiver.gone(1)
    assert receiving.receiver.next() is None
    assert receiving.receiver.unsettled == 1
    receiving.finish(begun)
    assert receiving.receiver.unsettled == 0
    assert receiving.words[page.link_word(0, page.HELD)] == 0


def test_who_says_bye_finishes_what_it_has_and_gets_nothing_more(sending: Sending, join: Join) -> None:
    receiving = join(window=10)
    sending.put("a")
    inbound = next_batch(sending, receiving)
    receiving.receiver.leave()
    receiving.receiver.leave()
    until(lambda: receiving.receiver.connections[1, LINK].ended, sending, receiving)
    sending.put("b")
    sending.sender.flush()
    assert not receiving.receiver.left, "there is one in hand"
    receiving.finish(inbound)
    until(lambda: receiving.receiver.left, sending, receiving)
    assert sending.link.ledger.sent == 1
    until(lambda: sending.link.ledger.settled == 1, sending, receiving)
    other = join(11)
    assert until(other.work, sending, other) == ["b"]


def test_a_receiver_without_senders_may_leave_at_once() -> None:
    with closing(Receiving(10)) as receiving:
        assert not receiving.receiver.left
        receiving.receiver.leave()
        assert receiving.receiver.left


def test_end_tells_the_totals(sending: Sending, join: Join) -> None:
    receiving = join()
    sending.put("a")
    until(receiving.work, sending, receiving)
    until(lambda: sending.sender.idle, sending, receiving)
    with ExitStack() as stack:
        socket = stranger(stack, sending, b"77.3")
        socket.send(envelope.pack(envelope.Hello(1, 77, LINK, "here", 0, 1)))
        until(lambda: 77 in sending.link.credit, sending)
        sending.sender.end()
        sending.sender.end()
        said = [envelope.from_sender(socket.recv())[0] for _ in range(2)]
    welcome = envelope.Welcome(envelope.VERSION, 1, sending.arena.path)
    assert said == [welcome, envelope.End(sent=1, settled=1, dead=0)]
    until(lambda: receiving.receiver.connections[1, LINK].ended, receiving)


# ------------------------------------------------------------------------------------ confused peers


def test_another_version_is_refused_by_name_at_both_ends(sending: Sending, join: Join) -> None:
    with ExitStack() as stack:
        socket = stranger(stack, sending, b"77.%d" % LINK)
        socket.send(envelope.pack(envelope.Hello(2, 77, LINK, "here", 0, 1)))
        until(lambda: sending.refused, sending)
    assert sending.refused == [
        "worker 77 speaks version 2 of the link protocol, this one 1 (from a stranger)"
    ]
    assert 77 not in sending.link.credit
    receiving = join()
    connection = receiving.receiver.connections[1, LINK]
    with pytest.raises(PeerError, match="version 2 of the link protocol, this one speaks 1"):
        receiving.receiver.handle(connection, [envelope.pack(envelope.Welcome(2, 1, ""))])


@pytest.mark.parametrize(
    "frames",
    [
        [b"garbage"],
        [b""],
        [bytes(1000)],
        [b"\xff" * 4],
        [envelope.pack(envelope.Settle([1])), b"and more"],
        [envelope.pack(envelope.Batch(1, 1, [("a", 0, 1)], 1))],
        [envelope.pack(envelope.Hello(1, 77, 55, "here", 0, 1))],
        [envelope.pack(envelope.Hello(1, 77, LINK, "here", -1, 1))],
    ],
    ids=range(8),
)
def test_garbage_is_refused_and_the_work_goes_on(sending: Sending, join: Join, frames: list[bytes]) -> None:
    receiving = join()
    with ExitStack() as stack:
        stranger(stack, sending).send_multipart(frames)
        until(lambda: sending.refused, sending, receiving)
    sending.put("a", "b")
    arrived: list[str] = []

    def all_arrived() -> bool:
        arrived.extend(receiving.work())
        return sending.sender.idle

    until(all_arrived, sending, receiving)
    assert arrived == ["a", "b"]
    assert len(sending.refused) == 1


@pytest.mark.parametrize(
    "frame",
    [
        b"garbage",
        b"",
        envelope.pack(envelope.Bye()),
        envelope.pack(envelope.Batch(1, 1, [("a", 0, 2)], 1)),
        envelope.pack(envelope.Welcome(1, 1, "no\0path")),
        envelope.pack(envelope.Welcome(1, 1, "/dev/null")),
        envelope.pack(envelope.Welcome(1, 1, "/")),
        envelope.pack(envelope.Welcome(1, 1, "x" * 5000)),
    ],
    ids=range(8),
)
def test_a_receiver_refuses_garbage_and_works_on(sending: Sending, join: Join, frame: bytes) -> None:
    receiving = join()
    sending.sender.router.send(b"10.3", frame)
    until(lambda: receiving.refused, sending, receiving)
    sending.put(np.arange(100_000))
    (array,) = until(receiving.work, sending, receiving)
    assert array[-1] == 99_999
    del array


def test_who_has_not_said_hello_settles_nothing(sending: Sending, join: Join) -> None:
    receiving = join()
    sending.put(np.arange(100_000))
    inbound = next_batch(sending, receiving)
    slot = next(iter(sending.arena._live.values()))
    with ExitStack() as stack:
        socket = stranger(stack, sending)
        for said in (
            envelope.Credit(inbound.number, 1, True, [], [(slot.offset, slot.generation)]),
            envelope.Settle([inbound.number]),
            envelope.Release([(slot.offset, slot.generation)]),
            envelope.Bye(),
        ):
            socket.send(envelope.pack(said))
        until(lambda: len(sending.refused) == 4, sending, receiving)
    assert sending.link.ledger.in_flight == 1
    assert slot.holders == [10]
    del inbound


def test_a_receiver_that_is_asked_for_a_link_it_has_not_says_so(sending: Sending) -> None:
    with closing(Receiving(10)) as receiving, pytest.raises(PeerError, match="no in-link 9 here"):
        receiving.receiver.connect(9, 1, "src/0→work", sending.endpoint)


# -------------------------------------------------------------------------------------------- sockets


def test_the_longest_path_that_fits_can_be_bound(folder: str) -> None:
    path = os.path.join(folder, "x" * (PATH_LIMIT - len(folder) - 1))
    context = Context()
    router = context.router(f"ipc://{path}")
    assert os.path.exists(path)
    router.close()
    context.close()


def test_closing_does_not_wait_for_a_peer_that_never_came(folder: str) -> None:
    context = Context()
    dealer = context.dealer(f"ipc://{folder}/nobody", b"1.1")
    dealer.send(b"hello?")
    began = time.monotonic()
    context.close(within=0.05)
    assert time.monotonic() - began < 1
    dealer.close()


def dry(receiving: Receiving) -> bool:
    """Whether it need not wait for anything more, now."""
    since = receiving.receiver.dry_from
    return since is not None and since <= time.monotonic()


def test_who_has_nothing_more_says_so_when_all_is_finished_and_not_before(
    sending: Sending, join: Join
) -> None:
    receiving = join()
    sending.put("a")
    until(lambda: receiving.receiver.queued, sending, receiving)
    sending.sender.ebb()
    held = receiving.receiver.next()
    assert held is not None
    held.emitted += 1  # something was made of it: it is finished, and not settled
    receiving.finish(held)
    until(lambda: not sending.link.unfinished, sending, receiving)
    assert not receiving.receiver.ebbs, "nothing was said while there was something to do"
    sending.sender.ebb()
    sending.sender.ebb()
    until(lambda: dry(receiving), sending, receiving)
    assert sending.link.ledger.in_flight == 1
    sending.put("c")
    until(lambda: not dry(receiving), sending, receiving)
    receiving.work()
    assert not dry(receiving), "it was finished, and the sender knows of nothing"
    until(lambda: not sending.link.unfinished, sending, receiving)
    sending.sender.ebb()
    until(lambda: dry(receiving), sending, receiving)


def test_what_is_to_come_again_is_still_to_be_done(sending: Sending, join: Join) -> None:
    receiving = join()
    sending.put("a")
    until(lambda: receiving.receiver.queued, sending, receiving)
    inbound = receiving.receiver.next()
    assert inbound is not None
    receiving.finish(inbound, envelope.Failure(0, "not yet", "", after=3600.0))
    until(lambda: sending.link.ledger.next_due() is not None, sending, receiving)
    assert sending.link.unfinished


def test_a_receiver_waits_for_a_sender_that_died_and_not_for_one_that_was_through(
    sending: Sending, join: Join, folder: str
) -> None:
    receiving = join()
    with closing(Sending(folder, number=2)) as other:
        receiving.connect(other)
        until(lambda: 10 in other.link.credit, other, receiving)
        sending.sender.ebb()
        until(lambda: receiving.receiver.ebbs, sending, receiving)
        assert not dry(receiving), "the other has not said so"
        other.put("a")
        until(lambda: receiving.receiver.queued, other, receiving)
        held = receiving.receiver.next()
        assert held is not None
        receiving.receiver.gone(2)
        assert not dry(receiving), "it may come back"
        receiving.receiver.connect(LINK, 3, "src/0→work", other.endpoint)
        receiving.receiver.gone(3, finished=True)
        assert not dry(receiving), "something of the dead one is in hand"
        receiving.finish(held)
        assert dry(receiving)
        receiving.receiver.gone(1, finished=True)
        assert not dry(receiving), "without senders nobody can tell"
