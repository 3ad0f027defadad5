"""Jobs from a shell: submitted in one process, seen and steered in others."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.cli.terminal import Terminal

APP = """
from penstock import task

@task
def add(left: int, right: int = 1, name: str = "") -> int:
    return left + right

@task(name="sub")
def subtract(left: int) -> int:
    return left
"""


def test_a_task_is_submitted_by_its_file_and_name_with_checked_arguments(terminal: Terminal) -> None:
    terminal.write("app.py", APP)
    submit = ("tasks", "submit", "app.py:add")
    assert (
        terminal.type("tasks", "submit", "app.py:add", "--arg", "left=2", "--arg", "name=7").stdout == "1\n"
    )
    assert terminal.ask("tasks", "show", "1")["arguments"] == "left=2, name='7'"
    assert terminal.type("tasks", "submit", "app.py:sub", "--arg", "left=2").stdout == "2\n"
    wrong = terminal.type(*submit, "--arg", "left=two", code=4).stderr
    assert "the command line: add: left='two' is not an int; it takes (left: int, right: int = 1" in wrong
    assert (
        "app.py has no task 'ad'; did you mean 'add'?"
        in terminal.type("tasks", "submit", "app.py:ad", code=3).stderr
    )
    assert Path(terminal.directory, ".penstock", "jobs.db").is_file()
    assert len(terminal.ask("tasks", "list")["jobs"]) == 2


def test_one_that_is_submitted_for_a_time_and_by_a_key_is_there_once(terminal: Terminal) -> None:
    terminal.write("app.py", APP)
    words = ("app.py:add", "--arg", "left=2", "--at", "2999-01-01T04:00", "--unique", "nightly")
    assert [terminal.ask("tasks", "submit", *words)["seq"] for _ in range(2)] == [1, 1]
    (row,) = terminal.ask("tasks", "list")["jobs"]
    assert (row["state"], row["unique"]) == ("scheduled", "add:nightly")
    wrong = terminal.type("tasks", "submit", "app.py:add", "--at", "noon", code=2).stderr
    assert "'noon' is no time; write when, like 2026-11-21T04:00" in wrong
    both = terminal.type("tasks", "submit", *words, "--delay", "1h", code=4).stderr
    assert "delay= says how long from now and at= says when; say one of them" in both


def test_a_task_that_no_worker_here_has_the_gpus_for_is_told_of(terminal: Terminal) -> None:
    terminal.write("app.py", APP.replace('@task(name="sub")', '@task(name="sub", gpus=2)'))
    terminal.write("penstock.toml", "[group.default]\nworkers = 2\ngpus = [0, 1]\n")
    (_, found) = terminal.ask("check", "app.py")["findings"]
    assert "app.py:8: sub needs 2 GPUs, and a worker of 'default' has 1 here" in found["text"]


def test_the_store_is_the_same_whatever_directory_one_asks_from(terminal: Terminal) -> None:
    terminal.write("project/app.py", APP)
    terminal.write("project/penstock.toml", 'app = "app.py"\n')
    terminal.type("tasks", "submit", "project/app.py:add", "--arg", "left=2")
    terminal.write("project/data/notes.txt", "")
    terminal.directory /= "project/data"
    assert [job["task"] for job in terminal.ask("tasks", "list")["jobs"]] == ["add"]


def test_who_waits_too_short_is_told_how_the_job_stands(terminal: Terminal) -> None:
    terminal.write("app.py", APP)
    waited = terminal.type(
        "tasks", "submit", "app.py:add", "--arg", "left=2", "--wait", "--timeout", "10ms", code=6
    )
    assert waited.stdout == "" and "is ready" in waited.stderr
