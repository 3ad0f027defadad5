"""Where the jobs of a test's ``APP`` are run: over a file, and over a broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokered import broker_desk
from tests.jobs import Desk, desk


@pytest.fixture(params=["sqlite", "rabbitmq"])
def jobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """A desk; the app is what the test's module calls so."""
    app: str = request.module.APP
    if request.param == "sqlite":
        with desk(tmp_path, app) as found:
            yield found
    else:
        with broker_desk(tmp_path, app, request.getfixturevalue("broker")) as brokered:
            yield brokered
