from __future__ import annotations

from pathlib import Path

import pytest

from penstock import Pipeline
from tests.unit.config import steps


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to write a configuration into; it is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def pipeline(project: Path) -> Pipeline:
    """A pipeline that is declared in that directory."""
    pipeline = Pipeline("demo", steps.camera >> steps.detect >> steps.save)
    pipeline.file = str(project / "app.py")
    return pipeline
