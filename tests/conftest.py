"""What every test may ask for: other interpreters, the long form, and runs of its own."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.channel import conda_channel
from tests.needs import needs
from tests.rabbit import broker, rabbit

__all__ = ["broker", "conda_channel", "needs", "rabbit"]

# A busy machine is slow, not wrong; what it found must be found again.
settings.register_profile(
    "penstock",
    deadline=None,
    print_blob=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("penstock")

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "worker.txt"
CACHE = ROOT / ".cache" / "interpreters"
BUILT = ROOT / ".cache" / "environments"
"""Where the environments of examples are kept from one run of the tests to the next: they take half a
minute to make."""

WorkerPython = Callable[[str], str]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help="run the fault tests in their long forms, and what is marked long"
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are cores: most of the time a test waits for processes."""
    return (3 * len(os.sched_getaffinity(0)) + 1) // 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked ``long``, unless it is asked for."""
    if not config.getoption("--long"):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("long")])
        items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.fixture(scope="session")
def long_form(request: pytest.FixtureRequest) -> bool:
    """True under `make faults`: as many items and kills as the promise names, not a taste of them."""
    return bool(request.config.getoption("--long"))


@pytest.fixture(scope="session", autouse=True)
def own_runs() -> Iterator[Path]:
    """Run directories of the tests lie apart from those of pipelines that run on this machine."""
    memory = Path("/dev/shm")
    base = Path(tempfile.mkdtemp(prefix="pt-", dir=memory if os.access(memory, os.W_OK) else None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PENSTOCK_RUN_DIR", str(base))
        yield base
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="session")
def worker_python() -> WorkerPython:
    """`worker_python("3.9")`: a Python 3.9 with pyzmq, msgspec and numpy, and nothing of this checkout.

    Made once per interpreter and lock, kept under .cache/. Missing interpreters skip the test on a
    desk and fail it where CI=true: there a skipped promise would look like a kept one.
    """

    def find(version: str) -> str:
        return _environment(version, find_interpreter(version))

    return find


def find_interpreter(version: str) -> str:
    """A bare Python of that version, wherever this machine keeps it."""
    interpreter = _interpreter(version)
    if interpreter is None:
        sentence = f"no Python {version} in ~/.pyenv/versions, on PATH or known to uv"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return interpreter


def _interpreter(version: str) -> str | None:
    """The first candidate that says itself that it is that version."""
    ask = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    for path in _candidates(version):
        if path and _say(path, "-c", ask) == version:
            return path
    return None


def _candidates(version: str) -> Iterator[str]:
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    yield from (str(path / "bin" / "python") for path in sorted(pyenv.glob(f"{version}.*"), reverse=True))
    yield shutil.which(f"python{version}") or ""
    yield _say(_uv(), "python", "find", "--system", version)


def _say(*command: str) -> str:
    """What a command prints, stripped; nothing when it cannot be run or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _uv() -> str:
    beside = Path(sys.executable).parent / "uv"
    return str(beside) if beside.exists() else "uv"


def _environment(version: str, interpreter: str) -> str:
    """The environment of that interpreter and lock, made under a lock so that two test runs can share it."""
    key = hashlib.sha256(LOCK.read_bytes() + interpreter.encode()).hexdigest()[:12]
    home = CACHE / f"{version}-{key}"
    python = str(home / "bin" / "python")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{version}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            # By its own venv and pip: people who need a proxy or a mirror have told pip about it.
            subprocess.run([interpreter, "-m", "venv", str(home)], check=True)
            install = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
            subprocess.run([*install, "--require-hashes", "-r", str(LOCK)], check=True)
            (home / "complete").touch()
    return python
