"""Which Python was found for what was asked, and what it said of itself: each costs a process, every time.

It is believed for as long as the file of that interpreter is the same, and the same is asked where the same
is looked for. A newer one beside it changes nothing: what is locked and built is there already.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping

import msgspec

from penstock.environments import interpreters
from penstock.environments.interpreters import Probe

_WHERE = ("PATH", "PYENV_ROOT", "HOME", "UV_PYTHON_INSTALL_DIR", "UV_PYTHON_PREFERENCE", "LD_LIBRARY_PATH")
"""Variables that decide which one is found, and what it is."""


class _Known(msgspec.Struct, frozen=True):
    python: str
    marks: list[list[int]]
    probe: Probe


def python(request: str, environ: Mapping[str, str], folder: str) -> tuple[str, Probe]:
    """The path of a Python, and what it says of itself; ``request`` as of ``interpreters.find``.

    Args:
        request: Which.
        environ: Usually ``os.environ``.
        folder: Where it is remembered.

    Raises:
        EnvironmentFault: there is none, or no worker can run under it.
    """
    asked = json.dumps([request, sys.executable, *(environ.get(name) for name in _WHERE)])
    path = os.path.join(folder, hashlib.sha256(asked.encode()).hexdigest()[:16])
    known = _read(path)
    if known is not None:
        return known.python, known.probe
    found = interpreters.find(request, environ)
    probe = interpreters.probe(found, environ)
    interpreters.refuse_unfit(found, probe)
    with contextlib.suppress(OSError):  # a cache that is only read
        _write(path, _Known(found, _marks(found), probe))
    return found, probe


def _read(path: str) -> _Known | None:
    try:
        with open(path, "rb") as file:
            known = msgspec.json.decode(file.read(), type=_Known)
        return known if known.marks == _marks(known.python) else None
    except (OSError, msgspec.DecodeError):
        return None


def _write(path: str, known: _Known) -> None:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(path), delete=False) as file:
        file.write(msgspec.json.encode(known))
    os.replace(file.name, path)


def _marks(python: str) -> list[list[int]]:
    """By which another file in its place is seen: of the interpreter, and of what makes it a virtual one."""
    beside = os.path.join(os.path.dirname(os.path.dirname(python)), "pyvenv.cfg")
    found = [os.stat(each) for each in (python, beside) if each == python or os.path.exists(each)]
    return [[each.st_dev, each.st_ino, each.st_size, each.st_mtime_ns] for each in found]
