"""`ctx.progress`: how far a long item is, for whoever looks, while it is in hand."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock import Context, Pipeline, sink, source
from penstock.cli.chronicle import line
from penstock.testing import Running


@source
def runs() -> Iterator[int]:
    yield 7


@sink
def train(number: int, ctx: Context) -> None:
    for epoch in range(5):
        ctx.progress(epoch, 10, loss=1 / 8)
    ctx.progress(0.4, loss=0.125)
    while not Path(os.environ["DESK"], "go").exists():
        time.sleep(0.002)
    ctx.progress(1)


pipeline = Pipeline("training", runs >> train)


def test_it_is_shown_until_the_item_is_through_and_kept_among_the_events(
    running: Callable[..., Running], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK", str(tmp_path))
    run = running(pipeline)

    def progress() -> Any:
        (stage,) = [each for each in run.ps()["stages"] if each["name"] == "train"]
        return [note for each in stage["replicas"] for note in each.get("progress", [])]

    run.wait_until(lambda: [note["part"] for note in progress()] == [0.4], "say how far it is")
    assert progress()[0]["numbers"] == {"loss": 0.125}
    item = progress()[0]["item"]
    (tmp_path / "go").touch()
    run.wait_ended()
    (journal,) = Path(run.state_dir, "events").glob("*.jsonl")
    told = [json.loads(text) for text in journal.read_text().splitlines()]
    mine = [each for each in told if each["event"] == "item_progressed"]
    assert {each["item"] for each in mine} == {item}
    assert mine[0]["part"] <= 0.4
    assert "%" in line(mine[0]) and item in line(mine[0])


def test_in_a_test_of_ones_own_it_is_kept_and_stays_within_its_bounds() -> None:
    ctx = Context()
    ctx.progress(0.25, loss=1)
    ctx.progress(30, 40)
    ctx.progress(101, 100)
    ctx.progress(0, 0)
    assert ctx.progressed == [(0.25, {"loss": 1.0}), (0.75, {}), (1.0, {}), (1.0, {})]
    with pytest.raises((TypeError, ValueError)):
        ctx.progress("half")  # type: ignore[arg-type]
