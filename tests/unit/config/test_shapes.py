"""Numbers and times of windows and joins, said outside the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock import Pipeline, WiringError, join, sink, sliding, tumbling
from penstock.config.configuration import Misconfigured, configuration, configured
from penstock.config.listing import listing
from penstock.pipeline.plan import JoinPlan, Plan, WindowPlan
from tests.unit.config import steps

FILE = """\
[stages.tens]
count = 20

[stages.pairs]
within = "3s"
"""


@sink
def keep(pair: object) -> None: ...


@pytest.fixture
def shaped(project: Path) -> Pipeline:
    tens = steps.camera >> tumbling(count=10, time="5s", by="user", name="tens")
    some = tens >> sliding(count=4, step=2, name="some")
    both = join(some, steps.detect, on="id", within="1s", name="pairs")
    pipeline = Pipeline("shaped", both >> keep)
    pipeline.connect(steps.camera, steps.detect)
    pipeline.file = str(project / "app.py")
    return pipeline


def plan(pipeline: Pipeline, *flags: str, **environ: str) -> Plan:
    Path("penstock.toml").write_text(FILE)
    return configured(pipeline, environ, flags=flags)


def mistakes(pipeline: Pipeline, *flags: str) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        plan(pipeline, *flags)
    return list(caught.value.sentences)


def test_each_layer_counts_more_than_the_one_below_it_and_the_rest_stays_as_the_code_has_it(
    shaped: Pipeline,
) -> None:
    found = plan(shaped, "some.step=3", "some.count=8", PENSTOCK_STAGES__TENS__TIME="7s")
    assert found.stage("tens").shape == WindowPlan(count=20, time=7.0, by="user")
    assert found.stage("some").shape == WindowPlan(count=8, step=3)
    assert found.stage("pairs").shape == JoinPlan(["id", "id"], 3.0)
    assert shaped.plan().stage("tens").shape == WindowPlan(count=10, time=5.0, by="user")


def test_what_is_wrong_is_told_at_once_each_with_its_place(shaped: Pipeline) -> None:
    assert mistakes(
        shaped,
        "tens.cuont=3",
        "tens.count=none",
        "tens.time=5",
        "some.step=1s",
        "pairs.within=0s",
        "pairs.on=x",
    ) == [
        "--set: tens: there is no knob 'cuont'; did you mean 'count'?",
        "--set: tens: count='none': must be a whole number, 1 or more",
        (
            "--set: tens: time=5: 5 is not a time; write it with a unit, like '250ms', '30s', '5m' or '2h'; "
            "did you mean '5s'?"
        ),
        "--set: some: step='1s': must be a whole number, 1 or more",
        "--set: pairs: within='0s': must be more than no time",
        "--set: pairs: there is no knob 'on'",
    ]


def test_what_does_not_go_together_is_refused_where_it_was_said(shaped: Pipeline) -> None:
    with pytest.raises(WiringError, match=r"^--set: sliding\(step=9\): is more than a window"):
        plan(shaped, "some.step=9")


def test_they_are_listed_with_where_they_were_said(shaped: Pipeline) -> None:
    Path("penstock.toml").write_text(FILE)
    found = {
        ".".join(row.path[1:]): (row.value, row.origin)
        for row in listing(shaped, configuration(shaped, {}, flags=["tens.limit=50"]))
    }
    assert found["tens.count"] == (20, "penstock.toml:2")
    assert found["pairs.within"] == ("3s", "penstock.toml:5")
    assert found["tens.limit"] == (50, "--set")
    assert found["some.limit"] == (100_000, "default")
    assert found["some.step"][0] == 2
    assert "test_shapes.py:" in found["some.step"][1]
    assert "some.time" not in found
