from __future__ import annotations

import subprocess
import sys

import pytest

import penstock


@pytest.mark.parametrize("name", penstock.__all__)
def test_every_name_of_the_package_is_there(name: str) -> None:
    assert getattr(penstock, name) is not None
    assert name in dir(penstock)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'stagee'"):
        penstock.stagee  # noqa: B018


def test_importing_the_package_costs_next_to_nothing() -> None:
    code = "import sys, penstock; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.startswith("penstock")} == {"penstock", "penstock.errors"}
    assert not loaded & {"msgspec", "zmq", "numpy", "click", "inspect", "dataclasses", "asyncio"}
