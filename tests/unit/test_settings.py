from __future__ import annotations

import pytest

from penstock.errors import UserError
from penstock.settings import Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.read({}) == Settings()
    assert Settings.read({"PENSTOCK_RUN_DIR": "", "PENSTOCK_GRACE": ""}) == Settings()


def test_all_that_can_be_set_is_read() -> None:
    environ = {
        "PENSTOCK_RUN_DIR": "/run/p",
        "PENSTOCK_STATE_DIR": "/var/lib/p",
        "PENSTOCK_GRACE": "500ms",
        "PENSTOCK_SHM_BUDGET": "1.5GiB",
    }
    assert Settings.read(environ) == Settings("/run/p", "/var/lib/p", 0.5, 3 * 2**29)


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("PENSTOCK_GRACE", "10", 'PENSTOCK_GRACE=10: write a time with its unit, for example "500ms"'),
        ("PENSTOCK_GRACE", "soon", "write a time"),
        ("PENSTOCK_SHM_BUDGET", "1000", "write a size with its unit"),
        ("PENSTOCK_SHM_BUDGET", "5 apples", "write a size"),
    ],
)
def test_a_value_without_a_unit_is_refused_with_an_example(name: str, value: str, advice: str) -> None:
    with pytest.raises(UserError, match=advice):
        Settings.read({name: value})


def test_a_misspelt_name_is_refused_with_the_right_one() -> None:
    with pytest.raises(UserError, match="PENSTOCK_RUNDIR: did you mean PENSTOCK_RUN_DIR"):
        Settings.read({"PENSTOCK_RUNDIR": "/run/p"})


def test_what_kubernetes_sets_for_a_service_named_penstock_is_left_alone() -> None:
    environ = {
        "PENSTOCK_SERVICE_HOST": "10.0.0.1",
        "PENSTOCK_PORT": "tcp://10.0.0.1:80",
        "PENSTOCK_RUN": "/x",
    }
    assert Settings.read(environ) == Settings()


def test_a_grace_of_nothing_is_nothing() -> None:
    assert Settings.read({"PENSTOCK_GRACE": "0s"}).grace == 0.0
