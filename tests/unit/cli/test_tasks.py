# mypy: disable-error-code="unused-awaitable"
from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock import Job, sweep, task
from penstock.cli import main
from penstock.tasks.connect import desk
from penstock.tasks.local import LocalDesk
from penstock.tasks.settle import Closing, Done, Failed
from penstock.tasks.store import Store


@task(max_failures=0)
def clean(path: str, depth: int = 1) -> int:
    return depth


@task(group="gpu", max_failures=0)
def train(model: str) -> str:
    return model


@pytest.fixture(autouse=True)
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalDesk]:
    """A directory in which jobs are submitted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PENSTOCK_JOBS", str(tmp_path / "jobs.db"))
    found = desk(str(tmp_path))
    assert isinstance(found, LocalDesk)
    yield found
    found.close()


def run(jobs: LocalDesk, group: str, *, error: str = "", log: str = "", tail: str = "") -> None:
    """Do what a supervisor does with the next job of a group."""
    store = Store(jobs.home.store)
    (claim,) = store.claim("a worker", group)
    outcome = Failed("error", error, (), f"Traceback ...\n{error}") if error else Done(b"\x91\x07")
    store.close_attempts([Closing(claim.id, claim.fence, outcome, log=log, tail=tail)])
    store.close()


def states(*listed: Job[Any]) -> list[str]:
    return [job.state for job in listed]


def test_nothing_is_made_by_looking(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.answer(["tasks", "list"]) == 3
    assert "no job was submitted here: there is no jobs.db" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_list_shows_the_newest_last_with_how_they_stand(
    jobs: LocalDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    clean.submit("a")
    run(jobs, "default", error="ValueError: no such file")
    clean.options(delay="1h").submit("b")
    assert main.answer(["tasks", "list"]) == 0
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["JOB", "TASK", "GROUP", "STATE", "FAILURES", "SUBMITTED"]
    assert first.split()[:5] == ["1", "clean", "default", "dead", "1"]
    assert first.endswith("ValueError: no such file")
    assert second.split()[3] == "scheduled" and " due " in second


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], [1, 2, 3]),
        (["--group", "gpu"], [3]),
        (["--task", "clean"], [1, 2]),
        (["--state", "dead"], [1]),
        (["--state", "dead", "--state", "ready"], [1, 2, 3]),
        (["--cause", "NO SUCH"], [1]),
        (["--since", "1h"], [1, 2, 3]),
        (["--until", "1h"], []),
        (["-n", "1"], [3]),
    ],
)
def test_filters_say_which_are_meant(
    words: list[str], found: list[int], jobs: LocalDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    clean.submit("a")
    run(jobs, "default", error="ValueError: no such file")
    clean.submit("b")
    train.submit("vgg")
    assert main.answer(["tasks", "list", "--json", *words]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [job["seq"] for job in told["jobs"]] == found
    assert told["more"] is (words == ["-n", "1"])


def test_one_job_is_shown_with_its_arguments_and_why_it_failed(
    jobs: LocalDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    job = clean.submit("a", depth=3)
    run(jobs, "default", error="ValueError: no such file")
    assert main.answer(["tasks", "show", "1"]) == 0
    shown = capsys.readouterr().out
    for part in (
        job.id,
        "'a', depth=3",
        "attempt 1   failed after",
        "error: ValueError: no such",
        "Traceback",
    ):
        assert part in shown
    assert main.answer(["tasks", "show", job.id[:20], "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["state"], told["attempts"][0]["cause"]) == (
        "penstock.job/1",
        "dead",
        "error",
    )


def test_a_job_that_is_not_there_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    clean.submit_many([clean.call("a"), clean.call("b")])
    assert main.answer(["tasks", "show", "17"]) == 3
    assert "there is no job 17 in jobs.db" in capsys.readouterr().err
    assert main.answer(["tasks", "show", "0"]) == 3
    assert "2 jobs begin with 0" in capsys.readouterr().err


def test_retry_puts_exactly_the_filtered_ones_back(
    jobs: LocalDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = clean.submit("a"), clean.submit("b"), train.submit("vgg")
    for group in ("default", "default", "gpu"):
        run(jobs, group, error="ValueError: bad")
    assert main.answer(["tasks", "retry", "--task", "clean", "--yes"]) == 0
    told = capsys.readouterr().err
    assert "put back 2 jobs" in told and "train" not in told
    assert states(first, second, third) == ["ready", "ready", "dead"]


def test_nobody_is_asked_where_nobody_can_answer(jobs: LocalDesk, capsys: pytest.CaptureFixture[str]) -> None:
    job = clean.submit("a")
    assert main.answer(["tasks", "cancel", "--group", "default"]) == 4
    assert "--yes is missing: nobody can be asked here whether to cancel 1 job" in capsys.readouterr().err
    assert job.state == "ready"


def test_what_is_meant_has_to_be_said(jobs: LocalDesk, capsys: pytest.CaptureFixture[str]) -> None:
    clean.submit("a")
    assert main.answer(["tasks", "purge"]) == 4
    assert "say which jobs to purge" in capsys.readouterr().err
    assert main.answer(["tasks", "purge", "1", "--task", "clean"]) == 4
    assert "not both" in capsys.readouterr().err


def test_cancel_ends_what_waits_and_leaves_what_is_over(
    jobs: LocalDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    done, waiting = clean.submit("a"), clean.submit("b")
    run(jobs, "default")
    assert main.answer(["tasks", "cancel", "1", "2"]) == 0
    told = capsys.readouterr().err
    assert "cancelled 1 job\n" in told and "job 1 is done: that stays so" in told
    assert states(done, waiting) == ["done", "cancelled"]


def test_purge_deletes_what_is_over_and_dead_ones_only_when_they_are_named(
    jobs: LocalDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Path(jobs.home.log(clean.submit("a").id, 1))
    log.parent.mkdir(parents=True)
    log.write_text("reading a")
    run(jobs, "default", log=str(log))
    clean.submit("b")
    run(jobs, "default", error="ValueError: bad")
    clean.submit("c")
    assert main.answer(["tasks", "purge", "--task", "clean", "--yes", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["jobs"]) == 1
    assert not log.exists()
    assert main.answer(["tasks", "purge", "--state", "dead", "--yes"]) == 0
    with jobs.store() as store:
        assert [row.state for row in store.jobs()] == ["ready"]


def test_logs_are_what_the_attempts_printed(jobs: LocalDesk, capsys: pytest.CaptureFixture[str]) -> None:
    clean.submit("a")
    run(jobs, "default", error="ValueError: bad", tail="reading a\n")
    assert main.answer(["tasks", "logs", "1", "-f"]) == 0
    assert capsys.readouterr().out == "reading a\n"
    assert main.answer(["tasks", "logs", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["seq"], told["logs"]) == (1, [{"attempt": 1, "text": "reading a\n"}])
    assert main.answer(["tasks", "logs", "1", "--json", "-f"]) == 2
    assert "say one of them" in capsys.readouterr().err


def test_the_jobs_of_a_study_are_listed_by_its_name(
    jobs: LocalDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    clean.submit("a")
    sweep(clean, {"path": ["b"], "depth": [1, 2]}, name="depths")
    assert main.answer(["tasks", "list", "--study", "depths", "--json"]) == 0
    assert [job["seq"] for job in json.loads(capsys.readouterr().out)["jobs"]] == [2, 3]


def test_a_paused_group_gives_nothing_out_until_it_goes_on(
    jobs: LocalDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    train.submit("vgg")
    assert main.answer(["tasks", "pause", "gpu"]) == 0
    with jobs.store() as store:
        assert store.claim("a worker", "gpu") == []
    assert main.answer(["tasks", "resume", "gpu"]) == 0
    assert capsys.readouterr().out == "gpu   paused\ngpu   goes on\n"
    with jobs.store() as store:
        assert len(store.claim("a worker", "gpu")) == 1


def test_a_group_that_is_not_there_is_an_error_that_names_the_nearest(
    jobs: LocalDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    train.submit("vgg")
    assert main.answer(["tasks", "pause", "gpus"]) == 4
    assert "there is no group 'gpus' in jobs.db; did you mean 'gpu'?" in capsys.readouterr().err
    assert main.answer(["tasks", "submit", "--group", "gpus", "--", "python", "train.py"]) == 4
    assert "did you mean 'gpu'?" in capsys.readouterr().err


def test_queues_show_what_waits_and_what_is_paused(
    jobs: LocalDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    clean.submit("a")
    train.submit("vgg")
    with jobs.writing() as store:
        store.pause("gpu", "3 jobs in a row killed their workers")
    assert main.answer(["queues"]) == 0
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["GROUP", "READY", "SCHEDULED", "RUNNING", "DEAD", "OLDEST"]
    assert first.split()[:5] == ["default", "1", "0", "0", "0"]
    assert second.endswith("paused: 3 jobs in a row killed their workers")


def test_stats_count_by_task_and_state(jobs: LocalDesk, capsys: pytest.CaptureFixture[str]) -> None:
    clean.submit_many([clean.call("a"), clean.call("b")])
    run(jobs, "default")
    assert main.answer(["tasks", "stats", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["tasks"]
    assert [(row["task"], row["state"], row["jobs"]) for row in told] == [
        ("clean", "done", 1),
        ("clean", "ready", 1),
    ]
    assert main.answer(["tasks", "stats"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:4] == ["default", "clean", "done", "1"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "say what to submit"),
        (["--", "python", "x.py"], "say which group is to run 'python x.py'"),
        (["--group", "gpu", "x.py"], "x.py is no command; say x.py:TASK, or -- python x.py"),
        (["--group", "gpu", "x.py:run"], "--group and --env are for command lines"),
        (["--arg", "a=1", "--", "python", "x.py"], "--arg is for a task like app.py:train"),
        (["--group", "gpu", "--env", "SEED", "--", "python", "x.py"], "--env SEED: write NAME=VALUE"),
        (["--group", "gpu", "--delay", "3", "--", "python", "x.py"], "did you mean '3s'?"),
        (["missing.py:run"], "there is no file missing.py"),
    ],
)
def test_what_cannot_be_submitted_is_said_in_a_sentence(
    words: list[str], sentence: str, jobs: LocalDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    train.submit("vgg")
    assert main.answer(["tasks", "submit", *words]) in {3, 4}
    assert sentence in capsys.readouterr().err


def test_a_command_line_is_a_job_that_knows_where_it_was_submitted(
    jobs: LocalDesk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train.submit("vgg")
    words = ["--group", "gpu", "--env", "SEED=1", "--priority", "3", "--limit", "2h", "--json"]
    assert main.answer(["tasks", "submit", *words, "--", "python", "train.py", "--epochs", "10"]) == 0
    seq = json.loads(capsys.readouterr().out)["seq"]
    assert main.answer(["tasks", "show", str(seq), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["task"], told["priority"], told["rules"]["timeout"]) == ("!script", 3, 7200.0)
    assert told["arguments"].startswith("'python', 'train.py', '--epochs', '10', cwd=")
    assert f"cwd='{tmp_path}'" in told["arguments"] and told["arguments"].endswith("env={'SEED': '1'}")
