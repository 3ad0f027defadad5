"""Which receiver gets which keys: the same everywhere, evenly, and moved only where it must be."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.link.affinity import SHARDS, Affinity, shard, weight

EVERY = range(SHARDS)
receivers = st.lists(st.integers(0, 1000), min_size=1, max_size=6, unique=True)


def with_all(replicas: list[int]) -> Affinity:
    """Receivers numbered from 100, with these replicas."""
    affinity = Affinity()
    for receiver, replica in enumerate(replicas, 100):
        affinity.join(receiver, replica)
    return affinity


def homes(affinity: Affinity) -> list[int | None]:
    return [affinity.home(shard) for shard in EVERY]


@pytest.mark.parametrize(
    ("key", "found"),
    [("", 4007), ("user-17", 2834), ("Zoë", 1961), (b"user-17", 2663), (17, 1656), (None, 3608), (2.5, 2905)],
)
def test_the_shard_of_a_key_is_the_same_in_every_process_and_every_python(key: Any, found: int) -> None:
    assert shard(key) == found


def test_so_is_the_weight_of_a_replica() -> None:
    assert weight(0, 0) == 0xE220A8397B1DCDAF
    assert weight(1, 0) != weight(0, 1)


@pytest.mark.parametrize("alike", [(1, 1.0, True, np.int64(1)), (0, False, -0.0), (("a", 1), ("a", True))])
def test_keys_that_are_equal_share_a_shard(alike: tuple[Any, ...]) -> None:
    assert len({shard(key) for key in alike}) == 1


@pytest.mark.parametrize("wrong", [["a"], {"a": 1}, object(), ("a", [1]), 1j])
def test_what_cannot_be_a_key_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError):
        shard(wrong)


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda parts: st.tuples(parts, parts),
    max_leaves=4,
)


@given(nested)
def test_every_key_has_a_shard(key: Any) -> None:
    assert 0 <= shard(key) < SHARDS


@pytest.mark.parametrize("keys", [range(20_000), [f"user-{n}" for n in range(20_000)]], ids=["int", "str"])
@pytest.mark.parametrize("replicas", [2, 3, 8])
def test_keys_are_spread_evenly(keys: Any, replicas: int) -> None:
    affinity = with_all(list(range(replicas)))
    found = Counter(affinity.home(shard(key)) for key in keys)
    assert len(found) == replicas
    assert max(found.values()) < 1.2 * len(keys) / replicas


@given(receivers, st.integers(1001, 2000))
def test_who_comes_takes_its_share_of_all_and_moves_nothing_else(replicas: list[int], newcomer: int) -> None:
    affinity = with_all(replicas)
    before = homes(affinity)
    share = affinity.join(1, newcomer)
    after = homes(affinity)
    moved = [shard for shard in EVERY if before[shard] != after[shard]]
    assert all(after[shard] == 1 for shard in moved)
    assert share == len(moved) / SHARDS


@given(receivers, st.data())
def test_when_one_goes_only_what_it_had_moves(replicas: list[int], data: st.DataObject) -> None:
    affinity = with_all(replicas)
    before = homes(affinity)
    leaver = 100 + data.draw(st.integers(0, len(replicas) - 1))
    share = data.draw(st.sampled_from([affinity.close, affinity.leave]))(leaver)
    after = homes(affinity)
    assert share == before.count(leaver) / SHARDS
    assert leaver not in after
    assert all(before[shard] in (after[shard], leaver) for shard in EVERY)


@given(receivers, st.randoms())
def test_where_a_key_belongs_does_not_depend_on_who_came_first(replicas: list[int], luck: Any) -> None:
    one, other, order = with_all(replicas), Affinity(), list(enumerate(replicas, 100))
    luck.shuffle(order)
    homes(other)
    for receiver, replica in order:
        other.join(receiver, replica)
    assert homes(one) == homes(other)


def test_a_replica_that_is_started_again_gets_its_keys_back() -> None:
    affinity = with_all([0, 1, 2])
    before = homes(affinity)
    affinity.leave(101)
    affinity.join(555, 1)
    assert [555 if home == 101 else home for home in before] == homes(affinity)


def test_replicas_that_are_expected_have_their_shards_before_they_come() -> None:
    affinity = Affinity(3)
    affinity.join(100, 0)
    first = homes(affinity)
    assert affinity.receivers() == 1
    assert [affinity.join(receiver, replica) for receiver, replica in ((101, 1), (102, 2))] == [0.0, 0.0]
    assert not affinity.incomplete
    assert homes(affinity) == homes(with_all([0, 1, 2]))
    assert [home for home in homes(affinity) if home == 100] == [home for home in first if home is not None]


def test_what_nobody_waits_for_any_more_goes_to_those_who_are_here() -> None:
    affinity = Affinity(3)
    affinity.join(101, 1)
    homes(affinity)
    affinity.complete()
    assert set(homes(affinity)) == {101}


def test_a_shard_waits_until_its_former_home_has_finished_what_it_holds_of_it() -> None:
    affinity = with_all([0])
    affinity.sent(100, [7, 7])
    affinity.close(100)
    affinity.join(200, 1)
    assert affinity.home(7) is None
    assert not affinity.finished([7])
    assert affinity.home(7) is None
    assert affinity.finished([7])
    assert affinity.home(7) == 200


def test_a_shard_goes_at_once_if_its_former_home_is_dead() -> None:
    affinity = with_all([0])
    affinity.sent(100, [7])
    affinity.leave(100)
    assert affinity.home(7) is None
    affinity.join(200, 1)
    assert affinity.home(7) == 200
