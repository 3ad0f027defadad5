"""Services whose replicas are on several hosts, and callers on all of them."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts import AT_HAND, Lab, until

pytestmark = pytest.mark.skipif(not AT_HAND, reason="network namespaces need root and iproute2")

APP = """\
import os
import time

import numpy as np

from penstock import Context, Pipeline, service, sink, source, stage


@service(replicas=2)
def anywhere(pair):
    number, array = pair
    return number, os.environ["LAB_HOST"], array * 2


@service(hosts="far")
def there(text: str) -> str:
    return text + " from " + os.environ["LAB_HOST"]


@service(hosts="first")
def here(number: int) -> str:
    if number < 0:
        raise ValueError("below nothing")
    return os.environ["LAB_HOST"]


@source
def numbers(ctx: Context):
    for n in range(10**9):
        if ctx.stopping:
            return
        yield n


def ask(n: int) -> tuple:
    number, host, array = anywhere.call((n, np.full(20_000 if n % 10 == 0 else 3, n)), timeout="60s")
    assert number == n and (array == 2 * n).all()
    return n, os.environ["LAB_HOST"], host, here.call(n), there.call("hello")


@stage
def near(n: int) -> tuple:
    time.sleep(0.001)
    return ask(n)


@stage(hosts="far")
def far(n: int) -> tuple:
    time.sleep(0.001)
    return ask(n)


@sink
class Keep:
    def setup(self):
        self.file = open("kept", "a", buffering=1)

    def __call__(self, row: tuple):
        self.file.write(" ".join(map(str, row)) + "\\n")


pipeline = Pipeline("lab", numbers >> near >> Keep, numbers.named("others") >> far >> Keep.named("keeps"),
                    anywhere, there, here)
"""

SCRIPT = """\
import sys
import penstock
there = penstock.connect_service("lab", "there")
here = penstock.connect_service("lab", "here")
print(there.call("script", timeout="30s"), here.call(1, timeout="30s"))
try:
    here.call(-1, timeout="30s")
except penstock.RemoteError as error:
    print(error)
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path, 3)
    try:
        yield made
    finally:
        made.close()


def rows(lab: Lab) -> list[list[str]]:
    """Who has asked for which number, which replica has answered, and the two that stand still."""
    path = lab.home("h1") / "kept"
    found = [line.split() for line in (path.read_text().splitlines() if path.exists() else ())]
    return [row for row in found if len(row) == 7]


def answered(lab: Lab, *pairs: tuple[str, str]) -> None:
    """Wait until callers of these hosts got more answers of those."""
    before = {pair: _count(lab, pair) for pair in pairs}
    until(lambda: all(_count(lab, pair) > before[pair] + 5 for pair in pairs), f"{pairs} talk")


def talks(lab: Lab) -> bool:
    """Whether anybody gets an answer in a while."""
    before = len(rows(lab))
    time.sleep(0.3)
    return len(rows(lab)) > before


def _count(lab: Lab, pair: tuple[str, str]) -> int:
    return sum((row[1], row[2]) == pair for row in rows(lab))


def test_calls_go_to_replicas_of_every_host_over_a_cut_and_a_death(lab: Lab) -> None:
    (lab.home("h1") / "app.py").write_text(APP)
    lab.begin("--host-timeout", "6s")
    for host in ("h2", "h3"):
        words = ("--stage", "anywhere=1") + (("--label", "far") if host == "h2" else ())
        lab.start(host, "join", "tcp://10.77.0.11:7788", "--key-file", str(lab.key), "--name", host, *words)
    answered(lab, *((one, other) for one in ("h1", "h2") for other in ("h1", "h2", "h3")))
    script = lab.python("h1", SCRIPT)
    assert script.stdout.splitlines()[0] == "script from h2 h1", script
    assert "below nothing" in script.stdout
    lab.cut("h3")
    until(lambda: not talks(lab), "each waits for an answer from there")
    lab.heal("h3")
    answered(lab, ("h1", "h3"), ("h2", "h3"))
    lab.kill("h3")
    until(lambda: "host h3 is lost" in lab.said("h1"), "h3 is missed")
    answered(lab, ("h1", "h2"), ("h2", "h1"))
    lab.processes["h1"].send_signal(signal.SIGINT)
    assert lab.processes["h1"].wait(60) == 0, lab.said("h1")
    totals = json.loads((lab.home("h1") / ".penstock/lab/run.json").read_text())["totals"]
    assert totals["through"] == totals["entered"] == len(rows(lab)), lab.said("h1")
    assert not totals["dead"] + totals["lost"]
    assert {(row[3], row[6]) for row in rows(lab)} == {("h1", "h2")}
