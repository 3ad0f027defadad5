"""What is judged of a broker, from what its API says."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.rabbitmq.examination import judge_force, judge_nodes, judge_queues, judge_secrecy
from penstock.rabbitmq.inventory import Inventory, tags
from penstock.rabbitmq.policies import Policy
from penstock.rabbitmq.topology import STORE
from penstock.rabbitmq.url import parse

NODE: dict[str, Any] = {"name": "rabbit@a", "running": True, "mem_alarm": False, "partitions": []}


def test_a_cluster_without_an_alarm_is_good() -> None:
    (found,) = judge_nodes([NODE, NODE])
    assert (found.verdict, found.text) == ("good", "2 running, no alarm")


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ({"running": False}, "does not run"),
        ({"mem_alarm": True}, "short of memory"),
        ({"disk_free_alarm": True}, "short of disk"),
        ({"partitions": ["rabbit@b"]}, "has lost sight of rabbit@b"),
    ],
)
def test_what_is_wrong_with_a_node_is_bad_and_has_a_cure(what: dict[str, Any], text: str) -> None:
    (found,) = judge_nodes([NODE, {**NODE, **what}])
    assert found.verdict == "bad"
    assert text in found.text
    assert found.cure


def test_a_store_that_nobody_reads_means_that_no_hub_runs() -> None:
    (found,) = judge_queues([{"name": STORE, "consumers": 0}], 1)
    assert (found.subject, found.cure) == ("hub", "penstock hub")
    assert judge_queues([{"name": STORE, "consumers": 1}], 1) == []


def test_queues_on_one_node_of_several_are_found() -> None:
    queue = {"name": "ps.q.gpu", "members": ["rabbit@a"]}
    assert judge_queues([queue], 1) == []
    (found,) = judge_queues([queue, {"name": "other", "members": ["rabbit@a"]}], 3)
    assert found.text == "ps.q.gpu on one node of 3 alone"


@pytest.mark.parametrize(
    ("url", "verdict"),
    [
        ("amqps://h", "good"),
        ("amqp://localhost", "good"),
        ("amqp://[::1]", "good"),
        ("amqp://127.0.0.9", "good"),
        ("amqp://10.0.0.1", "doubtful"),
        ("amqp://h", "doubtful"),
    ],
)
def test_what_can_be_read_on_the_way_is_a_warning(url: str, verdict: str) -> None:
    assert judge_secrecy(parse(url)).verdict == verdict


def test_another_policy_that_counts_more_is_found() -> None:
    queues: dict[str, dict[str, Any]] = {"ps.q.gpu": {}, "other": {}}
    ours = {"ps-work": Policy("ps-work", r"^ps\.q\.", {}, "queues")}
    other = Policy("ha", ".*", {}, "all", 0)
    assert judge_force(Inventory(queues=queues, policies={**ours, "ha": other})).verdict == "good"
    exchanges = {"ha": other._replace(priority=99, applies_to="exchanges")}
    assert judge_force(Inventory(queues=queues, policies={**ours, **exchanges})).verdict == "good"
    found = judge_force(Inventory(queues=queues, policies={**ours, "ha": other._replace(priority=99)}))
    assert found.verdict == "bad"
    assert "ha is in force for ps.q.gpu" in found.text


@pytest.mark.parametrize("said", ["administrator,monitoring", ["monitoring", "administrator"]])
def test_tags_are_read_in_both_forms(said: object) -> None:
    assert tags(said) == ("administrator", "monitoring")
    assert tags("") == ()
