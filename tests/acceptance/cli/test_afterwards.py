"""What can be read when a pipeline has ended."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from tests.acceptance.cli.terminal import APP, Terminal, finish

BAD_SEVEN = APP.replace(
    "    return number\n", "    if number == 7:\n        raise ValueError('seven')\n    return number\n"
)


def ended(terminal: Terminal, app: str = APP) -> None:
    """The pipeline ran in this directory, on twenty numbers."""
    terminal.write("app.py", app.replace('not Path("enough").exists()', "number < 20"))
    terminal.open_gate()
    finish(terminal.start("run", "app.py"))


def test_logs_are_there_after_the_end(terminal: Terminal) -> None:
    ended(terminal)
    lines = terminal.type("logs").stdout.splitlines()
    assert lines[0].startswith("Save/0")
    assert "saving begins" in lines[0]
    assert "zero is saved" in terminal.type("logs", "Save/0").stdout
    assert terminal.type("logs", "-n", "1", "--no-prefix").stdout.count("\n") == 1
    first = json.loads(terminal.type("logs", "--json").stdout.splitlines()[0])
    assert (first["schema"], first["label"]) == ("penstock.log/1", "Save/0")


def test_a_worker_that_wrote_nothing_is_answered_with_those_that_are_there(terminal: Terminal) -> None:
    ended(terminal)
    assert "there is Save/0, gate/0, numbers/0" in terminal.type("logs", "saev", code=3).stderr


def test_following_a_log_ends_with_the_pipeline(terminal: Terminal) -> None:
    terminal.open_gate()
    run = terminal.run()
    following = terminal.start("logs", "-f", "Save")
    terminal.type("drain")
    finish(run)
    shown = finish(following)
    assert "saving begins" in shown
    assert "saving ends" in shown


def test_ps_tells_how_the_last_run_ended(terminal: Terminal) -> None:
    ended(terminal)
    assert "gated ended: " in terminal.type("ps", code=3).stderr


def test_dead_letters_tell_why_and_what(terminal: Terminal) -> None:
    ended(terminal, BAD_SEVEN)
    [letter] = terminal.ask("dead", "list")["letters"]
    assert (letter["stage"], letter["cause"], letter["failures"]) == ("gate", "ValueError: seven", 4)
    shown = terminal.type("dead", "show", letter["id"]).stdout
    assert "ValueError: seven" in shown
    assert 'app.py", line' in shown
    assert shown.splitlines()[-1] == "value   7"
    assert terminal.type("dead", "list", "--stage", "Save").stdout == ""
    assert "1 dead" in terminal.type("ps", code=3).stderr


def test_what_was_put_back_to_a_link_that_is_gone_is_dead_again_and_the_run_says_so(
    terminal: Terminal,
) -> None:
    ended(terminal, BAD_SEVEN)
    assert "wait for the next run" in terminal.type("dead", "requeue", "--yes").stderr
    talk = terminal.type("run", "--set", "gate.fuse=true").stderr
    [said] = [line for line in talk.splitlines() if "put back to" in line]
    assert "1 dead letter put back to numbers→gate cannot go there, this run has no such link" in said
    assert not any(each["requeued"] for each in terminal.ask("dead", "list")["letters"])
    assert said.split("   ")[-1] in terminal.type("events").stdout
    assert "has no such link any more" in terminal.type("dead", "requeue", "--yes", code=4).stderr
    terminal.type("dead", "discard", "--yes")
    assert terminal.ask("dead", "list")["letters"] == []


def test_where_nothing_ever_ran_logs_and_dead_say_so(terminal: Terminal) -> None:
    for verb in ("logs", "dead list", "dead show"):
        said = terminal.type(*verb.split(), code=3).stderr
        assert "no pipeline was run from this directory and none is running" in said


def test_events_are_there_while_it_runs_and_after_the_end(terminal: Terminal) -> None:
    run = terminal.run()
    [worker] = [each for each in workers_now(terminal) if each["worker"] == "gate/0"]
    os.kill(worker["pid"], signal.SIGKILL)
    following = terminal.start("events", "-f", "--json")
    seen: list[str] = []
    assert following.stdout is not None
    while "worker_died" not in seen:
        seen.append(json.loads(following.stdout.readline())["event"])
    terminal.open_gate()
    terminal.type("drain")
    finish(run)
    rest = [json.loads(line) for line in following.stdout]
    finish(following)
    assert (seen[0], rest[-1]["event"], rest[-1]["schema"]) == ("run_began", "run_ended", "penstock.event/1")
    shown = terminal.type("events").stdout.splitlines()
    assert [line for line in shown if "gate/0" in line and "died: killed (SIGKILL)" in line]
    assert shown[-1].endswith("the run has ended")
    assert len(terminal.type("events", "--json").stdout.splitlines()) == len(seen) + len(rest)


def test_where_nothing_ever_ran_events_say_so(terminal: Terminal) -> None:
    assert "no pipeline was run from this directory" in terminal.type("events", code=3).stderr


def workers_now(terminal: Terminal) -> list[dict[str, Any]]:
    [pipeline] = terminal.ask("ps")["pipelines"]
    return [worker for stage in pipeline["stages"] for worker in stage["replicas"]]
