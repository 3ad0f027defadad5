"""What a worker imports: the standard library, pyzmq, msgspec and the light half of penstock, everywhere. And
what a plain pipeline does not import, in any of its processes: each start would wait for it."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.conftest import WorkerPython

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("penstock.cli", "penstock.bench", "penstock.runtime.supervisor", "penstock.runtime.policy")

IMPORTED = """
import json, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
import penstock.runtime.worker.life, penstock.runtime.worker.worker
new = {name: module for name, module in sys.modules.items() if name not in before}
print(json.dumps({name: getattr(module, "__file__", None) or "" for name, module in new.items()}))
"""


def _imported(python: str) -> dict[str, str]:
    """All modules that importing the worker brings in, under that interpreter, and their files."""
    command = [python, "-W", "error", "-c", IMPORTED, str(ROOT / "src")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    found: dict[str, str] = json.loads(answer.stdout)
    return found


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.13"])
def test_a_worker_needs_only_the_standard_library_pyzmq_and_msgspec(
    version: str, worker_python: WorkerPython
) -> None:
    imported = _imported(worker_python(version))
    installed = {name.partition(".")[0] for name, file in imported.items() if "site-packages" in file}
    assert installed == {"zmq", "msgspec"}
    assert {name for name, file in imported.items() if file.startswith(str(ROOT))} >= {
        "penstock.runtime.worker.worker"
    }


@pytest.mark.parametrize("version", ["3.9", "3.13"])
def test_numpy_is_installed_there_but_waits_for_an_array(version: str, worker_python: WorkerPython) -> None:
    python = worker_python(version)
    subprocess.run([python, "-c", "import numpy"], check=True)
    assert "numpy" not in _imported(python)


SENT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import numpy
from penstock.message.codec import Decoder, Encoder, join
value = [{"a": (1, {2})}, numpy.arange(3), numpy.float32(1), b"x" * 2_000_000]
assert len(Decoder().values(join([Encoder(None).encode(value)]))[0]) == 4
print(json.dumps(sorted(sys.modules)))
"""


def test_who_sends_arrays_imports_no_other_library_and_none_of_the_modules_for_them() -> None:
    command = [sys.executable, "-c", SENT, str(ROOT / "src")]
    imported = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    rooms = {f"penstock.message.{name}" for name in ("dataframes", "images", "tables", "tensors")}
    assert not {"pandas", "pyarrow", "PIL", "torch", *rooms} & set(imported)


def test_a_worker_never_sees_the_supervisor_the_command_line_or_asyncio() -> None:
    imported = _imported(sys.executable)
    assert [name for name in imported if name.startswith(HEAVY)] == []
    assert "asyncio" not in imported


def test_all_that_a_worker_imports_is_linted_as_python_3_9() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["per-file-target-version"]
    olds = [alternative for pattern in patterns for alternative in _alternatives(pattern)]
    for name in _imported(sys.executable):
        if name.partition(".")[0] == "penstock":
            path = _source(name)
            assert any(fnmatch(path, old) for old in olds), f"{path} is missing in per-file-target-version"


def _source(module: str) -> str:
    path = Path("src", *module.split("."))
    return str(path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py"))


def _alternatives(pattern: str) -> list[str]:
    """`a/{b,c}.py` as `a/b.py`, `a/c.py`: fnmatch knows no braces."""
    if "{" not in pattern:
        return [pattern]
    before, _, rest = pattern.partition("{")
    inside, _, after = rest.partition("}")
    return [before + choice + after for choice in inside.split(",")]


PLAIN = """
import sys
from penstock import Pipeline, sink, source, stage

def note(process):
    open(process + ".modules", "w").write(" ".join(sys.modules))

@source
def numbers():
    yield 1

@stage
def double(number: int) -> int:
    return 2 * number

@sink
def keep(number: int) -> None:
    note("worker")

if __name__ == "__main__":
    code = Pipeline("plain", numbers >> double >> keep).run()
    note("supervisor")
    raise SystemExit(code)
"""
NEEDLESS = (
    *(
        f"penstock.{room}"
        for room in ("rabbitmq", "sinks", "sources", "testing", "tasks.schema", "tasks.store")
    ),
    *(
        f"penstock.runtime.{who}"
        for who in ("client", "guest", "hosts", "agent", "jobs", "jobwire", "queuewire")
    ),
    *(
        f"penstock.runtime.supervisor.{who}"
        for who in ("archive", "filing", "reception", "reloader", "strays")
    ),
    *(f"penstock.runtime.worker.{who}" for who in ("jobs", "recorder", "returns", "tapper")),
    *("dbm", "difflib", "hashlib", "pathlib", "sqlite3", "statistics", "urllib"),
)
"""Of both: rooms and modules that only some need."""
ELSEWHERE = {
    "worker": (
        "asyncio",
        "penstock.config",
        "penstock.tasks",
        "penstock.pipeline.graph",
        "penstock.message.letter",
    ),
    "supervisor": ("dataclasses", "penstock.message", "zmq"),
}
"""Of one of them: what is the other's."""
MOST = {"worker": 88, "supervisor": 96}
"""Modules of ours. Each costs every start half a millisecond in each process: what few need is imported where
they do."""


def test_a_plain_pipeline_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(PLAIN)
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for process, others in ELSEWHERE.items():
        imported = (tmp_path / f"{process}.modules").read_text().split()
        unwanted = {*NEEDLESS, *others}
        assert not [name for name in imported if any(f"{name}.".startswith(f"{each}.") for each in unwanted)]
        ours = [name for name in imported if name.partition(".")[0] == "penstock"]
        assert len(ours) <= MOST[process], f"{process}: {ours}"
