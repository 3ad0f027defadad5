"""Every version of the broker is told only what it understands."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.rabbitmq import topology as names
from penstock.rabbitmq.policies import OLDEST, Policy, policies, version_of
from penstock.rabbitmq.topology import topology

VERSIONS = st.sampled_from([(3, 10), (3, 11), (3, 12), (3, 13), (4, 0), (4, 1), (4, 2), (4, 3), (5, 0)])
QUEUES = [queue.name for queue in topology(["gpu", "cpu-2", "Infer_1"]).queues]


def _of(queue: str, version: tuple[int, int]) -> Policy:
    """The one that counts."""
    (found,) = (policy for policy in policies(version) if re.search(policy.pattern, queue))
    return found


@given(VERSIONS, st.sampled_from(QUEUES))
def test_every_queue_has_exactly_one_policy(version: tuple[int, int], queue: str) -> None:
    assert _of(queue, version).definition


@given(VERSIONS)
def test_nothing_is_said_that_a_version_refuses_or_takes_for_something_else(version: tuple[int, int]) -> None:
    for policy in policies(version):
        if version < (4, 0):
            assert policy.definition.get("delivery-limit") != -1
        if version < (3, 12):
            assert "consumer-timeout" not in policy.definition
            assert policy.applies_to == "queues"
        assert not any(key.startswith("delayed-retry") for key in policy.definition)


@given(VERSIONS, st.sampled_from(QUEUES))
def test_a_queue_that_is_full_says_so_and_drops_nothing(version: tuple[int, int], queue: str) -> None:
    definition = _of(queue, version).definition
    assert definition["overflow"] == "reject-publish"
    if "dead-letter-exchange" in definition:
        assert definition["dead-letter-strategy"] == "at-least-once"


@given(VERSIONS)
def test_what_waits_for_the_hub_is_never_given_up_by_a_count_of_deliveries(version: tuple[int, int]) -> None:
    for queue in (names.SUBMITTED, names.STORE, names.CLAIMS, names.ASKS, names.dead_queue("gpu")):
        said = _of(queue, version).definition.get("delivery-limit")
        assert said == (-1 if version >= (4, 0) else None)


def test_a_rung_has_its_one_time_and_leads_back() -> None:
    for rung in names.RUNGS:
        definition = _of(rung.queue, OLDEST).definition
        assert definition["message-ttl"] == rung.pause
        assert definition["dead-letter-exchange"] == names.JOBS
        assert "dead-letter-routing-key" not in definition


def test_the_longest_job_is_said_where_a_policy_can_say_it() -> None:
    assert _of(names.work_queue("gpu"), (3, 12)).definition["consumer-timeout"] == 30 * 86_400_000
    (work, *_) = policies((4, 2), 5000)
    assert work.body["definition"] == {**work.definition, "consumer-timeout": 5000}


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("3.10.8", (3, 10)),
        ("4.3.0-rc.1", (4, 3)),
        ("4.0", (4, 0)),
        (b"3.10", (0, 0)),
        ("?", (0, 0)),
        (None, (0, 0)),
    ],
)
def test_a_version_is_read_as_brokers_write_it(said: object, version: tuple[int, int]) -> None:
    assert version_of(said) == version
