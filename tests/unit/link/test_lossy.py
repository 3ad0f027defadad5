"""Links that drop: what goes, what stays, and what everybody hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.link.door import Door
from penstock.link.ledger import Cargo
from penstock.link.outbox import HEAVY, Extras
from penstock.link.sender import HURRIED
from penstock.message import envelope
from penstock.message.flat import Flat
from tests.unit.link.network import Network


@pytest.fixture
def oldest() -> Iterator[Network]:
    network = Network(3, "drop_oldest", 3)
    yield network
    network.close()


@pytest.fixture
def newest() -> Iterator[Network]:
    network = Network(3, "drop_newest", 3)
    yield network
    network.close()


def make(network: Network, items: int, *, parent: object = None, array: bool = False) -> None:
    for _ in range(items):
        network.make(parent, "src/0", len(network.parents), 10, array=array)


def waiting(network: Network) -> list[int]:
    """Numbers of the items that wait; they are taken."""
    outbox, found = network.link.outbox, []
    while outbox.waiting:
        cargo = outbox.take(100, 1 << 40)
        found += [cargo.run_at(place).first for place in range(len(cargo))]
    return found


def test_the_oldest_that_wait_make_room_for_the_newest(oldest: Network) -> None:
    make(oldest, 10)
    oldest.sender.flush()
    assert oldest.link.ledger.dropped_full == 7
    assert waiting(oldest) == [7, 8, 9]


def test_the_newest_is_refused_and_keeps_its_number(newest: Network) -> None:
    newest.sender.flush()
    make(newest, 10)
    newest.sender.flush()
    assert newest.link.ledger.dropped_full == 7
    assert waiting(newest) == [0, 1, 2]
    make(newest, 2)
    assert waiting(newest) == [10, 11]


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
def test_what_is_in_flight_is_never_dropped(policy: str) -> None:
    network = Network(3, policy, 1)
    peer = network.join(1, 1 << 20)
    network.take(peer)
    make(network, 1)
    network.sender.flush()
    make(network, 5)
    network.sender.flush()
    assert (network.link.ledger.in_flight, network.link.outbox.waiting) == (1, 1)
    network.calm()
    assert (network.link.ledger.settled, network.link.ledger.dropped_full) == (2, 4)
    assert "src/0:0" in network.done
    network.close()


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
@pytest.mark.parametrize("array", [False, True])
def test_parents_hear_of_it_and_shared_memory_is_free_at_once(policy: str, array: bool) -> None:
    network = Network(3, policy, 2)
    peer = network.join(1, 1 << 20)
    network.take(peer)
    parent = object()
    make(network, 1, parent=parent, array=array)
    one = network.arena.used
    make(network, 6, parent=parent, array=array)
    for _ in range(2):
        network.sender.flush()
        make(network, 3, parent=parent, array=array)
    network.sender.flush()
    owed = network.owed[parent]
    assert owed == 1 + network.link.outbox.waiting == 3, "one in flight, two that wait"
    assert network.arena.used == owed * one
    assert array is (one > 0)
    network.close()


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
def test_the_maker_never_waits_and_one_item_may_always_wait(policy: str) -> None:
    network = Network(3, policy, 2)
    network.sender.flush()
    for number in range(4):
        network.link.put(None, "src/0", number, b"." * (HEAVY + 1))
        network.sender.flush()
        assert not network.link.full
    assert network.link.outbox.waiting == 1, "before anybody has joined there is no room for two large ones"
    network.close()


def test_by_itself_as_many_wait_as_before_a_link_that_blocks() -> None:
    network = Network(3, "drop_oldest", 0)
    network.link.credit.pace.report(100, 100 * 50_000)
    network.take(network.join(0, 1 << 30))
    make(network, 10_000)
    network.sender.flush()
    assert network.link.outbox.waiting == network.link.credit.backlog() == 100
    network.close()


def test_people_are_told_when_it_begins_and_not_of_every_item(oldest: Network) -> None:
    for _ in range(3):
        make(oldest, 10)
        oldest.sender.flush()
        oldest.now += 1
    assert len(oldest.told) == 1
    kind, text = oldest.told[0]
    assert kind == "dropped"
    assert text == "work is slower than what feeds it; dropped: the oldest that wait (on_full)"
    oldest.now += 60
    make(oldest, 10)
    oldest.sender.flush()
    assert len(oldest.told) == 2, "after a quiet time it is news again"


def test_a_busy_maker_looks_once_a_stride_and_not_once_an_item(oldest: Network) -> None:
    oldest.sender.stride = 2 * HURRIED
    make(oldest, 3)
    oldest.sender.flush()
    rung = 0
    for number in range(3, 3 + 10 * HURRIED):
        if oldest.link.put(None, "src/0", number, b"x"):
            rung += 1
            oldest.sender.flush()
    assert rung == 5


# Age.


@pytest.fixture
def ageing() -> Iterator[Network]:
    network = Network(3, max_age=2.0)
    yield network
    network.close()


def test_what_waits_too_long_is_not_sent_and_what_does_not_is(ageing: Network) -> None:
    make(ageing, 2)
    ageing.sender.flush()
    ageing.now += 1.5
    make(ageing, 1)
    ageing.sender.flush()
    ageing.now += 1.0
    ageing.take(ageing.join(0, 1 << 20))
    ageing.sender.flush()
    assert ageing.link.ledger.dropped_too_old == 2
    assert set(ageing.attempts) == {"src/0:2"}
    assert ageing.told == [("dropped", "work gets to items when they are too old; dropped: these (max_age)")]


@pytest.mark.parametrize("settled", [True, False])
def test_what_is_too_old_at_the_receiver_is_counted_here(ageing: Network, settled: bool) -> None:
    peer = ageing.join(0, 1 << 20)
    ageing.take(peer)
    parent = object()
    make(ageing, 1, parent=parent)
    ageing.sender.flush()
    ageing.now += 2.5
    while peer.to_it:
        peer.read()
    ageing.work(peer, [], settled=settled, keeps_views=False)
    ageing.take(peer)
    ledger = ageing.link.ledger
    assert (ledger.settled, ledger.dropped_too_old, ledger.in_flight) == (0, int(settled), int(not settled))
    ageing.calm()
    assert (ledger.settled, ledger.dropped_too_old) == (0, 1)
    assert ageing.owed[parent] == 0, "its parent has heard that it is over"


def test_an_item_does_not_become_younger_by_being_delivered_again(ageing: Network) -> None:
    peer = ageing.join(0, 1 << 20)
    ageing.take(peer)
    make(ageing, 1)
    ageing.sender.flush()
    ageing.now += 1.0
    ageing.die(peer, None)
    ageing.tell(peer)
    other = ageing.join(0, 1 << 20)
    ageing.take(other)
    ageing.sender.flush()
    ends = [batch.expires for batch in (envelope.from_sender(frame)[0] for frame, _ in other.to_it)
            if isinstance(batch, envelope.Batch)]  # fmt: skip
    assert ends == [1_002_000_000_000]
    ageing.now += 2.0
    ageing.die(other, None)
    ageing.tell(other)
    ageing.sender.flush()
    assert (ageing.link.ledger.dropped_too_old, ageing.sender.idle) == (1, True)


def test_a_receiver_cannot_have_more_too_old_than_it_was_sent_nor_on_a_link_without_ages() -> None:
    for max_age, counted in ((2.0, 1), (None, 0)):
        network = Network(3, max_age=max_age)
        peer = network.join(0, 1 << 20)
        network.take(peer)
        make(network, 1)
        network.sender.flush()
        peer.say(envelope.Credit(1, 5, True, [], [], 1 << 40))
        network.take(peer)
        ledger = network.link.ledger
        assert (ledger.dropped_too_old, ledger.settled, ledger.in_flight) == (counted, 1 - counted, 0)
        network.close()


# The door.


@given(
    depth=st.integers(1, 5),
    moves=st.lists(st.tuples(st.sampled_from(["put", "put", "put", "slots", "take", "look"]), st.booleans())),
)
def test_what_a_door_lets_in_and_what_it_refuses_is_all_there_was(
    depth: int, moves: list[tuple[str, bool]]
) -> None:
    door, inside, refused = Door(), list[int](), list[Cargo]()
    door.depth = depth
    made = 0
    for move, orphan in moves:
        if move in {"put", "slots"}:
            extras = Extras(["slot"], [], 5) if move == "slots" else None
            door.put(None if orphan else "parent", "src/0", door.made, b"x", extras)
            inside += [made] if len(inside) < depth and not _heavy(door, inside) else []
            made += 1
        elif move == "take" and inside:
            cargo = door.take(1, 1)
            assert cargo.runs[0].first == inside.pop(0)
        else:
            refused += door.refused()
        assert (door.made, door.waiting) == (made, len(inside))
    refused += door.refused()
    taken = door._taken
    assert taken + len(inside) + sum(map(len, refused)) == made
    assert all(cargo.payloads == [b""] * len(cargo) for cargo in refused), "no payload is kept"


def _heavy(door: Door, inside: list[int]) -> bool:
    return bool(inside) and door.heavy >= door.heavy_limit


def test_a_source_fed_through_a_door_numbers_what_is_refused_too() -> None:
    door = Door()
    door.depth = 2
    slow: list[Any] = []

    def other(value: Any, parent: Any, origin: str, number: int) -> bool:
        slow.append((value, number))
        return door.put(parent, origin, number, b"slow")

    door.ring(100, 100)
    feed = door.feeder("src/0", flat=Flat(), slow=other)
    assert not feed(iter([1, None, (1, 2), 3, 4]))
    assert slow == [((1, 2), 1)]
    assert (door.made, door.waiting, sum(map(len, door.refused()))) == (4, 2, 2)
    door.take(2, 100)
    assert not feed(iter([5]))
    assert door.take(1, 1).runs[0].first == 4


def test_who_is_refused_is_told_to_look_in_time() -> None:
    door = Door()
    door.ring(100, 3)
    told = [door.put(None, "src/0", number, b"x") for number in range(4)]
    assert told == [False, False, False, True]
    assert door.put(None, "src/0", 4, b"x", Extras(["slot"], [], 5)), "shared memory is to be free at once"


def test_a_dead_receivers_items_come_again_though_the_link_is_full(oldest: Network) -> None:
    peer = oldest.join(1, 1 << 20)
    oldest.take(peer)
    make(oldest, 1)
    oldest.sender.flush()
    make(oldest, 9)
    oldest.die(peer, None)
    oldest.tell(peer)
    oldest.calm()
    assert oldest.attempts["src/0:0"] == 2
    assert {f"src/0:{number}" for number in (0, 7, 8, 9)} == oldest.done
