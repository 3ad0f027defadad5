"""Where a worker is started."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.runtime.policy.placement import FIRST, FIRST_LABEL, Host, Wish, choose, fits

LABELS = st.sampled_from(["gpu", "fast", "near"])
OTHERS = st.builds(
    Host,
    st.sampled_from(["a", "b", "c"]),
    st.integers(1, 64),
    st.frozensets(LABELS),
    leaving=st.booleans(),
)
WISHES = st.builds(
    Wish,
    st.one_of(st.just(""), st.just(FIRST_LABEL), LABELS),
    st.booleans(),
    st.sampled_from([None, "a", "b"]),
)


@given(st.lists(OTHERS), st.integers(1, 64), WISHES, st.lists(st.sampled_from([FIRST, "a", "b", "c"])))
def test_it_is_where_it_may_be_and_waits_only_if_that_is_nowhere(
    others: list[Host], cores: int, wish: Wish, there: list[str]
) -> None:
    hosts = {FIRST: Host(FIRST, cores), **{host.name: host for host in others}}
    chosen = choose(hosts, there, wish)
    if chosen is None:
        may = [host for host in hosts.values() if not host.leaving]
        assert not [
            host for host in may if host.name == wish.pinned or (not wish.pinned and fits(host, wish))
        ]
    elif wish.pinned is not None:
        assert chosen == wish.pinned
    elif wish.on and wish.on != FIRST_LABEL:
        assert wish.on in hosts[chosen].labels
    elif wish.on or wish.stays:
        assert chosen == FIRST
    if chosen is not None:
        assert not hosts[chosen].leaving


@given(st.integers(1, 16), st.integers(1, 16), st.integers(0, 60))
def test_workers_are_shared_out_by_cores(here: int, there: int, count: int) -> None:
    hosts = {FIRST: Host(FIRST, here), "a": Host("a", there)}
    living: list[str] = []
    for _ in range(count):
        living.append(choose(hosts, living, Wish()) or FIRST)
    assert abs(living.count(FIRST) / here - living.count("a") / there) <= 1 / min(here, there) + 1e-9


def test_among_equals_the_first_host_comes_first() -> None:
    hosts = {"a": Host("a", 2), FIRST: Host(FIRST, 2)}
    assert choose(hosts, [], Wish()) == FIRST
