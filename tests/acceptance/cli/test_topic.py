"""Topics: what is published in a run, who gets it, and what becomes of the rest when somebody dies."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

import penstock
from penstock.runtime import client
from tests.acceptance.cli.terminal import LIMIT, Terminal, finish

APP = """
import time
import numpy
from penstock import Context, Pipeline, sink, source, subscriber

@source
def numbers(ctx: Context):
    number = 0
    while not ctx.stopping:
        ctx.publish("metrics.number", number, last=True)
        yield number
        number += 1
        time.sleep(0.005)

@sink
def save(number: int, ctx: Context) -> None:
    ctx.publish("frames", numpy.full(20_000, number))

@subscriber("metrics.*", "light")
def log(value: float, ctx: Context) -> None:
    if value == "break":
        raise ValueError("broken")
    print(ctx.topic, value, flush=True)

@subscriber("frames", conflate=True)
class Board:
    def __call__(self, frame: numpy.ndarray) -> None:
        assert not frame.flags.writeable and (frame == frame[0]).all()

pipeline = Pipeline("topics", numbers >> save, log, Board)
"""


@pytest.fixture
def topics(terminal: Terminal) -> Terminal:
    terminal.write("app.py", APP)
    terminal.run()
    return terminal


def worker(name: str) -> dict[str, Any]:
    stages = client.call(client.find(), "ps")["stages"]
    return next(one for stage in stages for one in stage["replicas"] if one["worker"] == name)


def kill(name: str) -> None:
    """As the kernel does it; returns when another one is there."""
    before = worker(name)
    os.kill(before["pid"], signal.SIGKILL)
    deadline = time.monotonic() + LIMIT
    while (now := worker(name)).get("number", before["number"]) == before["number"] or now[
        "state"
    ] != "ready":
        assert time.monotonic() < deadline, now
        time.sleep(0.02)


def logged(terminal: Terminal, what: str, since: int = 0) -> bool:
    """Wait until the subscriber has printed it."""
    path, deadline = terminal.directory / ".penstock/topics/logs/log.0.log", time.monotonic() + LIMIT
    while what not in path.read_text()[since:]:
        assert time.monotonic() < deadline, f"{what} was never printed"
        time.sleep(0.02)
    return True


def end(terminal: Terminal) -> tuple[str, dict[str, Any]]:
    """Drain it; what it said, and how it ended."""
    terminal.type("drain", "--timeout", "60s")
    said = finish(terminal.background[0])
    kept = json.loads((terminal.directory / ".penstock/topics/run.json").read_text())
    assert not any(Path(terminal.environment["PENSTOCK_RUN_DIR"]).glob("topics-*"))
    return said, kept


def adds_up(row: dict[str, Any]) -> bool:
    ends = ("delivered", "full", "replaced", "gone", "unsure", "in_flight")
    return bool(row["offered"] == sum(row[name] for name in ends))


def test_what_is_published_is_shown_counted_and_added_to_from_outside(topics: Terminal) -> None:
    lines = topics.type("topic", "echo", "-n", "3", "--last", "--json", "metrics.*").stdout.splitlines()
    first, *others = [json.loads(line) for line in lines]
    assert (first["topic"], first["source"], first["kept"]) == ("metrics.number", "numbers/0", True)
    assert [each["value"] - first["value"] for each in others] == [1, 2]
    assert (
        "frames   save/0   array of int64, 20000" in topics.type("topic", "echo", "-n", "1", "frames").stdout
    )
    assert json.loads(topics.type("topic", "hz", "-n", "1", "--json").stdout)["rates"]["metrics.number"] > 1
    assert topics.ask("topic", "pub", "light", "0.5") == {
        "schema": "penstock.publication/1",
        "topic": "light",
        "delivered": 1,
        "missed": 0,
    }
    assert logged(topics, "light 0.5")
    assert "nobody has subscribed" in topics.type("topic", "pub", "other", "x", "--text").stderr
    assert "is not JSON" in topics.type("topic", "pub", "light", "x", code=4).stderr
    assert "is no topic" in topics.type("topic", "pub", "a*", "1", code=4).stderr
    assert "1 subscriber got it" in topics.type("topic", "pub", "light", "break", "--text").stderr
    with penstock.subscribe("metrics.*", last=True) as messages:  # as a script or a notebook does it
        first_of_all = next(iter(messages))
        assert (first_of_all.topic, first_of_all.kept) == ("metrics.number", True)
        assert messages.receive("30s").value == first_of_all.value + 1
    with penstock.subscribe("never") as nothing, pytest.raises(penstock.TimedOut, match="within 1ms"):
        nothing.receive("1ms")
    assert "log is a subscriber, which" in topics.type("debug", "log/0", code=4).stderr
    said, kept = end(topics)
    assert "log/0 failed on light: ValueError: broken" in said
    assert "log/0        metrics.number" in said
    published = {each["topic"]: each["published"] for each in kept["topics"]}
    assert published["metrics.number"] == kept["totals"]["entered"] == published["frames"]
    mine = {(each["subscriber"], each["topic"]): each for each in kept["subscriptions"]}
    assert mine["log/0", "metrics.number"]["delivered"] == published["metrics.number"]
    assert all(map(adds_up, mine.values()))


def test_deaths_harm_nobody_else_and_the_counts_add_up(topics: Terminal) -> None:
    echo, light = topics.start("topic", "echo"), topics.start("topic", "echo", "light")
    topics.await_callers(2)
    kill("log/0")
    assert logged(topics, "metrics.number")
    kill("numbers/0")  # it begins anew
    kill("save/0")
    log = topics.directory / ".penstock/topics/logs/log.0.log"
    assert logged(topics, "metrics.number", since=log.stat().st_size)
    assert echo.stdout is not None
    assert echo.stdout.readline()
    echo.send_signal(signal.SIGINT)
    out, err = echo.communicate(timeout=LIMIT)
    assert (echo.returncode, "Traceback" in err) == (130, False), out + err
    listed = topics.ask("topic", "list")
    assert {each["topic"] for each in listed["topics"]} == {"metrics.number", "frames"}
    _, kept = end(topics)
    finish(light)  # it has ended with the run
    assert kept["totals"]["lost"] == 0
    for each in kept["subscriptions"]:
        assert adds_up(each), each
        assert each["in_flight"] == 0
    assert all(
        each["delivered"] for each in kept["subscriptions"] if each["subscriber"] in {"log/0", "Board/0"}
    )


ALONE = """
from penstock import Context, JobContext, Pipeline, subscriber, task

@subscriber("*")
def log(value: float, ctx: Context) -> None:
    print(ctx.topic, value, flush=True)

@task
def train(ctx: JobContext, epochs: int) -> int:
    for epoch in range(epochs):
        ctx.publish("metrics.epoch", epoch)
    return epochs

pipeline = Pipeline("topics", log)
"""


def test_subscribers_may_be_alone_and_hear_tasks_and_the_world_outside(terminal: Terminal) -> None:
    terminal.write("app.py", ALONE)
    terminal.write("penstock.toml", "[group.default]\nworkers = 1\n")
    terminal.start("run", "app.py", "--jobs")
    terminal.type("wait", "--for", "ready", "--timeout", "30s")
    terminal.type("tasks", "submit", "app.py:train", "--arg", "epochs=3", "--wait", "--timeout", "60s")
    assert logged(terminal, "metrics.epoch 2")
    terminal.type("topic", "pub", "hello", '"world"')
    assert logged(terminal, "hello world")
    _, kept = end(terminal)
    assert {each["topic"]: each["delivered"] for each in kept["subscriptions"]} == {
        "metrics.epoch": 3,
        "hello": 1,
    }
