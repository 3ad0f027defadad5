from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import Pipeline
from penstock.config.configuration import Misconfigured, configured, merged, nested
from penstock.config.entry import Entry
from penstock.errors import UserError
from penstock.pipeline.place import Place
from penstock.pipeline.plan import Plan, StagePlan
from penstock.pipeline.secret import Secret, revealed

FILE = """\
[stages.detect]
timeout = "10s"
replicas = 2
window = 5
max_failures = 5
variables = { LEVEL = "debug", TOKEN = { env = "TOKEN" } }

[config]
threshold = 0.5
model = { name = "resnet", depth = 50 }

[profile.gpu.stages.detect]
timeout = "20s"
replicas = 4
window = 6

[profile.gpu.config]
model.depth = 101

[profile.other.stages.save-all]
replicas = 7
"""


def plan(
    pipeline: Pipeline, text: str = "", environ: dict[str, str] | None = None, *flags: str, profile: str = ""
) -> Plan:
    Path("penstock.toml").write_text(text)
    return configured(pipeline, environ or {}, flags=flags, profile=profile or None)


def detect(plan: Plan) -> StagePlan:
    return plan.stage("detect")


def mistakes(pipeline: Pipeline, text: str, environ: dict[str, str] | None = None, *flags: str) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        plan(pipeline, text, environ, *flags)
    return list(caught.value.sentences)


def test_without_anything_said_the_plan_is_that_of_the_code(pipeline: Pipeline) -> None:
    assert configured(pipeline, {}) == pipeline.plan()


def test_each_layer_counts_more_than_the_one_below_it(pipeline: Pipeline) -> None:
    environ = {"PENSTOCK_STAGES__DETECT__REPLICAS": "8", "PENSTOCK_STAGES__DETECT__WINDOW": "7"}
    found = detect(plan(pipeline, FILE, environ, "detect.window=9", profile="gpu"))
    assert (found.window, found.replicas, found.timeout, found.max_failures, found.max_restarts) == (
        9,
        8,
        20.0,
        5,
        20,
    )
    assert detect(plan(pipeline, FILE)).timeout == 10.0
    assert detect(pipeline.plan()).timeout == 5.0


def test_the_profile_can_be_named_by_a_variable_and_a_flag_counts_more(pipeline: Pipeline) -> None:
    environ = {"PENSTOCK_PROFILE": "gpu"}
    assert detect(plan(pipeline, FILE, environ)).replicas == 4
    found = plan(pipeline, FILE, environ, profile="other")
    assert (detect(found).replicas, found.stage("save-all").replicas) == (2, 7)


def test_tables_are_merged_and_other_values_replaced(pipeline: Pipeline) -> None:
    found = plan(pipeline, FILE, {}, "config.model.name=vgg", profile="gpu")
    assert found.config == {"threshold": 0.5, "model": {"name": "vgg", "depth": 101}}
    assert detect(found).variables == {"LEVEL": "debug", "MODE": "fast"}
    assert detect(found).secrets == {"TOKEN": Secret(env="TOKEN", where="penstock.toml:6")}


def test_a_secret_displaces_a_variable_and_a_variable_a_secret(pipeline: Pipeline) -> None:
    text = '[stages.detect.variables]\nLEVEL = { env = "X" }\n'
    hidden = detect(plan(pipeline, text))
    assert ("LEVEL" in hidden.variables, list(hidden.secrets)) == (False, ["LEVEL"])
    again = detect(plan(pipeline, text, {}, "detect.variables.LEVEL=plain"))
    assert (again.variables["LEVEL"], again.secrets) == ("plain", {})


def test_a_relative_interpreter_is_seen_from_the_file(pipeline: Pipeline, project: Path) -> None:
    found = detect(plan(pipeline, '[stages.detect]\ninterpreter = "env/bin/python"'))
    assert found.interpreter == str(project / "env" / "bin" / "python")


