"""What the first lines of a worker refuse, run as they are run: by an interpreter, as a file."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from penstock.runtime import boot, control
from penstock.runtime.policy import death


def run_boot(
    *patches: str, parent: int | None = None, keep: tuple[int, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Execute boot.py with lines before it that change the interpreter it finds."""
    code = "\n".join(
        [
            "import sys, os",
            f"sys.argv = ['boot.py', '0', '{os.getpid() if parent is None else parent}']",
            *patches,
            f"names = {{'__name__': '__main__', '__file__': {boot.__file__!r}}}",
            f"exec(compile(open({boot.__file__!r}).read(), {boot.__file__!r}, 'exec'), names)",
        ]
    )
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, pass_fds=keep)


def test_supervisor_and_boot_mean_the_same_exit_code() -> None:
    assert boot.FAULT == death.BOOT_FAULT


def test_a_python_that_is_too_old_says_so_in_one_line() -> None:
    done = run_boot("sys.version_info = (3, 8, 2)", "sys.version = '3.8.2 (default)'")
    assert done.returncode == boot.FAULT
    assert done.stderr == (
        f"PENSTOCK-BOOT-ERROR {sys.executable} is cpython 3.8.2; stages need CPython 3.9 or newer\n"
    )


@pytest.mark.parametrize("package", ["zmq", "msgspec"])
def test_a_package_that_is_missing_is_named_with_the_command_that_installs_it(package: str) -> None:
    missing = f"sys.modules[{package!r}] = None"
    name = "pyzmq" if package == "zmq" else "msgspec"
    done = run_boot(missing)
    assert done.returncode == boot.FAULT
    assert f"has no usable {name}" in done.stderr
    assert f"; say: {sys.executable} -m pip install '{name}>=" in done.stderr
    no_pip = "import importlib.util; importlib.util.find_spec = lambda name: None"
    assert f"; say: uv pip install --python {sys.executable} '{name}>=" in run_boot(missing, no_pip).stderr
    in_layer = run_boot(missing, "os.environ['PENSTOCK_LAYER'] = ':/made/layer'").stderr
    assert "say: rm -r /made/layer, and start the run again" in in_layer


def test_a_supervisor_of_another_version_is_refused_in_one_line() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        told = msgspec.msgpack.encode({"type": "assignment", "version": control.VERSION + 1, "stage": [0]})
        ours.sendall(control.LENGTH.pack(len(told)) + told)
        done = run_boot(f"sys.argv[1] = '{theirs.fileno()}'", keep=(theirs.fileno(),))
    assert done.returncode == boot.FAULT
    assert done.stderr.startswith("PENSTOCK-BOOT-ERROR its supervisor speaks version 2 of what passes")
    assert done.stderr.count("\n") == 1


def test_a_package_that_is_too_old_is_named_with_its_version() -> None:
    done = run_boot("import msgspec", "msgspec.__version__ = '0.17.1'")
    assert done.returncode == boot.FAULT
    assert "has msgspec 0.17.1, which is too old" in done.stderr


def test_a_worker_that_is_not_its_supervisors_own_child_does_not_begin() -> None:
    done = run_boot(parent=1)
    assert done.returncode == boot.FAULT
    assert "was started by another program; give the path of the Python itself" in done.stderr


@pytest.mark.parametrize(
    ("version", "numbers"), [("25.1.2", (25, 1, 2)), ("0.18.6rc1", (0, 18, 6)), ("27", (27,)), ("1.b", (1,))]
)
def test_versions_are_compared_as_numbers(version: str, numbers: tuple[int, ...]) -> None:
    assert boot.numbers(version) == numbers


def test_an_old_python_can_read_far_enough_to_say_that_it_is_too_old() -> None:
    ast.parse(Path(boot.__file__).read_text(), feature_version=(3, 6))
