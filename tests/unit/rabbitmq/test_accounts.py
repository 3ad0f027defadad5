"""An account may do what it is for; the patterns are searched for as the broker does it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.rabbitmq import topology as names
from penstock.rabbitmq.accounts import Account, accounts

GROUP = st.from_regex(names.GROUP, fullmatch=True)
ALL = accounts(["gpu", "cpu"])


def _account(name: str) -> Account:
    (found,) = (account for account in ALL if account.name == name)
    return found


def _may_publish(account: Account, exchange: str, key: str) -> bool:
    return _may(account.write, exchange) and all(
        _may(keys.write, key) for keys in account.keys if keys.exchange == exchange
    )


def _may_bind(account: Account, queue: str, exchange: str, key: str) -> bool:
    said = all(_may(keys.read, key) for keys in account.keys if keys.exchange == exchange)
    return _may(account.write, queue) and _may(account.read, exchange) and said


def _may(pattern: str, name: str) -> bool:
    return re.search(pattern, name) is not None


def test_there_is_one_for_each_group_and_one_for_who_runs_several() -> None:
    assert [account.name for account in ALL] == [
        "ps-api",
        "ps-hub",
        "ps-worker-cpu",
        "ps-worker-gpu",
        "ps-workers",
        "ps-notebook",
        "ps-monitor",
    ]
    assert {account.name.partition("-")[0] for account in accounts(["gpu"], "staging")} == {"staging"}
    assert "ps-workers" not in {account.name for account in accounts(["gpu"])}


@pytest.mark.parametrize("account", ALL, ids=lambda account: account.name)
def test_nobody_may_touch_the_default_exchange_or_declare_what_lasts(account: Account) -> None:
    for pattern in (account.configure, account.write, account.read):
        assert not _may(pattern, "amq.default")
    for queue in names.topology(["gpu", "cpu"]).queues:
        assert not _may(account.configure, queue.name)
        assert not _may(account.write, queue.name)
    for exchange in names.EXCHANGES:
        assert not _may(account.configure, exchange)


@pytest.mark.parametrize("account", ALL, ids=lambda account: account.name)
def test_of_every_exchange_that_one_may_write_to_the_keys_are_said(account: Account) -> None:
    said = {keys.exchange for keys in account.keys}
    for exchange in names.EXCHANGES:
        assert exchange in said or not (_may(account.write, exchange) or _may(account.read, exchange))


@pytest.mark.parametrize("name", ["ps-api", "ps-notebook"])
def test_who_submits_cannot_take_jobs_or_speak_as_a_worker(name: str) -> None:
    account = _account(name)
    assert _may_publish(account, names.JOBS, "gpu")
    assert _may_publish(account, names.JOBS, names.later_key("gpu"))
    assert _may_publish(account, names.CONTROL, names.ASK)
    assert not _may_publish(account, names.JOBS, names.retry_key("r0", "gpu"))
    assert not _may_publish(account, names.CONTROL, names.worker_key("gpu", "w1"))
    assert not _may_publish(account, names.EVENTS, names.event_key("gpu", "done"))
    assert not _may(account.read, names.work_queue("gpu"))
    inbox = names.reply_inbox("c-1")
    assert _may(account.configure, inbox)
    assert _may(account.read, inbox)
    assert _may_bind(account, inbox, names.CONTROL, names.reply_key("c-1"))
    assert _may_bind(account, inbox, names.CONTROL, names.NEWS)
    assert not _may_bind(account, inbox, names.CONTROL, names.worker_key("gpu", "w1"))
    assert not _may_bind(account, inbox, names.CONTROL, names.ASK)


def test_a_notebook_alone_follows_what_happens() -> None:
    for name, may in (("ps-notebook", True), ("ps-api", False), ("ps-worker-gpu", False)):
        for key in ("gpu.progress", "*.log"):
            assert _may_bind(_account(name), names.live_inbox("n1"), names.EVENTS, key) is may
    assert not _may_bind(_account("ps-notebook"), names.live_inbox("n1"), names.EVENTS, "gpu.done")


@given(GROUP)
def test_a_worker_speaks_for_its_own_group_alone(other: str) -> None:
    account = _account("ps-worker-gpu")
    ours = other == "gpu"
    for kind in (*names.KEPT, *names.LIVE, names.CLAIM):
        assert _may_publish(account, names.EVENTS, names.event_key(other, kind)) is ours
    for rung in names.RUNGS:
        assert _may_publish(account, names.RETRY, names.retry_key(rung.name, other)) is ours
    assert _may_publish(account, names.JOBS, names.retry_key(names.AT_ONCE, other)) is ours
    assert _may(account.read, names.work_queue(other)) is ours
    assert not _may(account.read, names.dead_queue(other))
    assert not _may_publish(account, names.JOBS, other)
    inbox = names.worker_inbox(other, "w1")
    assert _may(account.configure, inbox) is ours
    mine = names.worker_inbox("gpu", "w1")
    assert _may_bind(account, mine, names.CONTROL, names.worker_key(other, "w1")) is ours


def test_who_runs_several_groups_may_do_that_and_submit_neither() -> None:
    account = _account("ps-workers")
    for group in ("gpu", "cpu"):
        assert _may_publish(account, names.EVENTS, names.event_key(group, "done"))
        assert _may(account.read, names.work_queue(group))
        assert not _may_publish(account, names.JOBS, group)


def test_the_hub_takes_what_is_for_it_and_sends_jobs_but_runs_none() -> None:
    hub = _account("ps-hub")
    for queue in (names.SUBMITTED, names.STORE, names.CLAIMS, names.ASKS, names.dead_queue("gpu")):
        assert _may(hub.read, queue)
    assert not _may(hub.read, names.work_queue("gpu"))
    assert _may_publish(hub, names.JOBS, "gpu")
    assert _may_publish(hub, names.CONTROL, names.reply_key("c-1"))
    assert not _may_publish(hub, names.EVENTS, "gpu.done")
    assert _may_publish(hub, names.EVENTS, names.event_key("hub", names.CLAIM))
    assert _may_bind(hub, names.hub_inbox("h1"), names.EVENTS, "*.progress")


def test_the_monitor_only_looks_at_figures() -> None:
    monitor = _account("ps-monitor")
    assert monitor.tags == ("monitoring",)
    assert {monitor.configure, monitor.write, monitor.read} == {"^$"}
