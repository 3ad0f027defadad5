"""`penstock debug`: one worker of a pipeline that runs, in somebody's terminal, under pdb."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from tests.acceptance.cli.terminal import LIMIT, Terminal, finish

APP = """
import time
from pathlib import Path
from penstock import Context, Pipeline, sink, source, stage

@source
def numbers(ctx: Context):
    for number in range(6):
        while not ctx.stopping and not Path(f"go{number}").exists():
            time.sleep(0.005)
        yield number

@stage(timeout="300ms", variables={"OWN": "mine"}, max_failures=0)
def work(number: int):
    twice = 2 * number
    if number == 3:
        breakpoint()
    return 12 // (number - 1) and twice

@sink
def save(number: int) -> None:
    print("saved", number, flush=True)

pipeline = Pipeline("debugged", numbers >> work >> save)
"""
STAGE_LINE = 15


class Prompt:
    """`penstock debug` in a terminal of its own."""

    def __init__(self, terminal: Terminal, *arguments: str) -> None:
        self.said = ""
        self._seen = 0
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.chdir(terminal.directory)
            environment = {**terminal.environment, "TERM": "dumb"}
            os.execve(sys.executable, [sys.executable, "-m", "penstock", "debug", *arguments], environment)

    def until(self, part: str) -> str:
        """What has been said since, as soon as ``part`` is in it."""
        end = time.monotonic() + LIMIT
        while part not in self.said[self._seen :]:
            assert self._read(end), f"{part!r} was not said: {self.said}"
        found, self._seen = self.said[self._seen :], len(self.said)
        return found

    def type(self, text: str) -> None:
        """As with a keyboard."""
        os.write(self._fd, text.encode())

    def end(self) -> int:
        """Its exit code."""
        end = time.monotonic() + LIMIT
        while self._read(end):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def kill(self) -> None:
        """As the kernel does it."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def _read(self, end: float) -> bool:
        assert time.monotonic() < end, self.said
        if not select.select([self._fd], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # the other end has gone
            data = b""
        self.said += data.decode()
        return bool(data)


@pytest.fixture
def debugged(terminal: Terminal) -> Iterator[Terminal]:
    terminal.write("app.py", APP)
    process = terminal.run()
    yield terminal
    for number in range(6):
        go(terminal, number)
    finish(process)


def go(terminal: Terminal, number: int) -> None:
    (terminal.directory / f"go{number}").touch()


def saved(terminal: Terminal) -> list[int]:
    lines = terminal.type("logs", "save", "--no-prefix").stdout.splitlines()
    return [int(line.split()[1]) for line in lines if line.startswith("saved")]


def test_it_stops_at_an_exception_before_its_item_fails_and_goes_on(debugged: Terminal) -> None:
    prompt = Prompt(debugged, "work")
    prompt.until("work/0 of debugged is yours")
    go(debugged, 0)
    go(debugged, 1)
    assert "ZeroDivisionError" in prompt.until("(Pdb) ")
    prompt.type("p number, twice, __import__('os').environ['OWN']\n")
    assert "(1, 2, 'mine')" in prompt.until("(Pdb) ")
    time.sleep(0.4)  # longer than an item may take: who looks at it has time
    assert debugged.ask("dead", "list")["letters"] == []
    prompt.type("c\n")
    go(debugged, 2)
    debugged.type("wait", "--for", "idle", "--timeout", "30s")
    prompt.type("\x03")
    assert prompt.end() == 0
    assert [letter["id"] for letter in debugged.ask("dead", "list")["letters"]] == ["numbers/0:1"]


def test_quitting_gives_the_item_back_untried_and_the_ordinary_worker_returns(debugged: Terminal) -> None:
    prompt = Prompt(debugged, "work/0")
    prompt.until("is yours")
    for number in range(4):
        go(debugged, number)
    prompt.until("(Pdb) ")  # 1 has raised
    prompt.type("q\n")
    assert prompt.end() == 0
    debugged.type("wait", "--for", "ready", "--timeout", "30s")
    (worker,) = [
        each
        for stage in debugged.ask("ps")["pipelines"][0]["stages"]
        for each in stage["replicas"]
        if each["worker"] == "work/0"
    ]
    assert worker["state"] == "ready"
    assert worker["restarts"] == 0, "it was nobody's death"


@pytest.mark.parametrize("way", ["q\n", "\x03", "\x04"], ids=["q", "Ctrl-C", "Ctrl-D"])
def test_it_stops_at_breakpoint_and_every_way_out_gives_the_item_back(debugged: Terminal, way: str) -> None:
    for number in (0, 1, 2):
        go(debugged, number)
    debugged.type("wait", "--for", "idle", "--timeout", "30s")
    prompt = Prompt(debugged, "work")
    prompt.until("is yours")
    go(debugged, 3)
    prompt.until("(Pdb) ")
    prompt.type("p number\n")
    assert "3" in prompt.until("(Pdb) ")
    prompt.type(way)
    assert prompt.end() == 0
    # Under the ordinary worker breakpoint() reads the end of its input, which is an exception there.
    debugged.type("wait", "--for", "idle", "--timeout", "30s")
    (letter,) = [each for each in debugged.ask("dead", "list")["letters"] if each["id"] == "numbers/0:3"]
    assert letter["failures"] == 1, "nobody who looked at it is blamed"


def test_it_stops_at_a_line_that_is_asked_for(debugged: Terminal) -> None:
    prompt = Prompt(debugged, "work", "--break", f"app.py:{STAGE_LINE}")
    prompt.until("is yours")
    go(debugged, 0)
    assert "twice = 2 * number" in prompt.until("(Pdb) ")
    prompt.type("c\n")
    go(debugged, 1)
    go(debugged, 2)
    prompt.until("(Pdb) ")
    prompt.type("p number + 40\n")
    assert "41" in prompt.until("(Pdb) ")
    prompt.type("q\n")
    assert prompt.end() == 0


def test_who_debugs_is_killed_and_the_pipeline_goes_on(debugged: Terminal) -> None:
    prompt = Prompt(debugged, "work")
    prompt.until("is yours")
    prompt.kill()
    for number in (0, 1, 2):
        go(debugged, number)
    debugged.type("wait", "--for", "ready", "--timeout", "30s")
    debugged.type("wait", "--for", "idle", "--timeout", "30s")
    assert set(saved(debugged)) <= {0, 4}
    assert "died: the debug session ended" in debugged.type("events").stdout


def test_a_source_is_debugged_too(debugged: Terminal) -> None:
    prompt = Prompt(debugged, "numbers", "--break", "app.py:11")
    prompt.until("is yours")
    go(debugged, 0)
    prompt.until("(Pdb) ")
    prompt.type("q\n")
    assert prompt.end() == 0
    debugged.type("wait", "--for", "ready", "--timeout", "30s")


def test_one_sentence_says_why_not(debugged: Terminal) -> None:
    assert "has no stage 'wok'; did you mean 'work'?" in debugged.type("debug", "wok", code=4).stderr
    assert "there is no work/3; there are work/0" in debugged.type("debug", "work/3", code=4).stderr
    assert "is not FILE:LINE" in debugged.type("debug", "work", "--break", "gone.py:1", code=2).stderr
    said = debugged.type("debug", "work", "--break", "app.py:4000", code=4).stderr
    assert "app.py:4000: there is no such line" in said
    said = debugged.type("debug", "work", "--debugpy", code=5).stderr
    assert f"{sys.executable} -m pip install debugpy" in said
    first = Prompt(debugged, "work")
    first.until("is yours")
    assert "somebody else debugs work/0 already" in debugged.type("debug", "work", code=4).stderr
    first.type("\x03")
    assert first.end() == 0
