"""What workers of other hosts leave for people is seen and steered on the first one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.message.recording import Recording
from tests.hosts import AT_HAND, PATIENCE, PENSTOCK, RUN, Lab, until

pytestmark = pytest.mark.skipif(not AT_HAND, reason="network namespaces need root and iproute2")
APP = """\
import os
import time
from pathlib import Path

import numpy as np
from penstock import Context, Pipeline, sink, source, stage, task


@task(group="gpu")
def look(number: int) -> None:
    Path("gpus-" + os.environ["CUDA_VISIBLE_DEVICES"]).touch()
    time.sleep(0.2)


@source
def numbers(ctx: Context):
    number = 0
    while not Path("go").exists():
        time.sleep(0.01)
    for each in range(8):
        look.submit(each)
    while not ctx.stopping:
        yield number
        number += 1
        time.sleep(0.01)


@stage(hosts="far")
def widen(number: int) -> np.ndarray:
    return np.full(20_000, number)


@stage(hosts="far", max_failures=0)
def check(page: np.ndarray) -> int:
    if page[0] == 40 and not Path("mended").exists():
        raise ValueError("it is forty")
    return int(page[0])


@sink
class Keep:
    def setup(self):
        self.file = open("kept", "a", buffering=1)

    def __call__(self, number: int):
        self.file.write(f"{number} h1\\n")


pipeline = Pipeline("lab", numbers >> widen >> check >> Keep)
"""
"""``widen`` buries what ``check`` cannot do: both are on the other host."""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "6,7")
    made = Lab(tmp_path, 2)
    (made.home("h1") / "app.py").write_text(APP)
    (made.home("h1") / "penstock.toml").write_text("[group.gpu]\ngpus = [0, 1]\nworkers = 1\n")
    try:
        yield made
    finally:
        made.close()


def type_(lab: Lab, *words: str) -> str:
    done = subprocess.run(
        [*PENSTOCK, *words],
        cwd=lab.home("h1"),
        env=lab._environ("h1"),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def letters(lab: Lab) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lab.ask("dead", "list").get("letters", [])
    return found


def test_dead_letters_samples_and_recordings_of_another_host_are_here(lab: Lab) -> None:
    lab.begin("--jobs")
    key = ("--key-file", str(lab.key))
    lab.start("h2", "join", RUN, *key, "--label", "far", "--group", "gpu")
    until(lambda: "gpu       2/2 ready" in lab.said("h1"), "both are there")
    recorder = lab.start("h1", "record", "-o", "rec", "--links", "widen", name="record")
    until(lambda: "recording lab" in lab.said("record"), "it is recorded")
    (lab.home("h1") / "go").touch()
    (one,) = until(lambda: letters(lab), "the letter is here")
    assert (one["id"], one["stage"], one["cause"]) == ("numbers/0:40", "check", "ValueError: it is forty")
    there = lab.home("h2") / ".penstock/lab/hosts"
    until(lambda: not list(there.glob("*/dead/*")), "it is there no more")
    assert "array of int64, 20000" in type_(lab, "dead", "show")
    samples = type_(lab, "tap", "widen", "-n", "2", "--json").splitlines()
    assert [json.loads(each)["shape"] for each in samples] == [[20_000], [20_000]]
    seen = [path.name for host in ("h1", "h2") for path in lab.home(host).glob("gpus-*")]
    assert seen == ["gpus-0,1", "gpus-6,7"], "each worker has those of its host"
    (lab.home("h2") / "mended").touch()
    type_(lab, "dead", "requeue", "--yes")
    until(lambda: (40, "h1") in lab.kept(), "it was done there")
    until(lambda: not list((lab.home("h1") / ".penstock/lab/dead").iterdir()), "and is over here")
    type_(lab, "record", "--stop")
    assert recorder.wait(PATIENCE) == 0, lab.said("record")
    assert not list(there.glob("*/record/*/*")), "it was moved"
    track = Recording(lab.home("h1") / "rec")["widen->check"]
    numbers = [int(value[0]) for _, _, value in track]
    assert numbers == sorted(numbers) and len(numbers) == track.summary.items > 40
    lab.processes["h1"].send_signal(2)
    assert lab.processes["h1"].wait(PATIENCE) == 0, lab.said("h1")
    assert not list(lab._shm.rglob("*.tap"))
