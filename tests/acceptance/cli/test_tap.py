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


ODD = """
import math
import numpy
from penstock import Context, Pipeline, sink, source

@source
def odd(ctx: Context):
    while not ctx.stopping:
        yield {(1, 2): math.nan, b"raw": {3, 4}, "frame": numpy.array([math.nan, math.inf])}

@source
def gaps(ctx: Context):
    while not ctx.stopping:
        yield numpy.array([math.nan, 1.0])

@sink
def keep(found) -> None: ...

pipeline = Pipeline("odd", (odd, gaps) >> keep)
"""


def refuse(word: str) -> None:
    raise AssertionError(f"{word} is not JSON")


def test_what_json_has_no_word_for_is_saved_and_said_as_json(terminal: Terminal) -> None:
    terminal.write("app.py", ODD)
    terminal.run()
    said = json.loads(terminal.type("tap", "gaps", "-n", "1", "--json").stdout, parse_constant=refuse)
    assert said["min"] is said["max"] is said["mean"] is None
    terminal.type("tap", "odd", "-n", "1", "--save", "seen")
    [text] = (terminal.directory / "seen").glob("*.json")
    kept = json.loads(text.read_text(), parse_constant=refuse)
    assert kept["(1, 2)"] == "nan"
    array = np.load(text.with_suffix(".npz"))[kept["frame"]["$array"]]
    assert np.array_equal(array, [np.nan, np.inf], equal_nan=True)
    terminal.type("drain", "--timeout", "30s")
    finish(terminal.background[0])
