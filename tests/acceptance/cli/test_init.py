from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.acceptance.cli.terminal import Terminal, finish


@pytest.mark.parametrize("template", ["arrays", "plain"])
def test_what_init_writes_runs_at_once_and_drains_without_loss(terminal: Terminal, template: str) -> None:
    said = terminal.type("init", "demo", "--template", template).stderr
    assert "cd demo && penstock run app.py" in said
    run = terminal.run("demo/app.py")
    run.send_signal(signal.SIGINT)
    assert "0 lost, 0 dead" in finish(run)


@pytest.mark.parametrize("template", ["arrays", "plain"])
def test_the_tests_that_init_writes_pass(terminal: Terminal, template: str) -> None:
    terminal.type("init", "demo", "--template", template)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=terminal.directory / "demo",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_init_overwrites_nothing_and_writes_nothing_beside_it(terminal: Terminal) -> None:
    terminal.write("demo/app.py", "precious")
    said = terminal.type("init", "demo", code=1).stderr
    assert "demo/app.py is there already, so nothing was written" in said
    assert [path.name for path in (terminal.directory / "demo").iterdir()] == ["app.py"]
    assert (terminal.directory / "demo" / "app.py").read_text() == "precious"


def test_init_here_needs_no_cd(terminal: Terminal) -> None:
    (terminal.directory / "app.py").unlink()
    assert "  penstock run app.py" in terminal.type("init").stderr


def test_what_init_writes_is_found_to_be_right_by_check(terminal: Terminal) -> None:
    terminal.type("init", "demo")
    assert terminal.ask("check", "demo/app.py")["ok"] is True
