"""What Penstock brings to an environment, as a folder of wheels: just those that it is pinned to."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.environments import layer

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "wheels"
PYTHONS = {"3.9", "3.10", "3.13", "{}.{}".format(*sys.version_info)}


@pytest.fixture(scope="session")
def needs() -> Path:
    """Fetched once for each pin, and kept: a test has no index, and its wheels have the hashes that count."""
    pins = hashlib.sha256(layer.pinned().encode()).hexdigest()[:12]
    folder = CACHE / "-".join([pins, *sorted(PYTHONS)])
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not folder.exists():
            half = CACHE / f"{folder.name}.half"
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir()
            fetching = [subprocess.Popen(_download(python, half)) for python in PYTHONS]
            assert [each.wait() for each in fetching] == [0] * len(PYTHONS)
            half.rename(folder)
    return folder


def _download(python: str, folder: Path) -> list[str]:
    """As the guide has it for a machine without a network."""
    asked = folder / f"{python}.txt"
    asked.write_text("\n".join(layer.pins(python).values()) + "\n")
    pip = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "-d", str(folder)]
    return [*pip, "--no-deps", "--only-binary=:all:", "--python-version", python, "-r", str(asked)]
