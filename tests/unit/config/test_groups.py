from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from penstock.config.configuration import Misconfigured
from penstock.config.groups import overlays
from penstock.pipeline.secret import Secret


def said(tmp_path: Path, text: str, **environ: str) -> dict[str, dict[str, Any]]:
    (tmp_path / "penstock.toml").write_text(text)
    return overlays(str(tmp_path), environ, ["gpu", "default"])


def test_a_group_has_workers_an_interpreter_variables_and_gpus(tmp_path: Path) -> None:
    text = """
        [group.gpu]
        workers = 2
        interpreter = "env/bin/python"
        gpus = [0, "GPU-5ebe"]
        max_jobs = 100
        max_rss = "1.5GiB"
        start_timeout = "2m"
        variables = { LEVEL = "1", TOKEN = { env = "HUB_TOKEN" } }
    """
    place = f"{tmp_path}/penstock.toml:9"
    assert said(tmp_path, text)["gpu"] == {
        "replicas": 2,
        "interpreter": f"{tmp_path}/env/bin/python",
        "devices": ["0", "GPU-5ebe"],
        "max_jobs": 100,
        "max_rss": 1610612736,
        "start_timeout": 120.0,
        "variables": {"LEVEL": "1"},
        "secrets": {"TOKEN": Secret(env="HUB_TOKEN", where=place)},
    }


def test_what_a_profile_says_counts_where_it_is_chosen(tmp_path: Path) -> None:
    text = """
        [group.gpu]
        workers = 2
        variables = { LEVEL = "1", MODE = "fast" }
        [profile.big.group.gpu]
        workers = 8
        variables = { LEVEL = "2" }
    """
    assert said(tmp_path, text)["gpu"]["replicas"] == 2
    big = said(tmp_path, text, PENSTOCK_PROFILE="big")["gpu"]
    assert (big["replicas"], big["variables"]) == (8, {"LEVEL": "2", "MODE": "fast"})


def test_a_group_of_another_app_or_of_command_lines_is_no_mistake(tmp_path: Path) -> None:
    assert said(tmp_path, "[group.scripts]\nworkers = 2")["scripts"] == {"replicas": 2}


def test_nothing_is_said_where_there_is_no_file(tmp_path: Path) -> None:
    assert overlays(str(tmp_path), {}, ["gpu"]) == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[group.gpu]\nworker = 2", "toml:2: gpu: there is no knob 'worker'; did you mean 'workers'"),
        ("[group.gpu]\nreplicas = 2", "did you mean 'workers'"),
        ("[group.gpu]\nworkers = 0", "workers=0: must be a whole number, 1 or more"),
        ("[group.gqu]\nworkers = 1", "toml:1: no task is of the group 'gqu'; did you mean 'gpu'"),
        ("[group.gpu]\nmax_rss = 100", 'max_rss=100: write a size with its unit, like "4GiB"'),
        ("[group.gpu]\nmax_jobs = 0", "max_jobs=0: must be a whole number, 1 or more"),
        ("[group.gpu]\ngpus = 2", r"gpus=2: must be a list of them as the driver names them"),
        ("[group.gpu]\ngpus = [0, 0]", "one is named twice"),
        ("[group.gpu]\nvariables = { LEVEL = 1 }", 'the value of LEVEL must be text; write "1"'),
        ("[group.gpu]\nstart_timeout = 60", "did you mean '60s'"),
        ("group = 3", r"must be a table, like \[group.gpu\]"),
        ("[group]\ngpu = 3", r"toml:2: must be a table, like \[group.gpu\]"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(Misconfigured, match=sentence):
        said(tmp_path, text)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        said(tmp_path, "[group.gpu]\nworker = 2\nmax_jobs = 0\n[group.gpus]\n")
    assert len(caught.value.sentences) == 3
