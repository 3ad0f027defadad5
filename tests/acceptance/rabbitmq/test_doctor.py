"""`penstock broker doctor`, and what a worker looks at before it starts, on real brokers."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from penstock.cli.main import answer
from penstock.errors import EnvironmentFault
from penstock.rabbitmq.connection import connect
from penstock.rabbitmq.remark import Remark
from penstock.rabbitmq.url import parse
from penstock.rabbitmq.verify import insist
from tests.acceptance.rabbitmq.conftest import PASSWORD, Penstock
from tests.rabbit import Node, Shared, fabric, free_port, set_up

GPU = ("--group", "gpu")
APP = """
from penstock import task


@task(group="gpu", timeout="{timeout}")
def train() -> None: ...
"""


def _verdicts(said: Any) -> dict[str, str]:
    return {each["subject"]: each["verdict"] for each in said["findings"]}


def _start(url: str, groups: Mapping[str, float]) -> list[Remark]:
    """As a worker does."""

    async def run() -> list[Remark]:
        connection = await connect(parse(url), name="test")
        try:
            return await insist(connection, groups)
        finally:
            await connection.close()

    return asyncio.run(run())


def test_a_broker_that_is_set_up_is_good_but_for_the_hub_that_does_not_run(
    penstock: Penstock, broker: str
) -> None:
    penstock("broker", "init", broker, *GPU)
    verdicts = _verdicts(penstock("broker", "doctor", f"{broker}&consumer_timeout=7d", *GPU))
    assert verdicts.pop("hub") == "doubtful"
    assert set(verdicts.values()) == {"good"}, verdicts
    assert {"version", "encryption", "management", "nodes", "queues", "policies"} <= set(verdicts)


def test_what_is_missing_is_named_with_the_command_that_makes_it(penstock: Penstock, broker: str) -> None:
    said = penstock("broker", "doctor", broker, *GPU, code=1)
    (queues,) = (each for each in said["findings"] if each["subject"] == "queues")
    assert queues["verdict"] == "bad"
    assert queues["cure"].startswith("penstock broker init amqp://guest:***@")
    with pytest.raises(EnvironmentFault, match="no queue for the group 'gpu'; penstock broker init"):
        _start(broker, {"gpu": 1})


def test_a_policy_of_somebody_else_that_counts_more_is_found(
    penstock: Penstock, rabbit: Shared, broker: str
) -> None:
    set_up(broker, "gpu")
    body = {"pattern": ".*", "definition": {"max-length": 5}, "apply-to": "queues", "priority": 99}
    rabbit.ask("PUT", f"policies/{parse(broker).vhost}/theirs", body)
    said = penstock("broker", "doctor", broker, *GPU, code=1)
    (found,) = (each for each in said["findings"] if each["subject"] == "policies")
    assert "theirs is in force" in found["text"]


def test_a_worker_that_may_not_do_its_work_does_not_start(
    penstock: Penstock, rabbit: Shared, broker: str, user: str, hidden: Callable[[str], str]
) -> None:
    set_up(broker, "gpu")
    vhost = parse(broker).vhost
    url = hidden(rabbit.url(vhost, user, PASSWORD))
    rabbit.ask("PUT", f"permissions/{vhost}/{user}", {"configure": ".*", "write": "^$", "read": ".*"})
    with pytest.raises(EnvironmentFault, match=r"may not run jobs of gpu.*--accounts DIR") as refused:
        _start(url, {"gpu": 1})
    assert PASSWORD not in str(refused.value)
    said = penstock("broker", "doctor", url, *GPU, code=1)
    assert _verdicts(said) | {"account": "bad", "management": "doubtful"} == _verdicts(said)
    rabbit.ask("PUT", f"permissions/{vhost}/{user}", {"configure": ".*", "write": ".*", "read": ".*"})
    assert _start(url, {"gpu": 1}) == []


def test_a_job_longer_than_the_broker_waits_is_found_before_it_begins(
    penstock: Penstock, broker: str, tmp_path: Path
) -> None:
    set_up(broker, "gpu")
    (tmp_path / "app.py").write_text(APP.format(timeout="2h"))
    said = penstock("broker", "doctor", broker, str(tmp_path / "app.py"), code=1)
    (found,) = (each for each in said["findings"] if each["subject"] == "consumer timeout")
    assert "takes it back after 30 min" in found["text"]
    assert "consumer_timeout = 7270000 in rabbitmq.conf" in found["cure"]
    with pytest.raises(EnvironmentFault, match="consumer_timeout = 7260000"):
        _start(broker, {"gpu": 7_200_000})
    assert _start(f"{broker}&consumer_timeout=3h", {"gpu": 7_200_000}) == []
    (doubtful,) = _start(broker, {"gpu": math.inf})
    assert doubtful.verdict == "doubtful"


def test_a_worker_whose_broker_is_not_fit_says_why_and_does_not_start(
    broker: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "app.py").write_text(APP.format(timeout="2h"))

    def refusal() -> str:
        sys.modules.pop("app", None)
        assert answer(["worker", str(tmp_path / "app.py"), "--broker", broker]) == 5
        return capsys.readouterr().err

    assert "there is no queue for the group 'gpu'; penstock broker init" in refusal()
    set_up(broker, "gpu")
    assert "consumer_timeout = 7270000 in rabbitmq.conf" in refusal()


def test_nobody_there_and_a_wrong_password_are_findings(
    penstock: Penstock, rabbit: Shared, hidden: Callable[[str], str]
) -> None:
    for url in (f"amqp://127.0.0.1:{free_port()}", hidden(rabbit.url("/", password=PASSWORD))):
        (found,) = penstock("broker", "doctor", url, *GPU, code=1)["findings"]
        assert (found["subject"], found["verdict"]) == ("connection", "bad")


def test_a_timeout_of_three_seconds_and_an_alarm_are_seen(penstock: Penstock, tmp_path: Path) -> None:
    with fabric() as ground:
        node = Node(ground, settings={"consumer_timeout": 3000}).start()
        set_up(node.url(), "gpu")
        tool = tmp_path / "rabbitmqctl"
        environment = " ".join(f"'{name}={value}'" for name, value in node.environment.items())
        tool.write_text(
            f'#!/bin/sh\nexec env {environment} /usr/lib/rabbitmq/bin/rabbitmqctl -n {node.name} "$@"\n'
        )
        tool.chmod(0o755)
        (tmp_path / "app.py").write_text(APP.format(timeout="10s"))
        said = penstock(
            "broker", "doctor", node.url(), str(tmp_path / "app.py"), "--rabbitmqctl", str(tool), code=1
        )
        (found,) = (each for each in said["findings"] if each["subject"] == "consumer timeout")
        assert "takes it back after 3 s" in found["text"]
        node.tool("set_vm_memory_high_watermark", "absolute", "1MB")
        with pytest.raises(EnvironmentFault, match="short of memory or of disk"):
            _start(node.url(), {"gpu": 1})


def test_tools_that_cannot_be_asked_are_a_sentence(penstock: Penstock, broker: str) -> None:
    wrong = [sys.executable, "-c", "'raise SystemExit(3)'"]
    said = penstock("broker", "doctor", broker, *GPU, "--rabbitmqctl", " ".join(wrong), code=5)
    assert "does not tell the consumer_timeout" in said["error"]
    said = penstock("broker", "doctor", broker, *GPU, "--rabbitmqctl", "/none/rabbitmqctl", code=5)
    assert "cannot be run" in said["error"]
