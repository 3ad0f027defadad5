from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.environments.spec import (
    KINDS,
    OPTIONS,
    CondaFile,
    CondaPrefix,
    ForeignLock,
    Interpreter,
    Project,
    Requirements,
    Spec,
    spec_from,
)
from penstock.errors import BadSpec


def read(table: Any, name: str = "vision") -> Spec:
    return spec_from(name, table, lambda key: f"penstock.toml:{len(key)}", "/app")


def refusal(table: Any) -> str:
    with pytest.raises(BadSpec) as refused:
        read(table)
    return str(refused.value)


def test_each_key_makes_its_kind_with_paths_seen_from_the_file() -> None:
    assert read({"conda": "envs/vision.yml"}) == CondaFile(
        name="vision", path="/app/envs/vision.yml", origin="penstock.toml:5"
    )
    assert read({"requirements": "../torch.txt", "python": "3.13"}) == Requirements(
        name="vision", path="/torch.txt", origin="penstock.toml:12", python="3.13"
    )
    assert read({"project": "trainer/", "extras": ["gpu"], "groups": ["train"]}) == Project(
        name="vision", path="/app/trainer", origin="penstock.toml:7", extras=("gpu",), groups=("train",)
    )
    assert read({"lockfile": "pixi.lock", "environment": "cuda"}) == ForeignLock(
        name="vision", path="/app/pixi.lock", origin="penstock.toml:8", environment="cuda"
    )
    assert read({"conda_env": "lab"}) == CondaPrefix(
        name="vision", path="", origin="penstock.toml:9", conda_env="lab"
    )
    assert read({"prefix": "/opt/lab"}).path == "/opt/lab"


def test_python_is_a_version_or_the_path_of_one() -> None:
    assert read({"python": "/opt/legacy/bin/python"}).path == "/opt/legacy/bin/python"
    assert read({"python": "env/bin/python"}).path == "/app/env/bin/python"
    version = read({"python": ">=3.9,<3.11"})
    assert isinstance(version, Interpreter)
    assert (version.python, version.path) == (">=3.9,<3.11", "")
    beside = read({"requirements": "a.txt", "python": "env/bin/python"})
    assert isinstance(beside, Requirements)
    assert beside.python == "/app/env/bin/python"


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("vision.yml", "penstock.toml:0: envs.vision='vision.yml': must be a table: [envs.vision]"),
        ({}, "envs.vision does not say what it is made from; say one of conda, requirements"),
        ({"conda": "a.yml", "requirements": "a.txt"}, "conda and requirements are two environments"),
        ({"requirement": "a.txt"}, "there is no key 'requirement'; did you mean 'requirements'?"),
        ({"interpreter": "/x"}, "there is no key 'interpreter'; did you mean 'python'?"),
        (
            {"requirements": "a.txt", "python": 3.1},
            "python=3.1 is a number, and 3.10 is 3.1 there; write pyth",
        ),
        ({"python": ">=abc"}, "python='>=abc' is no version; write one like"),
        ({"requirements": "a.txt", "python": "=3.10"}, "python='=3.10' is no version; write one like"),
        ({"requirements": "a.txt", "python": 3}, 'python=3: must be a version like "3.13"'),
        ({"conda": "a.yml", "python": "3.10"}, "python='3.10': its Python is what the file says"),
        ({"requirements": "a.txt", "extras": ["x"]}, "extras=['x']: only a project has extras"),
        ({"project": ".", "extras": "x"}, "extras='x': must be a list of names"),
        (
            {"conda": "a.yml", "platforms": ["linux64"]},
            "there is no platform 'linux64'; did you mean 'linux-64'",
        ),
        ({"conda": 1}, "conda=1: must be text"),
        ({"conda": "conda-lock.yml"}, 'did you mean lockfile = "conda-lock.yml"?'),
        ({"conda": "a.txt"}, 'did you mean requirements = "a.txt"?'),
        ({"requirements": "a.yml"}, 'did you mean conda = "a.yml"?'),
        ({"lockfile": "pixi.toml"}, 'is not solved here; say lockfile = "pixi.lock"'),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_line(table: Any, sentence: str) -> None:
    said = refusal(table)
    assert said.startswith("penstock.toml:")
    assert sentence in said
    assert "\n" not in said


def test_a_name_is_fit_for_a_file() -> None:
    with pytest.raises(BadSpec, match=r"envs\.a/b: a name is made of"):
        read({"conda": "a.yml"}, name="a/b")


@given(
    st.dictionaries(
        st.sampled_from([*KINDS, *OPTIONS, "nonsense"]),
        st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.lists(st.text())),
    )
)
def test_whatever_a_table_says_it_is_a_spec_or_a_sentence(table: dict[str, Any]) -> None:
    try:
        told = read(table).origin
    except BadSpec as error:
        told = str(error)
    assert told.startswith("penstock.toml:")
