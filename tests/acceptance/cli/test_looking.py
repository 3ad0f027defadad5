"""The verbs that start nothing."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.cli.terminal import APP, PENSTOCK, Terminal


def cost(*arguments: str, terminal: Terminal) -> float:
    """Seconds of processor time that a command takes, the best of some: what one waits on a quiet machine."""
    # (The clock on the wall would measure what else runs here.) A test runner may forbid bytecode files, and
    # then every start would compile everything anew.
    environment = {
        name: text for name, text in terminal.environment.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    return min(_cost([*PENSTOCK, *arguments], terminal.directory, environment) for _ in range(8))


def _cost(command: list[str], directory: Path, environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=directory, env=environment, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_is_there_within_150_ms(terminal: Terminal) -> None:
    assert cost("--help", terminal=terminal) < 0.15


def test_ps_answers_within_250_ms(terminal: Terminal) -> None:
    terminal.run()
    assert cost("ps", terminal=terminal) < 0.25


def test_graph_draws_and_describes(terminal: Terminal) -> None:
    shown = terminal.type("graph").stdout.splitlines()
    assert shown[0] == "gated   3 stages   3 workers"
    assert [line.split()[:3] for line in shown[2:] if line != "│"] == [
        ["●", "numbers", "source"],
        ["●", "gate", "stage"],
        ["●", "Save", "sink"],
    ]
    assert terminal.type("graph", "--format", "mermaid").stdout.startswith("flowchart LR\n")
    document = terminal.ask("graph")
    assert document["schema"] == "penstock.graph/1"
    assert [link["target"] for link in document["links"]] == ["gate", "Save"]


def test_a_terminal_without_lines_gets_ascii(terminal: Terminal) -> None:
    terminal.environment["PYTHONIOENCODING"] = "ascii"
    assert terminal.type("graph").stdout.isascii()


def test_check_asks_interpreters_before_anything_is_started(terminal: Terminal) -> None:
    terminal.write("app.py", APP.replace("@stage\n", "@stage(interpreter='/no/python')\n"))
    document = terminal.ask("check", code=1)
    [wrong] = [each for each in document["findings"] if each["verdict"] == "bad"]
    assert wrong["subject"] == "interpreter of gate"
    assert "/no/python does not exist" in wrong["text"]
    assert "1 wrong" in terminal.type("check", code=1).stdout


def test_check_finds_code_that_is_not_there(terminal: Terminal) -> None:
    terminal.write("steps.py", "def clean(number): return number")
    terminal.write("app.py", APP.replace("numbers >> gate", 'numbers >> stage("steps.py:claen") >> gate'))
    [finding] = terminal.ask("check", code=1)["findings"]
    assert "steps.py defines no 'claen'; did you mean 'clean'?" in finding["text"]


def test_check_tells_a_wrong_wire_with_its_place(terminal: Terminal) -> None:
    terminal.write("app.py", APP.replace("numbers >> gate >> Save", "numbers >> Save >> gate"))
    [finding] = terminal.ask("check", code=1)["findings"]
    assert finding["verdict"] == "bad"
    assert "app.py:" in finding["text"]


def test_a_stage_named_by_a_string_is_not_imported(terminal: Terminal) -> None:
    terminal.write("heavy.py", "raise SystemExit('imported')\ndef train(number): ...")
    terminal.write("app.py", APP.replace("gate >> Save", 'gate >> sink("heavy.py:train")'))
    assert terminal.ask("check")["ok"] is True
    assert "heavy:train" in terminal.type("graph").stdout


def test_doctor_looks_at_the_machine_and_at_the_interpreters(terminal: Terminal) -> None:
    terminal.write("app.py", APP.replace("@stage\n", f"@stage(interpreter={sys.executable!r})\n"))
    assert terminal.ask("doctor")["ok"] is True
    subjects = [each["subject"] for each in terminal.ask("doctor", "app.py")["findings"]]
    assert subjects[-1] == "interpreter of gate"


def test_doctor_finds_what_a_killed_run_has_left(terminal: Terminal) -> None:
    run = terminal.run()
    run.kill()
    run.wait()
    [finding] = [each for each in terminal.ask("doctor")["findings"] if each["subject"] == "leftovers"]
    assert (finding["verdict"], "gated-" in finding["text"]) == ("doubtful", True)


def test_doctor_refuses_a_directory_that_others_can_enter(terminal: Terminal) -> None:
    base = terminal.directory / "open-to-all"
    base.mkdir()
    base.chmod(0o755)
    terminal.environment["PENSTOCK_RUN_DIR"] = str(base)
    wrong = [each for each in terminal.ask("doctor", code=1)["findings"] if each["verdict"] == "bad"]
    assert f"chmod 700 {base}" in [each["cure"] for each in wrong]


def test_an_import_error_of_the_app_is_shown_with_the_users_frames(terminal: Terminal) -> None:
    terminal.write("app.py", "import pands\n")
    said = terminal.type("run", "app.py", code=4).stderr
    assert "penstock: app.py cannot be imported: ModuleNotFoundError: No module named 'pands'" in said
    assert said.count('  File "') == 1


def test_a_missing_app_is_told_in_one_sentence(terminal: Terminal) -> None:
    said = terminal.type("run", "ap.py", code=3).stderr
    assert said == "penstock: there is no file ap.py; did you mean app.py?\n"


def test_versions_are_told(terminal: Terminal) -> None:
    document = terminal.ask("version")
    assert document["schema"] == "penstock.version/1"
    assert document["python"] == ".".join(map(str, sys.version_info[:3]))


@pytest.mark.parametrize(("variables", "coloured"), [({}, False), ({"FORCE_COLOR": "1"}, True)])
def test_colour_only_where_it_is_wanted(
    terminal: Terminal, variables: dict[str, str], *, coloured: bool
) -> None:
    terminal.environment.update(variables)
    assert ("\x1b[" in terminal.type("graph").stdout) is coloured


def test_a_reader_that_goes_away_is_no_error(terminal: Terminal) -> None:
    command = f"{sys.executable} -m penstock graph --json | head -n 1"
    done = subprocess.run(
        ["sh", "-c", command], cwd=terminal.directory, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("{\n", "")