def test_all_that_is_wrong_is_told_at_once_each_with_its_place(pipeline: Pipeline) -> None:
    text = """\
schem = 1
[stages.detect]
timeout = 30
replica = 2
name = "other"
ports = ["x"]
[stages.camera]
window = 3
[stages.detct]
[stages.detect.variables]
N = 1
[config]
when = 2024-01-01
big = 99999999999999999999
[profile.idle.stages.detect]
replicas = "two"
"""
    environ = {"PENSTOCK_STAGES__DETECT__REPLICAS": "0", "PENSTOCK_STAGE__X__Y": "1"}
    assert mistakes(pipeline, text, environ, "dtect.replicas=1", "detect.batch_size") == [
        "penstock.toml:1: there is no key 'schem'; did you mean 'schema'?",
        "penstock does not know the variable PENSTOCK_STAGE__X__Y; did you mean 'stages'?",
        "--set detect.batch_size: write STAGE.KNOB=VALUE, like detect.replicas=2, or config.NAME=VALUE",
        (
            "penstock.toml:3: detect: timeout=30: 30 is not a time; write it with a unit, like '250ms', "
            "'30s', '5m' or '2h'; did you mean '30s'?"
        ),
        "penstock.toml:4: detect: there is no knob 'replica'; did you mean 'replicas'?",
        "penstock.toml:5: detect: name='other': a name is chosen in the code, where wires refer to it",
        "penstock.toml:6: detect: ports=['x']: ports are declared in the code, where they are wired on",
        "penstock.toml:11: detect: variables={'N': 1}: the value of N must be text; write \"1\"",
        "penstock.toml:8: camera: window=3: a source gets no items, so it has no window",
        "penstock.toml:9: there is no stage 'detct'; did you mean 'detect'?",
        (
            "penstock.toml:13: config.when=datetime.date(2024, 1, 1): "
            "dates and times are not given to stages; write it as text"
        ),
        "penstock.toml:14: config.big=99999999999999999999: is too large a number; write it as text",
        "PENSTOCK_STAGES__DETECT__REPLICAS: detect: replicas=0: must be a whole number, 1 or more",
        "--set: there is no stage 'dtect'; did you mean 'detect'?",
        "penstock.toml:16: detect: replicas='two': must be a whole number, 1 or more",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (FILE, "penstock.toml:12: there is no profile 'gpuu'; did you mean 'gpu'?"),
        (
            "",
            "penstock.toml:1: there is no profile 'gpuu'; it would be a table [profile.gpuu] in ...",
        ),
    ],
)
def test_an_unknown_profile_is_answered_with_the_nearest(
    pipeline: Pipeline, text: str, sentence: str
) -> None:
    with pytest.raises(Misconfigured) as caught:
        plan(pipeline, text, profile="gpuu")
    [told] = caught.value.sentences
    assert told.startswith(sentence.removesuffix("..."))


def test_a_profile_without_a_file_is_refused(pipeline: Pipeline) -> None:
    with pytest.raises(Misconfigured, match="there is no profile 'gpu'; it would be a table"):
        configured(pipeline, {}, profile="gpu")


def test_secrets_are_not_in_the_plan_and_are_found_at_the_start(pipeline: Pipeline, project: Path) -> None:
    (project / "key").write_text("geheim\n")
    found = plan(pipeline, '[config]\nkeys = [{ file = "key" }, { env = "KEY" }]\n')
    assert "geheim" not in repr(found)
    assert revealed(found.config, {"KEY": "x"}) == {"keys": ["geheim", "x"]}
    (project / "key").unlink()
    with pytest.raises(UserError) as caught:
        revealed(found.config, {})
    assert str(caught.value).splitlines() == [
        f"penstock.toml:2: {project}/key cannot be read: No such file or directory",
        "penstock.toml:2: the variable KEY is not set; set it before the start",
    ]


words = st.sampled_from(["a", "b", "c"])
paths = st.lists(words, min_size=1, max_size=3).map(lambda steps: ("config", *steps))


@given(st.lists(st.tuples(paths, st.integers()), max_size=12))
def test_the_last_word_about_anything_counts_whatever_stood_there_before(
    said: list[tuple[tuple[str, ...], int]],
) -> None:
    counting = merged([Entry(path, value, Place("f", 1)) for path, value in said])
    table = nested(list(counting.values()))
    if said:
        found: Any = table
        for step in said[-1][0][1:]:
            found = found[step]
        assert found == said[-1][1]
    for path, each in counting.items():
        assert (path, each.value) in said
        assert not [other for other in counting if other != path and other[: len(path)] == path]
