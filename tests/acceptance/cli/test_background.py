"""`up` and `down`: a pipeline that outlives its terminal, and its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.cli.terminal import LIMIT, PENSTOCK, Terminal, finish

COUNTED = """
from pathlib import Path
from penstock import Pipeline, at, sink, source

@source
def numbers(start: int = 0):
    with Path("began").open("a") as file:
        print(start, file=file)
    for number in range(start, 3):
        yield at(number + 1, number)

@sink
def save(number: int) -> None: ...

pipeline = Pipeline("counted", numbers >> save)
"""
FAILING = """
from penstock import Pipeline, sink, source

@source
def numbers():
    yield 1

@sink
class Save:
    def setup(self):
        raise ImportError("no such model")
    def __call__(self, number: int) -> None: ...

pipeline = Pipeline("failing", numbers >> Save)
"""
VACANT = """
import penstock
from penstock import Pipeline, sink, source

@source
def numbers():
    yield 1

@sink
def save(number: int) -> None: ...

pipeline = Pipeline("vacant", numbers >> penstock.external("work") >> save)
"""
QUICK = """
from penstock import Pipeline, sink, source

@source
def numbers():
    yield 1

@sink
def save(number: int) -> None: ...

pipeline = Pipeline("quick", numbers >> save)
"""


@pytest.fixture(autouse=True)
def nothing_left(terminal: Terminal) -> Iterator[None]:
    """Whatever a test has left running in the background is killed; its workers die with it."""
    yield
    for run in pipelines(terminal):
        os.kill(run["pid"], signal.SIGKILL)


def runs(terminal: Terminal) -> list[str]:
    """Names in the directory of runs."""
    base = Path(terminal.environment["PENSTOCK_RUN_DIR"])
    return [path.name for path in base.iterdir() if path.is_dir()] if base.exists() else []


def pipelines(terminal: Terminal) -> list[dict[str, Any]]:
    """Those that take calls; a verb that finds none ends with 3."""
    done = subprocess.run(
        [*PENSTOCK, "ps", "--json"],
        cwd=terminal.directory,
        env=terminal.environment,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout).get("pipelines", [])
    return found


def states(terminal: Terminal) -> list[str]:
    return [each["state"] for each in pipelines(terminal)]


def await_states(terminal: Terminal, *wanted: list[str]) -> None:
    until = time.monotonic() + LIMIT
    while (found := states(terminal)) not in wanted:
        assert time.monotonic() < until, f"{found} is none of {wanted}"


def test_up_returns_when_all_are_ready_and_down_drains(terminal: Terminal) -> None:
    up = terminal.ask("up")
    assert (up["schema"], up["pipeline"], up["state"]) == ("penstock.up/1", "gated", "ready")
    assert os.getsid(up["pid"]) == up["pid"]
    [pipeline] = terminal.ask("ps")["pipelines"]
    assert (pipeline["pid"], [stage["ready"] for stage in pipeline["stages"]]) == (up["pid"], [1, 1, 1])
    terminal.open_gate()
    shown = terminal.type("down")
    assert "gated was told to drain" in shown.stderr
    assert "0 lost, 0 dead" in shown.stdout
    assert runs(terminal) == []
    assert "0 lost, 0 dead" in Path(up["log"]).read_text()


def test_a_second_up_is_refused_and_after_down_it_is_not(terminal: Terminal) -> None:
    terminal.open_gate()
    pid = terminal.ask("up")["pid"]
    assert (
        f"gated is running already (pid {pid}); `penstock down` ends it" in terminal.type("up", code=4).stderr
    )
    terminal.type("down")
    terminal.type("up")
    terminal.type("down")


def test_one_that_runs_in_a_terminal_is_not_started_a_second_time(terminal: Terminal) -> None:
    run = terminal.run()
    assert f"is running already (pid {run.pid})" in terminal.type("up", code=4).stderr
    terminal.open_gate()
    terminal.type("down")
    finish(run)


def test_a_second_run_would_take_over_positions_so_it_is_refused_unless_it_has_a_place_of_its_own(
    terminal: Terminal, tmp_path: Path
) -> None:
    pid = terminal.ask("up")["pid"]
    for flags in ([], ["--resume"]):
        said = terminal.type("run", *flags, code=4).stderr
        assert f"gated is running already (pid {pid}) with its state in " in said
        assert "two would take over each other's positions" in said
    terminal.open_gate()
    terminal.environment["PENSTOCK_STATE_DIR"] = str(tmp_path / "other")
    terminal.type("run", "--for", "1s")
    terminal.type("down")
    del terminal.environment["PENSTOCK_STATE_DIR"]
    terminal.type("run", "--for", "1s")


def test_what_keeps_it_from_starting_is_said_with_the_exit_code_of_run(terminal: Terminal) -> None:
    terminal.write("failing.py", FAILING)
    said = terminal.type("up", "failing.py", code=1).stderr
    assert "no such model" in said
    assert said.rstrip().endswith("penstock: failing ended before it was ready")
    assert terminal.ask("up", "failing.py", code=1)["exit_code"] == 1
    said = terminal.type("up", "--set", "gate.interpreter=/nowhere", code=5).stderr
    assert "/nowhere does not exist" in said
    assert "no knob 'replica'" in terminal.type("up", "--set", "gate.replica=2", code=4).stderr
    assert runs(terminal) == []


def test_one_that_has_ended_before_anybody_looked_is_fine(terminal: Terminal) -> None:
    terminal.write("quick.py", QUICK)
    assert terminal.ask("up", "quick.py")["state"] in {"ready", "ended"}


def test_up_waits_only_as_long_as_it_may_and_the_pipeline_goes_on(terminal: Terminal) -> None:
    said = terminal.type("up", "--timeout", "1ms", code=6).stderr
    assert "gated was not ready within 0.001 s; it goes on" in said
    terminal.type("wait", "--for", "ready", "--timeout", "30s")
    terminal.type("stop", "--now")


def test_ctrl_c_in_up_takes_back_what_it_has_started(terminal: Terminal) -> None:
    slow = "def setup(self, ctx: Context) -> None:\n        import time; time.sleep(60)"
    app = (terminal.directory / "app.py").read_text()
    terminal.write("app.py", app.replace("def setup(self, ctx: Context) -> None:", slow))
    up = terminal.start("up")
    await_states(terminal, ["starting"])
    up.send_signal(signal.SIGINT)
    await_states(terminal, ["draining"], [])
    up.send_signal(signal.SIGINT)
    await_states(terminal, ["stopping"], [])
    up.send_signal(signal.SIGINT)
    assert "gated is drained; Ctrl-C again stops now" in finish(up, 130)
    assert states(terminal) == []


def test_a_second_down_stops_and_a_third_kills(terminal: Terminal) -> None:
    terminal.type("up")
    first = terminal.start("down")
    await_states(terminal, ["draining"])
    second = terminal.start("down")
    await_states(terminal, ["stopping"], [])
    terminal.open_gate()  # or it would be waited for as long as a stop waits
    assert "gated was told to stop" in finish(second)
    assert "gated was told to drain" in finish(first)


def test_ctrl_c_in_down_goes_a_step_further(terminal: Terminal) -> None:
    terminal.type("up")
    down = terminal.start("down")
    await_states(terminal, ["draining"])
    down.send_signal(signal.SIGINT)
    await_states(terminal, ["stopping"], [])
    terminal.open_gate()
    said = finish(down)
    assert "gated was told to drain" in said
    assert "gated was told to stop" in said


def test_a_down_that_takes_too_long_ends_with_6_and_goes_on(terminal: Terminal) -> None:
    terminal.type("up")
    said = terminal.type("down", "--timeout", "200ms", code=6).stderr
    assert "`penstock down` again does not wait for them" in said
    terminal.open_gate()
    await_states(terminal, [])


def test_a_kill_of_the_supervisor_leaves_nothing_that_hinders_the_next(terminal: Terminal) -> None:
    os.kill(terminal.ask("up")["pid"], signal.SIGKILL)
    terminal.open_gate()
    assert terminal.ask("up")["state"] == "ready"
    terminal.type("down")


def test_a_source_goes_on_where_the_last_run_came_to(terminal: Terminal) -> None:
    terminal.write("counted.py", COUNTED)
    for flags in ([], ["--resume"]):
        terminal.type("up", "counted.py", *flags)
        await_states(terminal, [])
    assert (terminal.directory / "began").read_text().split() == ["0", "3"]


@pytest.mark.parametrize("verb", ["down", "drain"])
def test_the_end_of_a_pipeline_whose_script_never_comes_is_bounded_and_counted(
    terminal: Terminal, verb: str
) -> None:
    terminal.environment["PENSTOCK_GRACE"] = "1s"
    terminal.write("app.py", VACANT)
    terminal.type("up")
    ended = terminal.type(verb, code=1)
    assert "it waits for a script that attaches as 'work'" in ended.stderr
    assert "failed   1 in, 0 out, 0 lost, 0 dead, 1 unfinished" in ended.stdout
    assert "1 item waits for a script that attaches as 'work'" in terminal.type("events").stdout


def test_a_run_for_a_while_ends_though_its_script_never_comes(terminal: Terminal) -> None:
    terminal.environment["PENSTOCK_GRACE"] = "1s"
    terminal.write("app.py", VACANT)
    talk = terminal.type("run", "--for", "1s", code=1).stderr
    assert "1 in, 0 out, 0 lost, 0 dead, 1 unfinished" in talk
    assert "no script has attached to do what waits (1 for 'work'): that is unfinished" in talk
