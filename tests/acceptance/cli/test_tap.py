"""`penstock tap`: looking at what flows changes nothing of it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from tests.acceptance.cli.terminal import Terminal, finish

ARRAYS = """
import numpy
from penstock import Context, Pipeline, sink, source, stage

@source
def frames(ctx: Context):
    number = 0
    while not ctx.stopping:
        yield numpy.full(100_000, number)
        number += 1

@stage
def mean(frame: numpy.ndarray) -> dict:
    return {"mean": float(frame.mean())}

@sink
def keep(found: dict) -> None: ...

pipeline = Pipeline("arrays", frames >> mean >> keep)
"""


@pytest.fixture
def arrays(terminal: Terminal) -> Terminal:
    terminal.write("app.py", ARRAYS)
    terminal.run()
    return terminal


def samples(terminal: Terminal) -> list[Path]:
    return list(Path(terminal.environment["PENSTOCK_RUN_DIR"]).rglob("*.tap*"))


def test_a_tap_shows_what_flows_and_leaves_all_as_it_was(arrays: Terminal) -> None:
    lines = [
        json.loads(line)
        for line in arrays.type(
            "tap", "frames->mean", "-n", "3", "--rate", "50", "--json"
        ).stdout.splitlines()
    ]
    assert [line["schema"] for line in lines] == ["penstock.sample/1"] * 3
    for line in lines:
        number = float(line["id"].rpartition(":")[2])
        assert (line["link"], line["type"], line["shape"]) == ("frames→mean", "ndarray", [100_000])
        assert line["min"] == line["max"] == line["mean"] == number
    assert "{'mean': " in arrays.type("tap", "keep", "-n", "1").stdout
    link = arrays.ask("ps")["pipelines"][0]["links"][0]
    assert link["transport"] == "shared memory"
    arrays.type("drain", "--timeout", "30s")
    assert "0 lost, 0 dead" in finish(arrays.background[0])


def test_samples_are_kept_where_they_are_wanted(arrays: Terminal) -> None:
    arrays.type("tap", "frames", "-n", "1", "--save", "seen")
    arrays.type("tap", "mean", "-n", "1", "--save", "seen")
    [array] = (arrays.directory / "seen").glob("*.npz")
    number = int(array.stem.rpartition("_")[2])
    assert np.array_equal(np.load(array)["value"], np.full(100_000, number))
    [text] = (arrays.directory / "seen").glob("*.json")
    assert json.loads(text.read_text()) == {"mean": float(text.stem.rpartition("_")[2])}


def test_a_tap_goes_on_with_the_successor_of_a_dead_worker_and_leaves_nothing(arrays: Terminal) -> None:
    looking = arrays.start("tap", "mean", "--rate", "50")
    assert looking.stdout is not None
    looking.stdout.readline()
    [worker] = arrays.ask("ps")["pipelines"][0]["stages"][1]["replicas"]
    os.kill(worker["pid"], signal.SIGKILL)
    arrays.type("wait", "--for", "ready", "--timeout", "30s")
    for _ in range(100):  # more than were on their way
        assert looking.stdout.readline()
    said = arrays.type("tap", "mean", "-n", "1", code=4).stderr
    assert "somebody else looks at mean→keep already" in said
    looking.kill()
    looking.wait()
    arrays.type("tap", "frames", "-n", "1")
    arrays.type("drain", "--timeout", "30s")
    finish(arrays.background[0])
    assert samples(arrays) == []


def test_what_there_is_not_is_refused_with_the_nearest(arrays: Terminal) -> None:
    said = arrays.type("tap", "meen", code=4).stderr
    assert "arrays has no link and no stage 'meen'; did you mean 'mean'?" in said
