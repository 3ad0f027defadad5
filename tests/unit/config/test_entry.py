from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.config.entry import Entry, flattened, from_flags, from_variables, secret_of, value_of
from penstock.pipeline.place import Place
from penstock.pipeline.secret import Secret

HERE = Place("/project/penstock.toml", 4)
SETTINGS = [("config", "threshold"), ("config", "Model", "Name")]
STAGES = ["detect", "save-all", "Train"]


def said(entries: list[Entry]) -> dict[tuple[str, ...], Any]:
    return {each.path: each.value for each in entries}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2),
        ("0.5", 0.5),
        ("true", True),
        ("30s", "30s"),
        ('"30"', "30"),
        ("steps/model.pt", "steps/model.pt"),
        ("", ""),
        ("2024-01-01", "2024-01-01"),
        ("10:30:00", "10:30:00"),
        ("[1, 2]", [1, 2]),
        ('{ A = "1" }', {"A": "1"}),
        ("1\nreplicas = 2", "1\nreplicas = 2"),
    ],
)
def test_a_word_is_read_as_toml_and_what_is_none_is_text(text: str, value: object) -> None:
    assert value_of(text) == value


@given(st.text())
def test_whatever_stands_behind_the_sign_is_a_value(text: str) -> None:
    assert value_of(text) is not None


def test_a_flag_says_a_knob_or_a_setting() -> None:
    mistakes: list[str] = []
    found = from_flags(
        ["detect.replicas=2", "my.stage.timeout=3s", "config.model.name=x=y", "a.variables.N=1"], mistakes
    )
    assert said(found) == {
        ("stages", "detect", "replicas"): 2,
        ("stages", "my.stage", "timeout"): "3s",
        ("config", "model", "name"): "x=y",
        ("stages", "a", "variables", "N"): "1",
    }
    assert {str(each.place) for each in found} == {"--set"}
    assert mistakes == []


def test_a_stage_that_is_called_config_is_named_with_the_word_stages_in_front() -> None:
    assert said(from_flags(["stages.config.replicas=2"], [])) == {("stages", "config", "replicas"): 2}


@pytest.mark.parametrize("text", ["detect", "detect=2", "replicas", "=2", ".=2", "detect.=2"])
def test_a_flag_of_another_form_is_answered_with_the_form(text: str) -> None:
    mistakes: list[str] = []
    assert from_flags([text], mistakes) == []
    assert mistakes == [f"--set {text}: write STAGE.KNOB=VALUE, like detect.replicas=2, or config.NAME=VALUE"]


def test_variables_find_what_they_mean_though_they_are_written_in_capitals() -> None:
    environ = {
        "PENSTOCK_STAGES__TRAIN__REPLICAS": "2",
        "PENSTOCK_STAGES__SAVE_ALL__TIMEOUT": "3s",
        "PENSTOCK_STAGES__DETECT__VARIABLES__OMP_NUM_THREADS": "1",
        "PENSTOCK_CONFIG__THRESHOLD": "0.5",
        "PENSTOCK_CONFIG__MODEL__NAME": "resnet",
        "PENSTOCK_CONFIG__NEW": "yes",
        "PENSTOCK_STAGES__DETECT__WINDOW": "",
        "PENSTOCK_GRACE": "1s",
        "HOME__X": "/",
    }
    mistakes: list[str] = []
    found = from_variables(environ, STAGES, SETTINGS, mistakes)
    assert said(found) == {
        ("stages", "Train", "replicas"): 2,
        ("stages", "save-all", "timeout"): "3s",
        ("stages", "detect", "variables", "OMP_NUM_THREADS"): "1",
        ("config", "threshold"): 0.5,
        ("config", "Model", "Name"): "resnet",
        ("config", "new"): "yes",
    }
    assert mistakes == []
    assert str(found[0].place) == "PENSTOCK_CONFIG__MODEL__NAME"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "PENSTOCK_STAGE__DETECT__X",
            "does not know the variable PENSTOCK_STAGE__DETECT__X; did you mean 'stages'?",
        ),
        ("PENSTOCK_STAGES__DETECT", "write it like PENSTOCK_STAGES__DETECT__REPLICAS"),
        ("PENSTOCK_CONFIG__", "or PENSTOCK_CONFIG__THRESHOLD"),
    ],
)
def test_a_variable_that_means_nothing_is_refused(name: str, sentence: str) -> None:
    mistakes: list[str] = []
    assert from_variables({name: "1"}, STAGES, SETTINGS, mistakes) == []
    [mistake] = mistakes
    assert sentence in mistake


def test_a_variable_that_may_mean_two_stages_is_refused() -> None:
    mistakes: list[str] = []
    from_variables({"PENSTOCK_STAGES__A_B__REPLICAS": "1"}, ["a-b", "A_b"], [], mistakes)
    assert mistakes == [
        "PENSTOCK_STAGES__A_B__REPLICAS may mean a-b or A_b; use --set or penstock.toml for these"
    ]


def test_tables_of_settings_and_variables_are_said_leaf_by_leaf_other_knobs_whole() -> None:
    value = {"A": "1", "T": {"env": "TOKEN"}}
    assert said(list(flattened(("stages", "s", "variables"), value, lambda _: HERE))) == {
        ("stages", "s", "variables", "A"): "1",
        ("stages", "s", "variables", "T"): Secret(env="TOKEN", where="/project/penstock.toml:4"),
    }
    assert said(list(flattened(("stages", "s", "other"), value, lambda _: HERE))) == {
        ("stages", "s", "other"): value
    }
    assert said(list(flattened(("config", "m"), {"a": {"b": 1, "c": {}}}, lambda _: HERE))) == {
        ("config", "m", "a", "b"): 1,
        ("config", "m", "a", "c"): {},
    }


def test_a_reference_to_a_secret_is_a_table_of_exactly_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home-of-me")
    assert secret_of({"file": "key"}, HERE) == Secret(file="/project/key", where="/project/penstock.toml:4")
    assert secret_of({"file": "~/key"}, HERE) == Secret(
        file="/home-of-me/key", where="/project/penstock.toml:4"
    )
    for other in ({"env": "A", "file": "b"}, {"env": 1}, {"env": ""}, {"name": "A"}, {}, "env", None):
        assert secret_of(other, HERE) is None


def test_secrets_are_found_in_lists_too() -> None:
    [found] = flattened(("config", "keys"), [{"env": "A"}, ["x", {"env": "B"}]], lambda _: HERE)
    where = "/project/penstock.toml:4"
    assert found.value == [Secret(env="A", where=where), ["x", Secret(env="B", where=where)]]


def test_paths_in_a_flag_are_seen_from_the_current_directory(project: Path) -> None:
    [found] = from_flags(['config.key={ file = "key" }'], [])
    assert found.value == Secret(file=str(project / "key"), where="--set")
