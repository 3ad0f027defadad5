"""Jobs as their users meet them: handed over here, run by `penstock worker`, waited for here."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokered import broker_desk
from tests.jobs import Desk, desk

APP = """\
import os
from dataclasses import dataclass
from penstock import Context, JobFailed, chain, group, task


@dataclass
class Score:
    accuracy: float


@task(group="gpu")
def variable(name: str) -> str:
    return os.environ[name]


@task(max_failures=0)
def train(ctx: Context, model: str, epochs: int = 1) -> Score:
    if model == "bad":
        raise ValueError("no such model")
    return Score(epochs / 10)


@task(max_failures=0, backoff="0s")
def read(path: str, times: int = 1) -> str:
    with open(path) as file:
        return file.read() * times


@task
def percent(score: Score) -> str:
    return f"{score.accuracy:.0%}"


if __name__ == "__main__":
    print(train.submit("vgg", epochs=5).result("60s"))
    many = train.submit_many(train.call("vgg", epochs) for epochs in range(3))
    print([score.accuracy for score in many.results("60s")])
    both = group([variable.call("LEVEL"), train.call("vgg")]).submit()
    print(both.results("60s"))
    print(chain(train.call("vgg", epochs=5), percent).submit().result("60s"))
    try:
        train.submit("bad").result("60s")
    except JobFailed as error:
        print(error.cause, error.traceback.splitlines()[-1])
"""
TOML = """\
[group.gpu]
variables = { LEVEL = "7", TOKEN = { env = "HUB_TOKEN" } }
"""


@pytest.fixture(params=["sqlite", "rabbitmq"])
def work(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """The app, and somebody who runs its jobs: all on this machine, or over a broker."""
    (tmp_path / "penstock.toml").write_text(TOML)
    with contextlib.ExitStack() as ground:
        if request.param == "rabbitmq":
            url = request.getfixturevalue("broker")
            monkeypatch.setenv("PENSTOCK_BROKER", url)
            made = broker_desk(tmp_path, APP, url, ["default", "gpu"])
            found: Desk = ground.enter_context(made)
        else:
            found = ground.enter_context(desk(tmp_path, APP))
        found.work(HUB_TOKEN="hush")
        yield found


def typed(work: Desk, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *words], cwd=work.directory, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_who_submits_gets_results_of_the_annotated_type_and_failures_with_their_traceback(work: Desk) -> None:
    assert typed(work, "app.py").stdout.splitlines() == [
        "Score(accuracy=0.5)",
        "[0.0, 0.1, 0.2]",
        "['7', Score(accuracy=0.1)]",
        "50%",
        "error ValueError: no such model",
    ]


def test_a_shell_gets_results_and_what_penstock_toml_says_of_a_group_counts(work: Desk) -> None:
    submit = ("-m", "penstock", "tasks", "submit")
    assert typed(work, *submit, "app.py:variable", "--arg", "name=TOKEN", "--wait").stdout == '"hush"\n'
    failed = typed(work, *submit, "app.py:train", "--arg", "model=bad", "--wait", code=1)
    assert "is dead after 1 failure: ValueError: no such model" in failed.stderr
    command = (sys.executable, "-c", "import os; print(os.environ['SEED'], os.getcwd())")
    asked = (*submit, "--group", "gpu", "--env", "SEED=3", "--wait", "--json", "--", *command)
    told = json.loads(typed(work, *asked).stdout)
    assert (told["state"], told["result"]) == ("done", None)
    logs = typed(work, "-m", "penstock", "tasks", "logs", str(told["seq"])).stdout
    assert logs == f"3 {os.path.realpath(work.directory)}\n"


def test_a_job_with_a_wrong_path_is_put_back_with_the_right_one(work: Desk, tmp_path: Path) -> None:
    (tmp_path / "right").write_text("x")
    tasks = ("-m", "penstock", "tasks")
    typed(work, *tasks, "submit", "app.py:read", "--arg", "path=wrong", "--wait", code=1)
    typed(work, *tasks, "retry", "1", "--arg", "path=right")
    assert "path='right'" in typed(work, *tasks, "show", "1").stdout
    work.until(work.store.jobs()[0].id, "done")
    say = """
from app import read
from penstock import JobFailed

job = read.submit("wrong", 3)
try:
    job.result("60s")
except JobFailed as error:
    print(error.cause, error.traceback.splitlines()[-1])
assert job.retry(path="right")
print(job.result("60s"))
assert not job.retry(path="again"), "it is done"
"""
    said = typed(work, "-c", say).stdout.splitlines()
    assert said == ["error FileNotFoundError: [Errno 2] No such file or directory: 'wrong'", "xxx"]
