from __future__ import annotations

import pytest

from penstock import task
from penstock.errors import WiringError
from penstock.tasks.plan import groups


@task(group="gpu", env="torch")
def train() -> None: ...


@task(group="gpu")
def score() -> None: ...


@task(group="gpu", env="jax")
def compare() -> None: ...


def test_a_group_runs_in_the_environment_that_its_tasks_say() -> None:
    [gpu] = groups([train, score])
    assert gpu.env == "torch"


def test_what_is_said_of_the_group_counts_more() -> None:
    [by_name] = groups([train], {"gpu": {"env": "jax"}})
    [by_path] = groups([train], {"gpu": {"interpreter": "/opt/python"}})
    assert (by_name.env, by_name.interpreter) == ("jax", None)
    assert (by_path.env, by_path.interpreter) == (None, "/opt/python")


def test_two_environments_in_one_group_are_refused() -> None:
    with pytest.raises(
        WiringError, match=r"says env='torch', and 'compare' of the same group 'gpu' says 'jax'"
    ):
        groups([compare, train])
