"""Stages and tasks in environments of their own, from `[envs.NAME]` to what their code finds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.cli.terminal import Terminal, finish
from tests.conftest import find_interpreter
from tests.wheels import wheel

APP = """
import json
import os
import sys
from dataclasses import dataclass, field
from typing import List
from pathlib import Path
from penstock import Pipeline, sink, source, stage

@dataclass
class Frame:
    number: int
    seen: List[str] = field(default_factory=list)

def here():
    import alpha
    around = [name for name in ("PYTHONPATH", "CONDA_PREFIX", "PENSTOCK_LAYER") if name in os.environ]
    assert not around, around
    assert os.environ["VIRTUAL_ENV"] == sys.prefix
    return "%d.%d alpha %s" % (*sys.version_info[:2], alpha.__version__)

@source
def numbers():
    for number in range(20):
        yield Frame(number)

@stage(env="old")
def first(frame: Frame) -> Frame:
    return Frame(frame.number, [*frame.seen, here()])

@stage(env="middle")
def second(frame: Frame) -> Frame:
    return Frame(frame.number, [*frame.seen, here()])

@stage
def third(frame: Frame) -> Frame:
    return Frame(frame.number, [*frame.seen, here()])

@sink
def save(frame: Frame):
    with open(Path(__file__).with_name("out.jsonl"), "a") as file:
        file.write(json.dumps([frame.number, frame.seen]) + chr(10))

pipeline = Pipeline("several", numbers >> first >> second >> third >> save)
if __name__ == "__main__":
    raise SystemExit(pipeline.run())
"""
ENVS = """
[envs.old]
requirements = "old.txt"
python = "3.9"
[envs.middle]
requirements = "middle.txt"
python = "3.10"
[envs.new]
requirements = "new.txt"
python = "3.13"
[stages.third]
env = "new"
"""


@pytest.fixture
def project(terminal: Terminal, tmp_path: Path, needs: Path) -> Terminal:
    """Folders of wheels in place of an index, and a place to keep environments in."""
    for version in ("1.0", "2.0", "3.0"):
        wheel(tmp_path / "wheels", "alpha", version)
    terminal.environment |= {
        "UV_FIND_LINKS": f"{tmp_path / 'wheels'},{needs}",
        "UV_DEFAULT_INDEX": (tmp_path / "wheels").as_uri(),  # no index: nothing is found there
        "PENSTOCK_CACHE_DIR": str(tmp_path / "cache"),
        "CONDA_PREFIX": "/somewhere",
        "PYTHONPATH": "",
    }
    return terminal


def test_each_stage_runs_in_its_environment_on_its_python(
    project: Terminal,
) -> None:
    for version in ("3.9", "3.10", "3.13"):
        find_interpreter(version)
    project.write("app.py", APP)
    project.write("penstock.toml", ENVS)
    for name, version in (("old", "1.0"), ("middle", "2.0"), ("new", "3.0")):
        project.write(f"{name}.txt", f"alpha=={version}\n")

    refused = project.type("run", "app.py", code=4).stderr
    assert "'old' is not in penstock.lock; run `penstock env lock old`" in refused
    project.type("env", "lock")
    first = project.type("run", "app.py").stderr
    assert re.search(r"old +installing", first)
    assert "20 in, 20 out, 0 lost, 0 dead" in first
    (project.directory / "link").symlink_to("cache")
    project.environment["PENSTOCK_CACHE_DIR"] = str(project.directory / "link")  # another path to the same
    second = project.type("run", "app.py", "--offline").stderr
    assert "installing" not in second
    assert "20 in, 20 out, 0 lost, 0 dead" in second

    lines = [json.loads(line) for line in (project.directory / "out.jsonl").read_text().splitlines()]
    seen = ["3.9 alpha 1.0", "3.10 alpha 2.0", "3.13 alpha 3.0"]
    assert sorted(lines) == sorted([[number, seen] for number in range(20)] * 2)


ONE = """
import time
from pathlib import Path
from penstock import Pipeline, sink, source, stage, task

@source
def numbers():
    number = 0
    while not Path("enough").exists():
        yield number
        time.sleep(0.01)

@stage(env="mine")
def work(number: int) -> int:
    import alpha
    return number

