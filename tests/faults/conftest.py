"""A rig for each test: a place on /dev/shm of its own, and a last look that nothing is left there."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.rig import NAMESPACE, Rig


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="pf-", dir=memory) as base:
        monkeypatch.setenv("PENSTOCK_RUN_DIR", base)
        rig = Rig(desk=tmp_path, base=Path(base))
        yield rig
        rig.close()


@pytest.fixture
def namespace() -> None:
    """Mounts that only one run sees; a container may forbid them."""
    done = subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False)
    if done.returncode and os.environ.get("CI") != "true":
        pytest.skip("no mount namespace can be made here")
