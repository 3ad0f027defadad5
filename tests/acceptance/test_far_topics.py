"""What is published on one host is heard on every other one."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts import AT_HAND, Lab, until

pytestmark = pytest.mark.skipif(not AT_HAND, reason="network namespaces need root and iproute2")

APP = """\
import time

import numpy as np

from penstock import Context, Pipeline, sink, source, stage, subscriber


@source
def numbers(ctx: Context):
    for n in range(10**9):
        if ctx.stopping:
            return
        yield n
        time.sleep(0.002)


@stage(hosts="far")
def work(n: int, ctx: Context) -> int:
    ctx.publish("far.number", np.full(10_000 if n % 50 == 0 else 1, n))
    ctx.publish("state", n, last=True)
    return n


@sink
def keep(n: int):
    pass


ticks = numbers.named("ticks")


@sink
def tell(n: int, ctx: Context):
    ctx.publish("near.number", n)


class Heard:
    def setup(self):
        self.file = open("heard", "a", buffering=1)

    def __call__(self, value, ctx: Context):
        self.file.write(f"{ctx.topic} {np.ravel(value)[-1]}\\n")


class Newest(Heard):
    def __call__(self, value, ctx: Context):
        time.sleep(0.1)


here = subscriber("far.*", "near.*", "note", name="here")(Heard)
there = subscriber("far.*", "near.*", "note", name="there", hosts="far")(Heard)
slow = subscriber("near.*", name="slow", hosts="far", conflate=True)(Newest)
pipeline = Pipeline("lab", numbers >> work >> keep, ticks >> tell, here, there, slow)
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path, 2)
    try:
        yield made
    finally:
        made.close()


def heard(lab: Lab, host: str, topic: str) -> list[int]:
    """What the subscriber there has got of a topic so far."""
    path = lab.home(host) / "heard"
    rows = [row.split() for row in (path.read_text().splitlines() if path.exists() else ())]
    return [int(row[1]) for row in rows if len(row) == 2 and row[0] == topic]


def grows(lab: Lab, *rows: tuple[str, str]) -> None:
    """Wait until some more was heard there of each topic."""
    before = {row: len(heard(lab, *row)) for row in rows}
    until(lambda: all(len(heard(lab, *row)) > before[row] + 20 for row in rows), f"{rows} grow")


def said(lab: Lab, *words: str) -> subprocess.CompletedProcess[str]:
    """``penstock topic ...`` on the first host."""
    return lab.call("topic", *words)


ALL = [(host, topic) for host in ("h1", "h2") for topic in ("far.number", "near.number")]


def test_values_reach_subscribers_of_every_host_once_and_in_order_also_over_a_cut(lab: Lab) -> None:
    (lab.home("h1") / "app.py").write_text(APP)
    lab.begin("--host-timeout", "8s")
    lab.start("h2", "join", "tcp://10.77.0.11:7788", "--key-file", str(lab.key), "--label", "far")
    grows(lab, *ALL)
    echoed = said(lab, "echo", "-n", "3", "--last", "state", "--json")
    first = json.loads(echoed.stdout.splitlines()[0])
    assert first["kept"] and first["source"] == "work/0", echoed
    assert "2 subscribers got it" in said(lab, "pub", "note", "7").stderr
    assert heard(lab, "h1", "note") == heard(lab, "h2", "note") == [7]
    lab.cut("h2")
    grows(lab, ("h1", "near.number"))
    lab.heal("h2")
    grows(lab, *ALL)
    rates = json.loads(said(lab, "hz", "-n", "1", "--every", "0.5s", "--json").stdout)["rates"]
    assert rates["far.number"] > 0
    lab.processes["h1"].send_signal(signal.SIGINT)
    assert lab.processes["h1"].wait(60) == 0, lab.said("h1")
    record = json.loads((lab.home("h1") / ".penstock/lab/run.json").read_text())
    published = {each["topic"]: each["published"] for each in record["topics"]}
    for host, topic in ALL:
        assert heard(lab, host, topic) == list(range(published[topic])), lab.said("h1")
    counts = {(each["subscriber"], each["topic"]): each for each in record["subscriptions"]}
    for who in ("here/0", "there/0"):
        for topic in ("far.number", "near.number"):
            assert counts[who, topic]["offered"] == counts[who, topic]["delivered"] == published[topic]
    slow = counts["slow/0", "near.number"]
    assert slow["offered"] == published["near.number"] == slow["delivered"] + slow["replaced"]
    assert slow["replaced"] > 0
