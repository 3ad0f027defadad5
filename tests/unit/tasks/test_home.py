from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from penstock.errors import UserError
from penstock.tasks.files import Files
from penstock.tasks.home import Home, broker, locate
from tests.conftest import WorkerPython

ROOT = Path(__file__).resolve().parents[3]


def test_it_is_beside_the_app_where_nothing_else_is_said(tmp_path: Path) -> None:
    assert locate(str(tmp_path), {}) == Home(f"{tmp_path}/.penstock/jobs.db")


def test_what_penstock_toml_says_is_seen_from_that_file(tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_text('[tasks]\nstore = "state/work.db"\n')
    (tmp_path / "steps").mkdir()
    assert locate(f"{tmp_path}/steps", {}).store == f"{tmp_path}/state/work.db"


def test_the_variable_counts_more_than_the_file(tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_text('[tasks]\nstore = "work.db"\n')
    assert locate(str(tmp_path), {"PENSTOCK_JOBS": "/elsewhere/jobs.db"}).store == "/elsewhere/jobs.db"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[tasks]\nstroe = 'a.db'", "toml:2: there is no key 'stroe' in .tasks.; did you mean 'store'"),
        ("[tasks]\nstore = 3", "toml:2: store=3: must be a path"),
        ("tasks = 3", "toml:1: tasks=3: must be a table"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "penstock.toml").write_text(text)
    with pytest.raises(UserError, match=sentence):
        locate(str(tmp_path), {})


def test_the_broker_of_the_command_line_counts_most_then_the_variable_then_the_file(tmp_path: Path) -> None:
    assert broker(str(tmp_path), {}) == ""
    (tmp_path / "penstock.toml").write_text('[tasks]\nbroker = "amqp://in.the.file"\n')
    (tmp_path / "steps").mkdir()
    assert broker(f"{tmp_path}/steps", {}) == "amqp://in.the.file"
    environ = {"PENSTOCK_BROKER": "amqps://variable"}
    assert broker(str(tmp_path), environ) == "amqps://variable"
    assert broker(str(tmp_path), environ, "amqp://flag") == "amqp://flag"


@pytest.mark.parametrize("said", ['{ env = "URL" }', '{ file = "url.txt" }'])
def test_the_brokers_address_may_be_kept_elsewhere(tmp_path: Path, said: str) -> None:
    (tmp_path / "url.txt").write_text("amqp://kept\n")
    (tmp_path / "penstock.toml").write_text(f"[tasks]\nbroker = {said}\n")
    assert broker(str(tmp_path), {"URL": "amqp://kept"}) == "amqp://kept"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("'redis://x:hunter2@y'", "toml:2: the address of a broker begins with amqp:// or amqps://"),
        ("3", "toml:2: broker must be an address"),
        ("{ env = 'NOT_THERE' }", "toml:2: the variable NOT_THERE is not set"),
    ],
)
def test_an_address_that_is_none_is_refused_and_never_shown(tmp_path: Path, said: str, sentence: str) -> None:
    (tmp_path / "penstock.toml").write_text(f"[tasks]\nbroker = {said}")
    with pytest.raises(UserError, match=sentence) as caught:
        broker(str(tmp_path), {})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(UserError, match=r"^PENSTOCK_BROKER: the address") as caught:
        broker(str(tmp_path), {"PENSTOCK_BROKER": "x:hunter2@y"})
    assert "hunter2" not in str(caught.value)


def test_all_that_belongs_to_a_store_lies_beside_it() -> None:
    home = Home("/project/.penstock/jobs.db")
    assert home.log("a", 2) == "/project/.penstock/jobs/logs/a.2.log"
    assert {home.files, home.locks, home.bells, home.out("a")} == {
        f"/project/.penstock/jobs/{each}" for each in ("files", "locks", "bells", "out/a")
    }


def test_a_program_under_the_oldest_python_hands_over_to_the_same_store(
    tmp_path: Path, worker_python: WorkerPython
) -> None:
    (tmp_path / "app.py").write_text(
        "from typing import Optional\n"
        "from penstock import Context, group, task\n"
        "@task(unique='{model}', retry_on=[OSError, 'oom'])\n"
        "def train(ctx: Context, model: str, epochs: Optional[int] = 10) -> dict:\n"
        "    return {}\n"
        "if __name__ == '__main__':\n"
        "    print(train.submit('vgg', epochs=3).state, group([train.call('resnet')]).submit().counts)\n"
    )
    done = subprocess.run(
        [worker_python("3.9"), "app.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "ready {'ready': 1}\n", done.stderr
    assert (tmp_path / ".penstock" / "jobs.db").is_file()


@pytest.mark.parametrize("id", ["../../victim", "/etc", "a/../b"])
def test_nothing_of_a_job_lies_anywhere_else(id: str, tmp_path: Path) -> None:
    home = Home(str(tmp_path / "jobs.db"))
    with pytest.raises(ValueError, match="is no name of a file"):
        home.out(id)
    with pytest.raises(ValueError, match="is no name of a file"):
        home.log(id, 1)
    with pytest.raises(ValueError, match="is no name of a file"):
        home.draft(id, 1)
    with pytest.raises(ValueError, match="is no name of a file"):
        Files(home.files).put(f"{id}.args", b"x")
    assert not (tmp_path / "jobs").exists()
