"""Queues between pipelines, as people write them: any Python at either end, arrays, and what is refused."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import penstock
import penstock.tasks
from penstock import Pipeline, UserError, WiringError, from_queue, sink, source, to_queue
from penstock.tasks.home import Home
from penstock.tasks.items import Queue
from penstock.tasks.local import LocalDesk
from penstock.tasks.store import Store
from tests.conftest import WorkerPython
from tests.jobs import until

APP = """
from penstock import Context, Pipeline, from_queue, sink, source, stage, task, to_queue

@source
def count():
    yield from range(20)

@task(group="later")
def double(number: int) -> int:
    return number * 2

@stage(interpreter=PYTHON)
def hand_over(number: int) -> int:
    double.submit(number)
    return number

putting = Pipeline("putting", count >> hand_over >> to_queue("numbers", interpreter=PYTHON))

@sink
def write(value) -> None:
    with open("out.txt", "a") as file:
        file.write(f"{value}\\n")

drawing = Pipeline("drawing", from_queue("numbers", interpreter=PYTHON) >> write)
"""


@source
def numbers() -> Any:
    yield from range(3)


@sink
def keep(number: int) -> None:
    pass


def run(folder: Path, pipeline: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "penstock", "run", f"app.py:{pipeline}"]
    return subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)


def test_any_python_puts_draws_and_submits_where_penstock_toml_says(
    tmp_path: Path, worker_python: WorkerPython
) -> None:
    (tmp_path / "app.py").write_text(APP.replace("PYTHON", repr(worker_python("3.9"))))
    (tmp_path / "penstock.toml").write_text('[tasks]\nstore = "elsewhere/all.db"\n')
    assert run(tmp_path, "putting").wait(60) == 0
    store = Store(str(tmp_path / "elsewhere" / "all.db"))
    assert store.depths() == {"later": {"ready": 20}, "numbers": {"ready": 20}}
    drawing = run(tmp_path, "drawing")
    until(lambda: store.depths()["numbers"].get("done") == 20, "all are through")
    drawing.send_signal(signal.SIGINT)
    assert drawing.wait(60) == 0
    store.close()
    assert sorted(map(int, (tmp_path / "out.txt").read_text().split())) == list(range(20))


def test_what_cannot_be_read_where_it_is_drawn_is_dead_with_the_reason(
    tmp_path: Path, worker_python: WorkerPython
) -> None:
    (tmp_path / "app.py").write_text(APP.replace("PYTHON", repr(worker_python("3.13"))))
    home = Home(str(tmp_path / ".penstock" / "jobs.db"))
    desk = LocalDesk(home)
    queue = Queue("numbers", desk)
    pandas = pytest.importorskip("pandas")
    (bad, good) = queue.put_many([pandas.DataFrame({"a": [1]}), 7])
    drawing = run(tmp_path, "drawing")
    until(lambda: {row.state for row in desk.jobs()} == {"dead", "done"}, "both are over")
    drawing.send_signal(signal.SIGINT)
    assert drawing.wait(60) == 0
    row = desk.job(bad)
    assert row is not None and row.state == "dead" and "pandas" in row.cause
    assert (tmp_path / "out.txt").read_text() == "7\n"
    assert desk.job(good) is not None
    desk.close()


def test_items_may_be_large_and_what_is_put_twice_under_one_id_is_there_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_JOBS", str(tmp_path / "jobs.db"))
    queue = penstock.tasks.queue("images")
    image = np.zeros((3, 100, 100))
    assert queue.put_many([image, "small"], ids=["a", "b"]) == queue.put_many(
        [image, "small"], ids=["a", "b"]
    )
    queue.put("another")
    store = Store(str(tmp_path / "jobs.db"))
    assert store.depths() == {"images": {"ready": 3}}
    assert len(list((tmp_path / "jobs" / "files").iterdir())) == 1
    store.close()


def test_the_ends_of_queues_are_wired_as_any_source_and_sink() -> None:
    plan = Pipeline("link", from_queue("images") >> to_queue("copies", batch=8, replicas=2)).plan()
    first, last = plan.stages
    assert (first.name, first.kind, first.queue) == ("images", "source", "images")
    assert (last.name, last.queue, last.batch, last.replicas) == ("copies", "copies", 8, 2)
    assert from_queue("images", name="drawn").named("again").plan().queue == "images"


def test_what_says_nothing_is_refused_where_it_stands() -> None:
    with pytest.raises(WiringError, match=r"test_queues.py:\d+: queue 'a b': a name is made of"):
        from_queue("a b")
    with pytest.raises(WiringError, match="has no window"):
        from_queue("images", window=3)
    with pytest.raises(UserError, match="queue '': a name is made of"):
        penstock.tasks.queue("")
    with pytest.raises(WiringError, match="'images' is a queue, and has no code to call"):
        to_queue("images")(1)


def test_a_test_of_a_pipeline_touches_no_queue() -> None:
    drawn = Pipeline("drawn", from_queue("images") >> keep)
    assert drawn.test([1, 2])["keep"] == [1, 2]
    with pytest.raises(WiringError, match="draws from a queue, and a test has none; give test"):
        drawn.test()
    assert Pipeline("put", numbers >> to_queue("images")).test([5])["images"] == [5]
