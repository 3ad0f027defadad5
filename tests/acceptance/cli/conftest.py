from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cli.terminal import APP, LIMIT, Terminal


@pytest.fixture
def terminal(tmp_path: Path, own_runs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal in a directory with the gated app, in which nothing else runs."""
    runs = own_runs / "cli"
    monkeypatch.setenv("PENSTOCK_RUN_DIR", str(runs))
    monkeypatch.delenv("PENSTOCK_STATE_DIR", raising=False)
    terminal = Terminal(tmp_path)
    terminal.write("app.py", APP)
    yield terminal
    for process in terminal.background:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=LIMIT)
