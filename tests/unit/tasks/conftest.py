"""A store of its own for each test that submits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.tasks.client import Client, client


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Where what the test submits is kept."""
    monkeypatch.setenv("PENSTOCK_JOBS", str(tmp_path / "jobs.db"))
    found = client(str(tmp_path))
    yield found
    found.close()
