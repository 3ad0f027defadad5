"""`penstock top` in a real terminal: a pty, with keys pressed and lines read."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cli.terminal import LIMIT, PENSTOCK, Terminal, finish


class Pty:
    """A terminal of 150 x 40 with a command in it."""

    def __init__(self, directory: Path, environment: dict[str, str], *command: str) -> None:
        self.fd, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 150, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs
        self.process = subprocess.Popen(
            [*PENSTOCK, *command],
            cwd=directory,
            env={**environment, "TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        self.said = ""

    def see(self, text: str) -> None:
        """Wait until ``text`` is written; what came before is done with."""
        deadline = time.monotonic() + LIMIT
        while text not in self.said:
            assert time.monotonic() < deadline, self.said[-3000:]
            readable, _, _ = select.select([self.fd], [], [], 1.0)
            if readable:
                self.said += os.read(self.fd, 65536).decode(errors="replace")
        self.said = self.said.partition(text)[2]

    def press(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def end(self, code: int = 0) -> None:
        """It ends by itself, and leaves the terminal as it was."""
        deadline = time.monotonic() + LIMIT
        while self.process.poll() is None:  # nobody else reads what it says
            assert time.monotonic() < deadline, self.said[-3000:]
            readable, _, _ = select.select([self.fd], [], [], 0.1)
            if readable:
                self.said += os.read(self.fd, 65536).decode(errors="replace")
        assert self.process.returncode == code
        assert termios.tcgetattr(self.theirs) == self.before

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.fd)
        os.close(self.theirs)


@pytest.fixture
def top(terminal: Terminal) -> Iterator[Pty]:
    terminal.run()
    seen = Pty(terminal.directory, terminal.environment, "top")
    yield seen
    seen.close()


def test_top_shows_the_pipeline_and_scales_what_is_selected(top: Pty, terminal: Terminal) -> None:
    top.see("\x1b[?1049h")
    top.see("gate/0")
    top.press("?")
    top.see("one worker more or less for it")
    top.press("?j")
    top.press("+")
    top.see("gate   1 → 2")
    top.see("gate/1")
    top.press("kk-")
    top.see("numbers is a source")
    top.press("q")
    top.end()
    assert "\x1b[?1049l" in top.said
    assert [stage["asked"] for stage in terminal.ask("ps")["pipelines"][0]["stages"]] == [1, 2, 1]


def test_top_pauses_lets_go_on_and_restarts_what_is_selected(top: Pty, terminal: Terminal) -> None:
    top.see("gate/0")
    (before,) = terminal.ask("ps")["pipelines"][0]["stages"][1]["replicas"]
    top.press("jp")
    top.see("gate   paused")
    top.see("p pause")
    top.press("p")
    top.see("gate   goes on")
    top.press("P")
    top.see("paused")
    assert [stage["paused"] for stage in terminal.ask("ps")["pipelines"][0]["stages"]] == [True] * 3
    top.press("P")
    top.see("goes on")
    top.press("r")
    top.see("restarting, one by one: gate/0")
    terminal.open_gate()
    deadline = time.monotonic() + LIMIT
    while not re.search(r"gate/0 +was restarted", terminal.type("events").stdout):
        assert time.monotonic() < deadline
    (after,) = terminal.ask("ps")["pipelines"][0]["stages"][1]["replicas"]
    assert after["pid"] != before["pid"]
    top.press("q")
    top.end()


def test_top_drains_when_asked_twice_and_tells_how_it_ended(top: Pty, terminal: Terminal) -> None:
    top.see("gate/0")
    top.press("d")
    top.see("drain gated?")
    top.press("y")
    top.see("gated was told to drain")
    terminal.open_gate()
    top.see("\x1b[?1049l")
    top.see("0 lost, 0 dead")
    top.end()
    finish(terminal.background[0])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_gives_the_terminal_back(top: Pty, number: signal.Signals, code: int) -> None:
    top.see("gate/0")
    os.kill(top.process.pid, number)
    top.see("\x1b[?1049l")
    top.end(code)


def test_where_nobody_looks_it_is_shown_once(terminal: Terminal) -> None:
    terminal.run()
    shown = terminal.type("top").stdout
    assert "gate/0" in shown
    assert "\x1b[" not in shown
