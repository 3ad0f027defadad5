"""Every knob, set wrong in every place where it can be set: one sentence, and where it was said.

The table is complete by the first test: who adds a knob says here what it may not be.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from penstock.cli.main import answer
from penstock.pipeline.checks import CHECKS

CODE = {
    "name": "'../up'",
    "replicas": "0",
    "window": "-1",
    "timeout": "30",
    "max_failures": "'three'",
    "max_age": "'-1s'",
    "on_full": "'drop_old'",
    "compress": "'gzip'",
    "max_restarts": "-5",
    "start_timeout": "'0s'",
    "env": "39",
    "interpreter": "39",
    "variables": "['OMP_NUM_THREADS']",
    "hosts": "39",
    "ports": "'rejected'",
    "key": "3",
    "ordered": "'yes'",
    "dedupe": "0",
    "fuse": "'yes'",
    "concurrency": "'many'",
    "threads": "0",
    "batch_wait": "'2h'",
    "pad": "'0'",
    "batch": "1.5",
}
"""A wrong value, as it would stand in the code."""

FILE = {**{knob: text.replace("'", '"') for knob, text in CODE.items()}, "variables": '"OMP_NUM_THREADS=1"'}
"""A wrong value, as it would stand in penstock.toml."""

NOT_IN_FILES = {"name", "ports", "key"}
"""What is the code's own affair; a file that says it is told so."""

NUMBERS = itertools.count()
"""Each app is a module of its own: all of them are imported into this process."""

APP = """\
from penstock import Pipeline, sink, source, stage


@source
def numbers():
    yield 1


@KINDKNOBS
def keep(number):
    print(number)


wrong = Pipeline("wrong", numbers >> keep)
"""
SERVED = """\
from penstock import Pipeline, service


@serviceKNOBS
def judge(value):
    return value


wrong = Pipeline("wrong", judge)
"""
DECORATOR = 9
"""The line of the knobs in it."""


class Desk:
    """A folder with an app that is wrong somewhere."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.app = f"wrong{next(NUMBERS)}.py"
        self._capfd = capfd

    def write(self, knobs: str = "", kind: str = "sink") -> None:
        (self.folder / self.app).write_text(APP.replace("KIND", kind).replace("KNOBS", knobs))

    def check(self, *arguments: str) -> str:
        """The one sentence about what is wrong."""
        document = self.document(*arguments)
        (finding,) = [each for each in document["findings"] if each["verdict"] == "bad"]
        said: str = finding["text"]
        assert len(said.splitlines()) == 1
        return said

    def document(self, *arguments: str) -> dict[str, Any]:
        assert answer(["check", "--json", *arguments, self.app]) == 1
        out, err = self._capfd.readouterr()
        assert "Traceback" not in out + err
        found: dict[str, Any] = json.loads(out)
        return found


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # where an app lies is put there
    monkeypatch.setenv("PENSTOCK_RUN_DIR", str(tmp_path / "run"))
    return Desk(tmp_path, capfd)


def test_the_table_has_every_knob() -> None:
    assert set(CODE) == set(CHECKS)


@pytest.mark.parametrize("knob", CHECKS)
def test_a_wrong_knob_in_the_code_is_named_with_its_line(desk: Desk, knob: str) -> None:
    desk.write(f"({knob}={CODE[knob]})", "stage" if knob in {"ports", "compress"} else "sink")
    said = desk.check()
    assert f"{desk.app}:{DECORATOR}: {knob}=" in said


@pytest.mark.parametrize("knob", CHECKS)
def test_a_wrong_knob_of_a_service_is_named_with_its_line(desk: Desk, knob: str) -> None:
    (desk.folder / desk.app).write_text(SERVED.replace("KNOBS", f"({knob}={CODE[knob]})"))
    assert f"{desk.app}:4: {knob}=" in desk.check()


@pytest.mark.parametrize("knob", CHECKS)
def test_a_wrong_knob_in_the_file_is_named_with_its_line(desk: Desk, knob: str) -> None:
    desk.write()
    (desk.folder / "penstock.toml").write_text(f"# settings\n[stages.keep]\n{knob} = {FILE[knob]}\n")
    said = desk.check()
    assert "penstock.toml:3" in said
    assert knob in said


@pytest.mark.parametrize("knob", sorted(set(CHECKS) - NOT_IN_FILES))
def test_a_wrong_knob_on_the_command_line_is_named(desk: Desk, knob: str) -> None:
    desk.write()
    said = desk.check("--set", f"keep.{knob}={FILE[knob]}")
    assert "--set" in said
    assert knob in said


@pytest.mark.parametrize("knob", sorted(set(CHECKS) - NOT_IN_FILES))
def test_a_wrong_knob_in_the_environment_is_named(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, knob: str
) -> None:
    desk.write()
    monkeypatch.setenv(f"PENSTOCK_STAGES__KEEP__{knob.upper()}", FILE[knob])
    assert f"PENSTOCK_STAGES__KEEP__{knob.upper()}" in desk.check()


@pytest.mark.parametrize(("wrong", "right"), [("replica", "replicas"), ("retries", "max_failures")])
def test_a_knob_that_does_not_exist_is_told_the_nearest(desk: Desk, wrong: str, right: str) -> None:
    desk.write(f"({wrong}=1)")
    said = desk.check()
    assert f"{desk.app}:{DECORATOR}" in said
    assert f"did you mean {right!r}?" in said
