from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

import penstock
from penstock.cli import failure, main
from penstock.cli.group import Verb, VerbCommand, VerbGroup
from penstock.errors import NotRunning, PenstockError, PipelineFailed, TimedOut, UserError, WiringError

HEAVY = {"zmq", "numpy", "msgspec", "asyncio", "rich", "penstock.pipeline.stage", "penstock.runtime.client"}


def modules_after(*arguments: str) -> set[str]:
    """What a process has imported once it has answered this command line."""
    program = f"import sys; from penstock.cli.main import answer; answer({[*arguments]}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_help_imports_no_verb_and_nothing_heavy() -> None:
    loaded = modules_after("--help")
    assert not loaded & HEAVY
    ours = {name for name in loaded if name.startswith("penstock.cli.")}
    assert ours == {"penstock.cli.main", "penstock.cli.group"}


def test_ps_imports_neither_sockets_nor_arrays() -> None:
    assert not modules_after("ps") & {"zmq", "numpy", "asyncio", "penstock.pipeline.stage"}


@pytest.mark.parametrize("verb", main.VERBS, ids=lambda verb: verb.name)
def test_a_verb_says_of_itself_what_the_list_says_of_it(verb: Verb) -> None:
    command = main.penstock.get_command(click.Context(main.penstock), verb.name)
    assert command is not None
    assert (command.help or "").partition("\n")[0] == verb.purpose


@pytest.mark.parametrize("verb", main.VERBS, ids=lambda verb: verb.name)
def test_the_help_of_every_verb_can_be_read_on_a_terminal(
    verb: Verb, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.answer([verb.name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Examples:" in shown
    assert "\\b" not in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_a_misspelt_verb_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.answer(["lgos"]) == 2
    assert "there is no verb 'lgos'; did you mean 'logs'?" in capsys.readouterr().err


def test_a_misspelt_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.answer(["version", "--jsn"]) == 2
    assert "--json" in capsys.readouterr().err


def test_no_verb_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.answer([]) in (0, 2)
    shown = capsys.readouterr()
    assert "penstock run app.py" in shown.out + shown.err


def test_the_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.answer(["--version"]) == 0
    assert capsys.readouterr().out == f"penstock {penstock.__version__}\n"


def a_group_whose_verb_raises(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Put in place of the real group one with the verb `break`."""

    def callback() -> None:
        click.get_current_context().find_root().meta["json"] = as_json
        raise error

    as_json = False
    group = VerbGroup(verbs=[Verb("break", "", "")])
    monkeypatch.setattr(group, "get_command", lambda ctx, name: VerbCommand("break", callback=callback))
    monkeypatch.setattr(main, "penstock", group)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotRunning("x"), 3),
        (UserError("x"), 4),
        (WiringError("x", "app.py:3"), 4),
        (TimedOut("x"), 6),
        (PipelineFailed("x"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_what_a_verb_raises_is_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    a_group_whose_verb_raises(monkeypatch, error)
    assert main.answer(["break"]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (f"penstock: {error}\n" if isinstance(error, PenstockError) else "")


def test_a_bug_is_told_in_a_sentence_and_written_down(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    a_group_whose_verb_raises(monkeypatch, ZeroDivisionError("by zero"))
    assert main.answer(["break"]) == 70
    said = capsys.readouterr().err
    [report] = tmp_path.iterdir()
    assert said.startswith("penstock: a bug in penstock: ZeroDivisionError: by zero\n")
    assert str(report) in said
    assert "Traceback" in report.read_text()
    assert "in callback" in report.read_text()
    assert report.stat().st_mode & 0o077 == 0


def test_with_json_a_failure_is_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert failure.explain(NotRunning("nothing runs"), as_json=True) == 3
    assert json.loads(capsys.readouterr().out) == {
        "schema": "penstock.error/1",
        "error": "nothing runs",
        "exit_code": 3,
    }