@sink
def save(number: int): ...

pipeline = Pipeline("one", numbers >> work >> save)

@task(env="mine")
def train() -> None:
    import alpha, sys
    Path(__file__).with_name("seen").write_text(alpha.__version__ + " " + sys.prefix)
"""


@pytest.fixture
def mine(project: Terminal) -> Terminal:
    """A project with one environment of this Python, locked."""
    project.write("app.py", ONE)
    project.write("penstock.toml", '[envs.mine]\nrequirements = "mine.txt"\n')
    project.write("mine.txt", "alpha<2\n")
    project.type("env", "lock")
    return project


def test_what_runs_in_an_environment_says_so_and_keeps_it(mine: Terminal) -> None:
    run = mine.run()
    [row] = mine.ask("env", "list")["environments"]
    assert row["state"] == "in use"
    stages = {stage["name"]: stage for stage in mine.ask("ps")["pipelines"][0]["stages"]}
    assert stages["work"]["env"] == {"name": "mine", "key": row["key"]}
    assert stages["save"]["env"] is None
    assert f"work runs in mine {row['key']}" in mine.type("ps").stdout
    assert mine.ask("env", "clean", "--all")["removed"] == []
    (mine.directory / "enough").touch()
    finish(run)
    gone, _ = mine.ask("env", "clean", "--all")["removed"]
    assert gone["key"] == row["key"]


def test_a_lock_that_is_stale_stops_a_run_before_it_begins_unless_it_is_frozen(mine: Terminal) -> None:
    mine.write("mine.txt", "alpha\n")
    (mine.directory / "enough").touch()
    refused = mine.type("run", "app.py", code=4).stderr
    assert "'mine' is made from has changed since it was locked; run `penstock env lock mine`" in refused
    assert "ready" not in refused
    assert "0 lost" in mine.type("run", "app.py", "--frozen").stderr
    checked = mine.type("check", "app.py", code=1).stdout
    assert "penstock env lock mine" in checked


def test_an_environment_that_nobody_has_described_is_told_with_the_line(mine: Terminal) -> None:
    mine.write("app.py", ONE.replace('@stage(env="mine")', '@stage(env="mien")'))
    for verb in ("run", "up"):
        said = mine.type(verb, "app.py", code=4).stderr
        assert re.search(r"app\.py:\d+: work: there is no environment 'mien'; did you mean 'mine'\?", said)


def test_a_job_runs_in_the_environment_of_its_task(mine: Terminal) -> None:
    mine.type("tasks", "submit", "app.py:train")
    mine.start("worker", "app.py")
    deadline = time.monotonic() + 60
    while (job := mine.ask("tasks", "show", "1"))["state"] != "done":
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
    key = mine.ask("env", "list")["environments"][0]["key"]
    version, prefix = (mine.directory / "seen").read_text().split()
    assert (version, os.path.basename(prefix)) == ("1.0", key)
    assert [attempt["env"] for attempt in job["attempts"]] == [key]


def test_a_worker_that_runs_elsewhere_than_in_its_environment_is_refused(mine: Terminal) -> None:
    mine.type("env", "build")
    python = os.path.join(mine.ask("env", "show", "mine")["path"], "bin", "python")
    os.unlink(python)
    Path(python).write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    os.chmod(python, 0o755)
    said = mine.type("run", "app.py", code=1).stderr
    assert f"it runs in {sys.prefix}, and not in mine, {os.path.dirname(os.path.dirname(python))}" in said


def test_an_interpreter_that_exists_is_an_environment_with_a_layer(project: Terminal, tmp_path: Path) -> None:
    base = find_interpreter("3.9")
    subprocess.run([base, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    project.write(
        "app.py",
        ONE.replace(
            "import alpha\n    return number", "assert sys.version_info < (3, 10)\n    return number"
        ).replace("import time\n", "import sys, time\n"),
    )
    project.write("penstock.toml", f'[envs.mine]\npython = "{tmp_path}/bare/bin/python"\n')
    (project.directory / "enough").touch()
    assert "0 lost, 0 dead" in project.type("run", "app.py").stderr
    assert not list((tmp_path / "bare").rglob("msgspec"))
