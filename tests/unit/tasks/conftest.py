"""A store of its own for each test that submits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.tasks.connect import desk
from penstock.tasks.local import LocalDesk


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalDesk]:
    """Where what the test submits is kept."""
    monkeypatch.setenv("PENSTOCK_JOBS", str(tmp_path / "jobs.db"))
    found = desk(str(tmp_path))
    assert isinstance(found, LocalDesk)
    yield found
    found.close()
