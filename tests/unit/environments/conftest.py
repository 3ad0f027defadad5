"""A folder of wheels in place of an index, and a place to keep environments in."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from penstock.environments.store import Store
from tests.wheels import wheel


@pytest.fixture
def environ(tmp_path: Path, needs: Path) -> dict[str, str]:
    """uv takes from folders, and nothing else: `alpha` needs `beta`; what workers need is beside them."""
    wheels, nothing = tmp_path / "wheels", tmp_path / "nothing"
    nothing.mkdir()
    wheel(wheels, "alpha", "1.0", requires=["beta>=1"])
    wheel(wheels, "alpha", "2.0", requires=["beta>=1"])
    wheel(wheels, "beta", "1.5")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PYTHON"))}
    return {
        **plain,
        "UV_FIND_LINKS": f"{wheels},{needs}",
        "UV_DEFAULT_INDEX": nothing.as_uri(),
        "UV_CACHE_DIR": str(tmp_path / "uv-cache"),
        "PENSTOCK_CACHE_DIR": str(tmp_path / "cache"),
    }


@pytest.fixture
def store(environ: dict[str, str]) -> Store:
    return Store.of(environ)


@pytest.fixture
def here() -> str:
    """The version that we run on, as a lock has it."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"
