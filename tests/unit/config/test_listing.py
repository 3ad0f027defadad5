from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from penstock import Pipeline
from penstock.config.configuration import configuration
from penstock.config.listing import listing, of_groups
from penstock.config.redaction import redacted
from penstock.pipeline.checks import CHECKS, REFUSED
from penstock.pipeline.secret import Secret
from tests.unit.config import steps

FILE = """\
[stages.detect]
replicas = 2
variables = { TOKEN = { env = "TOKEN" } }

[config]
threshold = 0.5
"""


def rows(
    pipeline: Pipeline, environ: dict[str, str] | None = None, *flags: str
) -> dict[str, tuple[Any, str]]:
    found = listing(pipeline, configuration(pipeline, environ or {}, flags=flags))
    return {".".join(row.path): (row.value, row.origin) for row in found}


def test_each_value_is_shown_with_where_it_was_said(pipeline: Pipeline) -> None:
    Path("penstock.toml").write_text(FILE)
    found = rows(pipeline, {"PENSTOCK_STAGES__DETECT__WINDOW": "4"}, "detect.start_timeout=2m")
    assert found["stages.detect.replicas"] == (2, "penstock.toml:2")
    assert found["stages.detect.window"] == (4, "PENSTOCK_STAGES__DETECT__WINDOW")
    assert found["stages.detect.start_timeout"] == ("120s", "--set")
    assert found["stages.detect.max_restarts"] == (20, "default")
    assert found["stages.detect.variables.TOKEN"] == ("***", "penstock.toml:3")
    assert found["config.threshold"] == (0.5, "penstock.toml:6")


def test_what_the_decorator_says_has_its_line_even_where_it_says_the_default(pipeline: Pipeline) -> None:
    found = rows(pipeline)
    decorator = f"{steps.__file__}:{Path(steps.__file__).read_text().splitlines().index(DECORATOR) + 1}"
    assert [found[f"stages.detect.{name}"] for name in ("timeout", "max_failures", "variables.MODE")] == [
        (value, found["stages.detect.timeout"][1]) for value in ("5s", 3, "fast")
    ]
    assert decorator.endswith(found["stages.detect.timeout"][1].rpartition("/")[2])


DECORATOR = '@stage(timeout="5s", max_failures=3, variables={"LEVEL": "info", "MODE": "fast"})'


def test_every_knob_that_a_stage_has_is_listed(pipeline: Pipeline) -> None:
    found = rows(pipeline)
    for node in pipeline.nodes:
        for knob in {*CHECKS} - {"name", *REFUSED[node.how]}:
            prefix = f"stages.{node.name}.{knob}"
            assert any(path == prefix or path.startswith(f"{prefix}.") for path in found), prefix


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("password", "geheim", "***"),
        ("API_KEY", "geheim", "***"),
        ("max_tokens", 512, 512),
        ("token", "", ""),
        ("url", "amqp://app:geheim@rabbit:5672/", "amqp://app:***@rabbit:5672/"),
        ("url", "http://host:80/a@b", "http://host:80/a@b"),
        ("db", {"password": "geheim", "host": "h"}, {"password": "***", "host": "h"}),
        ("tokens", ["a", "b"], ["***", "***"]),
        ("x", Secret(env="A"), "***"),
        ("x", [Secret(env="A"), 1], ["***", 1]),
        ("x", None, None),
    ],
)
def test_what_is_likely_to_be_secret_is_not_shown(name: str, value: Any, shown: Any) -> None:
    assert redacted(value, name) == shown


def owner(item: dict[str, str]) -> str:
    """Whose it is."""
    return item["owner"]


def test_code_is_shown_by_its_name() -> None:
    keyed = steps.detect.with_options(key=owner)
    found = rows(Pipeline("demo", steps.camera >> keyed >> steps.save))
    assert found["stages.detect.key"][0] == str(keyed.options.key)


def test_what_is_said_of_groups_is_listed_with_its_line_and_no_secret(tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_text(
        "[group.gpu]\nworkers = 2\nvariables = { A = 'b', TOKEN = { env = 'T' } }\n"
        "[profile.big.group.gpu]\nworkers = 4\n"
    )
    rows = {row.path: row for row in of_groups(str(tmp_path), {}, ["cpu", "gpu"])}
    assert rows["group", "cpu", "workers"][1:] == (1, "default")
    assert rows["group", "gpu", "workers"].value == 2
    assert rows["group", "gpu", "workers"].origin.endswith("penstock.toml:2")
    assert rows["group", "gpu", "variables", "A"].value == "b"
    assert rows["group", "gpu", "variables", "TOKEN"].value == "***"
    (row,) = of_groups(str(tmp_path), {"PENSTOCK_PROFILE": "big"}, [])[-1:]
    assert (row.path, row.value) == (("group", "gpu", "workers"), 4)
    assert row.origin.endswith("penstock.toml:5")
