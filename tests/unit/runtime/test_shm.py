from __future__ import annotations

from penstock.runtime.shm import Budget, is_low

MIB = 2**20


def test_half_of_what_is_free_is_shared_by_those_who_send() -> None:
    budget = Budget.of(1024 * MIB, None)
    assert budget.share(4) == 128 * MIB
    assert budget.share(0) == 512 * MIB


def test_what_was_chosen_counts_but_never_more_than_there_is() -> None:
    assert Budget.of(1024 * MIB, 100 * MIB).total == 100 * MIB
    assert Budget.of(64 * MIB, 1024 * MIB).total == 64 * MIB


def test_shares_are_whole_pages() -> None:
    assert Budget(100_000).share(3) % 4096 == 0


def test_what_containers_get_by_default_is_worth_a_warning() -> None:
    assert is_low(64 * MIB)
    assert not is_low(1024 * MIB)
