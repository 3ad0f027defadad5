"""`penstock broker init` on a real broker: as often as one likes, and with no more rights than one has."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from penstock.errors import BrokerFault
from penstock.rabbitmq import topology as names
from penstock.rabbitmq.channel import Channel
from penstock.rabbitmq.connection import Connection, connect
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.url import parse
from tests.acceptance.rabbitmq.conftest import GROUPS, PASSWORD, Penstock
from tests.rabbit import Shared, free_port


def _vhost(url: str) -> str:
    return parse(url).vhost


def test_said_again_it_has_nothing_to_do_and_another_group_is_all_that_is_added(
    penstock: Penstock, broker: str
) -> None:
    first = penstock("broker", "init", broker, *GROUPS)
    assert {each["kind"] for each in first["changes"]} == {"exchange", "queue", "binding", "policy"}
    assert penstock("broker", "init", broker, *GROUPS)["changes"] == []
    added = penstock("broker", "init", broker, "--group", "infer")["changes"]
    assert {each["kind"] for each in added} == {"queue", "binding"}
    assert all("infer" in each["name"] for each in added)
    assert penstock("broker", "init", broker, *GROUPS)["changes"] == []


def test_what_somebody_has_changed_is_found_and_put_right(
    penstock: Penstock, rabbit: Shared, broker: str
) -> None:
    penstock("broker", "init", broker, *GROUPS)
    body = {"pattern": "^ps", "definition": {"max-length": 1}, "apply-to": "queues"}
    rabbit.ask("PUT", f"policies/{_vhost(broker)}/ps-work", body)
    rabbit.ask("DELETE", f"queues/{_vhost(broker)}/ps.dead.gpu")
    found = penstock("broker", "init", broker, *GROUPS)["changes"]
    assert {(each["name"], each["missing"]) for each in found if each["kind"] != "binding"} == {
        ("ps.dead.gpu", True),
        ("ps-work", False),
    }
    assert penstock("broker", "init", broker, *GROUPS)["changes"] == []


def test_a_dry_run_changes_nothing(penstock: Penstock, rabbit: Shared, tmp_path: Path) -> None:
    url = rabbit.url(f"none-{secrets.token_hex(4)}")
    said = penstock("broker", "init", url, *GROUPS, "--dry-run", "--accounts", str(tmp_path / "secrets"))
    assert said["changes"][0] | {"command": ""} == {
        "kind": "virtual host",
        "name": _vhost(url),
        "missing": True,
        "command": "",
    }
    assert _vhost(url) not in {each["name"] for each in rabbit.ask("GET", "vhosts")}
    assert not (tmp_path / "secrets").exists()


def test_the_groups_are_those_of_the_app_or_of_the_file_beside_it(
    penstock: Penstock, broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "penstock.toml").write_text("[group.infer]\nworkers = 2\n")
    (tmp_path / "app.py").write_text(
        "from penstock import task\n@task(group='train')\ndef f() -> None: ...\n"
    )
    assert penstock("broker", "init", broker, "app.py", "--dry-run")["groups"] == ["train"]
    assert penstock("broker", "init", broker, "--dry-run")["groups"] == ["infer"]
    monkeypatch.setenv("PENSTOCK_BROKER", broker)
    assert penstock("broker", "init", "app.py", "--dry-run")["groups"] == ["train"]


def test_definitions_that_are_imported_are_the_same_set_up(
    penstock: Penstock, rabbit: Shared, broker: str, tmp_path: Path
) -> None:
    path = tmp_path / "definitions.json"
    penstock("broker", "init", broker, *GROUPS, "--export", str(path))
    assert penstock("broker", "init", broker, *GROUPS, "--dry-run")["changes"]
    rabbit.ask("POST", "definitions", json.loads(path.read_text()))
    assert penstock("broker", "init", broker, *GROUPS, "--dry-run")["changes"] == []


def test_who_may_not_set_policies_is_given_the_commands_and_who_may_not_declare_is_refused(
    penstock: Penstock, rabbit: Shared, broker: str, user: str, hidden: Callable[[str], str]
) -> None:
    leave = f"permissions/{_vhost(broker)}/{user}"
    url = hidden(rabbit.url(_vhost(broker), user, PASSWORD))
    rabbit.ask("PUT", leave, {"configure": "^$", "write": ".*", "read": ".*"})
    assert "ACCESS_REFUSED" in penstock("broker", "init", url, *GROUPS, code=5)["error"]
    rabbit.ask("PUT", leave, {"configure": ".*", "write": ".*", "read": ".*"})
    said = penstock("broker", "init", url, *GROUPS, code=1)
    assert {each["kind"] for each in said["left"]} == {"policy"}
    assert "does not let user" in said["why"]
    (work,) = (each["command"] for each in said["left"] if each["name"] == "ps-work")
    assert work.startswith(
        f"rabbitmqctl set_policy -p {_vhost(broker)} --priority 10 --apply-to queues ps-work"
    )
    again = penstock("broker", "init", url, *GROUPS, code=1)
    assert again["changes"] == []


def test_without_the_management_api_it_declares_and_says_what_is_left(
    penstock: Penstock, rabbit: Shared, broker: str
) -> None:
    bare = broker.replace(str(rabbit.management_port), str(free_port()))
    said = penstock("broker", "init", bare, *GROUPS, code=1)
    assert {each["kind"] for each in said["left"]} == {"policy"}
    assert "rabbitmq-plugins enable rabbitmq_management" in said["why"]
    left = penstock("broker", "init", broker, *GROUPS)["changes"]
    assert {each["kind"] for each in left} == {"policy"}


def test_what_is_wrong_is_a_sentence_without_the_password(
    penstock: Penstock, rabbit: Shared, broker: str, hidden: Callable[[str], str]
) -> None:
    wrong = rabbit.url(_vhost(broker), "guest", PASSWORD)
    assert "is the password right?" in penstock("broker", "init", hidden(wrong), *GROUPS, code=5)["error"]
    no_url = "http://guest@127.0.0.1"
    assert "amqp://" in penstock("broker", "init", no_url, *GROUPS, code=4)["error"]
    assert "rename the group" in penstock("broker", "init", broker, "--group", "a.b", code=4)["error"]


# ------------------------------------------------------------------------------------- the accounts


def _as(url: str, use: Callable[[Connection], Awaitable[None]]) -> None:
    async def run() -> None:
        connection = await connect(parse(url), name="test")
        await use(connection)
        await connection.close()

    asyncio.run(run())


async def _refused(connection: Connection, ask: Callable[[Channel], Awaitable[object]]) -> None:
    # A channel each: a refusal ends it.
    with pytest.raises(BrokerFault, match="ACCESS_REFUSED"):
        await ask(await connection.channel())


async def _inbox(channel: Channel, name: str, *keys: str, exchange: str = names.CONTROL) -> None:
    await channel.inbox(name)
    for key in keys:
        await channel.bind(name, exchange, key)
    await channel.consume(name, lambda _: None, prefetch=1)


async def _submit(connection: Connection) -> None:
    channel = await connection.channel()
    await _inbox(channel, names.reply_inbox("c1"), names.reply_key("c1"), names.NEWS)
    publisher = await connection.channel()
    await publisher.publish(names.JOBS, "gpu", Message())
    await publisher.publish(names.JOBS, names.later_key("gpu"), Message())
    await publisher.publish(names.CONTROL, names.ASK, Message())
    await _refused(connection, lambda at: at.get(names.work_queue("gpu")))
    await _refused(connection, lambda at: at.publish(names.EVENTS, "gpu.done", Message()))
    await _refused(connection, lambda at: at.publish(names.CONTROL, names.worker_key("gpu", "w"), Message()))
    await _refused(connection, lambda at: at.publish("", names.work_queue("gpu"), Message()))
    await _refused(connection, lambda at: at.declare_queue("ps.q.mine", {"x-queue-type": "quorum"}))


async def _work(connection: Connection) -> None:
    channel = await connection.channel()
    await _inbox(channel, names.worker_inbox("gpu", "w1"), names.worker_key("gpu", "w1"), names.ALL)
    taker, publisher = await connection.channel(), await connection.channel()
    assert await taker.get(names.work_queue("gpu")) is None
    await publisher.publish(names.EVENTS, "gpu.done", Message())
    await publisher.publish(names.RETRY, names.retry_key("r1s", "gpu"), Message())
    await publisher.publish(names.JOBS, names.retry_key(names.AT_ONCE, "gpu"), Message())
    await _refused(connection, lambda at: at.publish(names.JOBS, "gpu", Message()))
    await _refused(connection, lambda at: at.publish(names.EVENTS, "cpu.done", Message()))
    await _refused(connection, lambda at: at.get(names.work_queue("cpu")))
    await _refused(connection, lambda at: at.get(names.dead_queue("gpu")))
    await _refused(connection, lambda at: at.publish("", names.work_queue("gpu"), Message()))
    await _refused(connection, lambda at: _inbox(at, names.worker_inbox("cpu", "w1")))
    await _refused(
        connection, lambda at: _inbox(at, names.worker_inbox("gpu", "w2"), names.worker_key("cpu", "w"))
    )


async def _keep(connection: Connection) -> None:
    channel = await connection.channel()
    await _inbox(channel, names.hub_inbox("h1"), "*.progress", exchange=names.EVENTS)
    taker, publisher = await connection.channel(), await connection.channel()
    for queue in (names.SUBMITTED, names.STORE, names.CLAIMS, names.ASKS, names.dead_queue("gpu")):
        await taker.consume(queue, lambda _: None, prefetch=1)
    await publisher.publish(names.JOBS, "cpu", Message())
    await publisher.publish(names.EVENTS, names.event_key("hub", names.CLAIM), Message())
    await _refused(connection, lambda at: at.get(names.work_queue("gpu")))
    await _refused(connection, lambda at: at.publish(names.EVENTS, "gpu.done", Message()))


async def _look_on(connection: Connection) -> None:
    channel = await connection.channel()
    await _inbox(channel, names.live_inbox("n1"), "gpu.progress", "*.log", exchange=names.EVENTS)
    await (await connection.channel()).publish(names.JOBS, "gpu", Message())
    await _refused(connection, lambda at: _inbox(at, names.live_inbox("n2"), "#", exchange=names.EVENTS))


@pytest.mark.parametrize(
    ("account", "use"),
    [("api", _submit), ("worker-gpu", _work), ("hub", _keep), ("notebook", _look_on)],
)
def test_an_account_may_do_what_it_needs_and_is_refused_the_rest(
    secured: dict[str, str], account: str, use: Callable[[Connection], Awaitable[None]]
) -> None:
    _as(secured[account], use)


def test_the_accounts_of_a_broker_that_has_them_stay_with_their_secrets(
    penstock: Penstock, broker: str, secured: dict[str, str], tmp_path: Path
) -> None:
    before = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    said = penstock("broker", "init", broker, *GROUPS, "--accounts", str(tmp_path / "secrets"))
    assert said["changes"] == []
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == before
    assert set(secured) == {"api", "hub", "worker-cpu", "worker-gpu", "workers", "notebook", "monitor"}
