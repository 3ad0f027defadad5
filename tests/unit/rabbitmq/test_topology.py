"""Each message comes to those whom it concerns, and to nobody else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import UserError
from penstock.rabbitmq import topology as names
from penstock.rabbitmq.topology import RUNGS, Topology, rung_for, topology

GROUPS = st.sets(st.from_regex(names.GROUP, fullmatch=True), min_size=1, max_size=5)


def _matches(pattern: str, key: str) -> bool:
    """As a topic exchange does it."""
    words = "".join(r"\." + (r"[^.]*" if word == "*" else re.escape(word)) for word in pattern.split("."))
    return re.fullmatch(words, f".{key}") is not None


def _receivers(there: Topology, exchange: str, key: str) -> set[str]:
    return {each.queue for each in there.bindings if each.exchange == exchange and _matches(each.key, key)}


@given(GROUPS)
def test_a_submission_comes_to_the_queue_of_its_group_and_to_the_hub(groups: set[str]) -> None:
    there = topology(groups)
    for group in groups:
        assert _receivers(there, names.JOBS, group) == {names.work_queue(group), names.SUBMITTED}
        assert _receivers(there, names.JOBS, names.later_key(group)) == {names.SUBMITTED}


@given(GROUPS, st.from_regex(names.GROUP, fullmatch=True))
def test_what_is_for_a_group_that_is_not_declared_comes_to_nobody(groups: set[str], other: str) -> None:
    there = topology(groups - {other})
    for key in (other, names.later_key(other), names.retry_key("r1s", other)):
        assert _receivers(there, names.JOBS, key) == set()


@given(GROUPS)
def test_another_attempt_comes_back_to_its_group_alone_from_every_rung(groups: set[str]) -> None:
    there = topology(groups)
    for group in groups:
        for rung in RUNGS:
            key = names.retry_key(rung.name, group)
            assert _receivers(there, names.RETRY, key) == {rung.queue}
            assert _receivers(there, names.JOBS, key) == {names.work_queue(group)}
            assert _receivers(there, names.DEAD_LETTERS, key) == {names.dead_queue(group)}
        at_once = names.retry_key(names.AT_ONCE, group)
        assert _receivers(there, names.JOBS, at_once) == {names.work_queue(group)}
        assert _receivers(there, names.DEAD_LETTERS, group) == {names.dead_queue(group)}


@given(GROUPS)
def test_an_event_that_must_not_be_lost_has_a_queue_and_one_that_may_has_none(groups: set[str]) -> None:
    there = topology(groups)
    for group in groups:
        for kind in names.KEPT:
            assert _receivers(there, names.EVENTS, names.event_key(group, kind)) == {names.STORE}
        assert _receivers(there, names.EVENTS, names.event_key(group, names.CLAIM)) == {names.CLAIMS}
        for kind in names.LIVE:
            assert _receivers(there, names.EVENTS, names.event_key(group, kind)) == set()


@given(GROUPS)
def test_no_word_of_control_is_taken_for_another_whatever_groups_are_called(groups: set[str]) -> None:
    there = topology(groups)
    assert _receivers(there, names.CONTROL, names.ASK) == {names.ASKS}
    for group in groups:
        for key in (names.worker_key(group, "id"), names.reply_key(group), names.NEWS, names.ALL):
            assert _receivers(there, names.CONTROL, key) == set()


@given(GROUPS)
def test_every_queue_is_of_the_one_kind_and_only_the_hubs_have_one_consumer(groups: set[str]) -> None:
    there = topology(groups)
    assert len({queue.name for queue in there.queues}) == len(there.queues)
    hubs = {queue.name for queue in there.queues if "x-single-active-consumer" in queue.arguments}
    assert hubs == {names.SUBMITTED, names.STORE, names.CLAIMS, names.ASKS}
    assert {queue.arguments["x-queue-type"] for queue in there.queues} == {"quorum"}
    assert {each.queue for each in there.bindings} == {queue.name for queue in there.queues}


@pytest.mark.parametrize("group", ["", "a.b", "a*", "#", "-a", "a" * 65, "größe", "a b"])
def test_a_name_that_could_not_be_part_of_a_key_is_refused(group: str) -> None:
    with pytest.raises(UserError, match="rename the group"):
        topology([group])


@given(st.integers(0, 10 * 86_400_000))
def test_a_pause_takes_few_hops_and_is_over_neither_early_nor_much_too_late(pause: int) -> None:
    spent, hops = 0, 0
    while (rung := rung_for(pause - spent)) is not None:
        spent += rung.pause
        hops += 1
    assert pause <= spent < pause + RUNGS[0].pause
    assert hops <= 10 * 24 + 6 + 10 + 6 + 10
