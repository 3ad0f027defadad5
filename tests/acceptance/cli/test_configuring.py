"""What is said outside the code, by files, variables and flags, reaches the processes."""

from __future__ import annotations

import sys

import pytest

from tests.acceptance.cli.terminal import Terminal, finish

APP = """
import json, os
from pathlib import Path
from penstock import Context, Pipeline, sink, source, stage

@source
def numbers():
    yield from range(20)

@stage
class Tell:
    def setup(self, ctx: Context) -> None:
        self.least = ctx.config["least"]
    def __call__(self, number: int, ctx: Context):
        if number < self.least:
            return None
        given, found = ctx.config, os.environ
        return [found["LEVEL"], found["TOKEN"], dict(given["model"]), given["key"], ctx.replicas]

@sink
class Save:
    def setup(self) -> None:
        self.got = []
    def __call__(self, told: list) -> None:
        self.got.append(told)
    def teardown(self) -> None:
        Path("got.json").write_text(json.dumps(self.got))

pipeline = Pipeline("told", numbers >> Tell >> Save)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
"""
FILE = """
app = "app.py"

[stages.Tell]
replicas = 2
variables = { LEVEL = "info", TOKEN = { env = "THE_TOKEN" } }

[config]
least = 10
key = { file = "key.txt" }
model = { name = "small" }

[profile.gpu.stages.Tell]
replicas = 3

[profile.gpu.config.model]
name = "large"
"""


@pytest.fixture
def told(terminal: Terminal) -> Terminal:
    """A terminal in a directory with that app and its configuration."""
    terminal.write("app.py", APP)
    terminal.write("penstock.toml", FILE)
    terminal.write("key.txt", "geheim\n")
    terminal.environment["THE_TOKEN"] = "token-of-mine"
    return terminal


def got(terminal: Terminal) -> str:
    return (terminal.directory / "got.json").read_text()


def test_every_layer_reaches_the_workers_and_the_stronger_one_counts(told: Terminal) -> None:
    told.environment["PENSTOCK_CONFIG__LEAST"] = "19"
    told.type("run", "--profile", "gpu", "--set", "Tell.variables.LEVEL=debug")
    assert got(told) == '[["debug", "token-of-mine", {"name": "large"}, "geheim", 3]]'


def test_python_app_py_follows_the_file_and_the_variables(told: Terminal) -> None:
    told.environment |= {"PENSTOCK_PROFILE": "gpu", "PENSTOCK_STAGES__TELL__REPLICAS": "1"}
    told.environment["PENSTOCK_CONFIG__LEAST"] = "19"
    finish(told.start("app.py", command=[sys.executable]))
    assert got(told) == '[["info", "token-of-mine", {"name": "large"}, "geheim", 1]]'


def test_a_secret_is_shown_nowhere(told: Terminal) -> None:
    shown = [told.type(*line.split()) for line in ("config show --origin", "graph --json", "graph", "check")]
    shown += [told.type("config", "show", "--json"), told.type("run")]
    for each in shown:
        assert "geheim" not in each.stdout + each.stderr
        assert "token-of-mine" not in each.stdout + each.stderr
    document = told.ask("config", "show")
    assert document["schema"] == "penstock.config/1"
    values = {".".join(each["path"]): (each["value"], each["origin"]) for each in document["values"]}
    assert values["config.key"] == ("***", "penstock.toml:10")
    assert values["stages.Tell.variables.TOKEN"] == ("***", "penstock.toml:6")
    assert values["stages.Tell.replicas"] == (2, "penstock.toml:5")


def test_a_secret_that_is_not_there_is_told_before_anything_starts(told: Terminal) -> None:
    del told.environment["THE_TOKEN"]
    (told.directory / "key.txt").unlink()
    said = told.type("run", code=4).stderr
    assert "penstock.toml:6: the variable THE_TOKEN is not set" in said
    assert "penstock.toml:10: " in said
    assert not (told.directory / "got.json").exists()
    assert [each["subject"] for each in told.ask("check", code=1)["findings"]].count("secret") == 2


@pytest.mark.parametrize("verb", ["run", "graph", "config show"])
def test_mistakes_are_told_at_once_and_nothing_starts(told: Terminal, verb: str) -> None:
    told.write("penstock.toml", FILE.replace("replicas = 2", "replica = 2\ntimeout = 30"))
    said = told.type(*verb.split(), "--set", "Tel.replicas=1", code=4).stderr
    assert "penstock.toml:5: Tell: there is no knob 'replica'; did you mean 'replicas'?" in said
    assert "penstock.toml:6: Tell: timeout=30: 30 is not a time" in said
    assert "--set: there is no stage 'Tel'; did you mean 'Tell'?" in said
    assert not (told.directory / ".penstock").exists()


def test_check_has_a_finding_for_each_mistake(told: Terminal) -> None:
    said = told.ask("check", "--set", "Tell.replicas=0", "--profile", "cpu", code=1)
    assert [each["subject"] for each in said["findings"]] == ["config", "config"]


def test_the_app_of_the_file_is_run_from_any_directory_below(told: Terminal) -> None:
    (told.directory / "deep").mkdir()
    told.directory /= "deep"
    assert told.type("graph").stdout.startswith("told")


def test_a_run_for_a_time_drains_by_itself(terminal: Terminal) -> None:
    terminal.open_gate()
    said = terminal.type("run", "--for", "500ms").stderr
    assert "draining: nothing new is made" in said
    assert "0 lost, 0 dead" in said


def test_a_time_without_a_unit_is_a_usage_error(terminal: Terminal) -> None:
    assert "did you mean '30s'?" in terminal.type("run", "--for", "30", code=2).stderr
