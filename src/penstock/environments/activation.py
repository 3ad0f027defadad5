"""What activating a conda environment changes: its scripts run once, and the difference they make is kept.

Packages rely on their scripts (GDAL_DATA, PROJ_DATA, CUDA's paths): a Python that is started without them
finds its libraries and not their data. Run at each start they would cost their time again, in a shell.
"""

from __future__ import annotations

import glob
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from penstock.errors import BuildFailed

SECONDS = 120
"""A script of a package that takes longer waits for something that never comes."""

_OF_SHELLS = {
    "_",
    "SHLVL",
    "PWD",
    "OLDPWD",
    "PS1",
    "PENSTOCK_ACTIVATE",
    "CONDA_SHLVL",
    "CONDA_PROMPT_MODIFIER",
}
_UNSET = "***unset***"
"""In place of a value: conda's word for one that was taken back."""
_RUN = 'eval "$PENSTOCK_ACTIVATE" >&2; exec env -0'
_BASE_PATH = "/usr/local/bin:/usr/bin:/bin"


class _State(msgspec.Struct, frozen=True):
    env_vars: dict[str, str] = {}


class Activation(msgspec.Struct, frozen=True):
    """What differs in the environment variables of a process that runs in it."""

    set: dict[str, str] = {}
    unset: list[str] = []
    path_prepend: list[str] = []
    """Before what ``PATH`` has, the first first."""

    def setting(self, variables: Mapping[str, str]) -> Activation:
        """With ``variables`` over its own, as they are written: no shell reads them."""
        unset = [name for name in self.unset if name not in variables]
        return msgspec.structs.replace(self, set={**self.set, **variables}, unset=unset)

    def applied(self, environ: Mapping[str, str]) -> dict[str, str]:
        """``environ`` with the difference made."""
        found = {**environ, **self.set}
        for name in self.unset:
            found.pop(name, None)
        path = [*self.path_prepend, environ.get("PATH") or os.defpath]
        return {**found, "PATH": os.pathsep.join(path)}


def run(script: str, prefix: str, *, holding: Sequence[int] = ()) -> Activation:
    """Of ``prefix``, by the ``script`` that activates it in bash. ``holding``: as of ``Uv``.

    Raises:
        BuildFailed: there is no bash, or the script fails.
    """
    before = {
        "PATH": _BASE_PATH,
        "HOME": os.environ.get("HOME", "/"),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
    }
    try:
        code, printed, said = _ran({**before, "PENSTOCK_ACTIVATE": script}, holding)
    except OSError as error:
        raise BuildFailed(
            f"an activation script needs bash, which cannot be started: {error.strerror}"
        ) from None
    except subprocess.TimeoutExpired:
        raise BuildFailed(
            f"an activation script of {prefix} does not come to its end within {SECONDS} s"
        ) from None
    if code:
        last = said.decode(errors="replace").strip().splitlines() or [f"exit code {code}"]
        raise BuildFailed(f"an activation script of {prefix} fails: {last[-1]}")
    return difference(before, _parsed(printed), prefix)


def declared(prefix: str) -> dict[str, str]:
    """The variables of ``prefix`` that conda sets as they are written: those of its packages and, over them,
    of ``conda env config vars set``."""
    found: dict[str, str] = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(prefix), "etc", "conda", "env_vars.d", "*.json"))):
        found.update(_decoded(path, dict[str, str]) or {})
    state = _decoded(os.path.join(prefix, "conda-meta", "state"), _State)
    return {**found, **(state.env_vars if state else {})}


def literal(script: str, variables: Mapping[str, str]) -> str:
    """rattler's ``script`` with ``variables`` in quotes that no shell looks into.

    It puts a value with a ``$`` in it into those in which ``$(command)`` is run; conda does not.
    """
    for name, value in variables.items():
        quoted = rf"(\"(?s:.*?)(?<!\\)\"|'{re.escape(_UNSET)}')"
        line = rf"^export {re.escape(name)}={quoted}\n(?=export |\. |\s*\Z)"
        said = f"export {name}={shlex.quote(value)}\n" if value != _UNSET else f"unset {name}\n"
        script = re.sub(line, said.replace("\\", r"\\"), script, flags=re.MULTILINE)
    return script


_Content = TypeVar("_Content")


def _decoded(path: str, kind: type[_Content]) -> _Content | None:
    try:
        with open(path, "rb") as file:
            return msgspec.json.decode(file.read(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None


def _ran(environ: Mapping[str, str], holding: Sequence[int]) -> tuple[int, bytes, bytes]:
    """Exit code, stdout and stderr. Files and no pipes: what it leaves running would keep a pipe open."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-c", _RUN],  # noqa: S607  (wherever this system has it)
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            pass_fds=tuple(holding),
            timeout=SECONDS,
            check=False,
        )
        stdout.seek(0)
        stderr.seek(0)
        return done.returncode, stdout.read(), stderr.read()


def difference(before: Mapping[str, str], after: Mapping[str, str], prefix: str) -> Activation:
    """What has become of ``before``. Of ``PATH`` what leads into ``prefix`` counts, once each."""
    path = [each for each in after.get("PATH", "").split(os.pathsep) if _is_within(each, prefix)]
    names = (set(before) | set(after)) - _OF_SHELLS - {"PATH"}
    return Activation(
        set={
            name: after[name] for name in sorted(names) if name in after and after[name] != before.get(name)
        },
        unset=sorted(name for name in names if name not in after),
        path_prepend=list(dict.fromkeys(path)),
    )


def _is_within(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix.rstrip("/") + "/")


def _parsed(printed: bytes) -> dict[str, str]:
    lines = os.fsdecode(printed).split("\0")
    return dict(each.split("=", 1) for each in lines if "=" in each)
