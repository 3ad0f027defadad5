"""The Pythons of this machine: finding one, asking it what it is, refusing what cannot run a worker."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping

import msgspec
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from penstock.environments.surroundings import scrubbed
from penstock.environments.uv import Uv
from penstock.errors import EnvironmentFault

OLDEST = (3, 9)
"""As ``runtime.boot`` has it, which is all alone when it says so."""
PATIENCE = 20.0
"""Seconds for an interpreter to say what it is; on a cold network disk that can take several."""

# Runs under any Python from 2.7 on: it must be able to say that it is too old.
QUESTION = """\
import json, platform, sys, sysconfig
try:
    from importlib import metadata
except ImportError:
    metadata = None
def version(name):
    try:
        return metadata.version(name)
    except Exception:
        return None
sys.stdout.write("\\n")  # behind what its sitecustomize prints
print(json.dumps({
    "implementation": platform.python_implementation(),
    "version": platform.python_version(),
    "tag": getattr(getattr(sys, "implementation", None), "cache_tag", None) or "",
    "soabi": sysconfig.get_config_var("SOABI") or "",
    "platform": sysconfig.get_platform(),
    "prefix": sys.prefix,
    "base": getattr(sys, "base_prefix", sys.prefix),
    "purelib": sysconfig.get_paths()["purelib"],
    "packages": dict((name, version(name)) for name in ["pyzmq", "msgspec", "numpy"]),
}))
"""


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What an interpreter says of itself."""

    implementation: str
    """``CPython``, ``PyPy``."""
    version: str
    """``3.9.18``"""
    tag: str
    """Of compiled files: ``cpython-39``."""
    soabi: str
    """What extensions must be made for: ``cpython-39-x86_64-linux-gnu``."""
    platform: str
    """``linux-x86_64``"""
    prefix: str
    """Of its environment."""
    base: str
    """Of the installation that a virtual environment was made from; else ``prefix``."""
    purelib: str
    """Its ``site-packages``."""
    packages: dict[str, str | None]
    """Versions of what workers use; ``None``: not there."""

    @property
    def minor(self) -> str:
        """``3.9``"""
        return ".".join(self.version.split(".")[:2])


# ------------------------------------------------------------------------------------------------- finding


def find(request: str, environ: Mapping[str, str]) -> str:
    """The path of a Python; links in it are not followed: a virtual environment is known by its own path.

    Args:
        request: A path, a version (``3.13``), what is asked of one (``>=3.9,<3.11``), or nothing: this one.
        environ: Usually ``os.environ``.

    Raises:
        EnvironmentFault: there is none.
    """
    if os.sep in request:
        return located(request)
    if not request or _is_this(request):
        return sys.executable
    found = Uv(environ).find_python(request, _path(environ))
    if not found:
        raise EnvironmentFault(
            f"there is no Python {request} here; install one (uv python install {_plain(request)}),"
            ' or give the path of one: python = "/path/to/python"'
        )
    return os.path.abspath(found)


def located(path: str) -> str:
    """The absolute path of the program at ``path``, or of that name on ``PATH``.

    Raises:
        EnvironmentFault: there is none, or it cannot be executed.
    """
    found = shutil.which(os.path.expanduser(path))
    if found is None:
        what = "cannot be executed" if os.path.exists(os.path.expanduser(path)) else "does not exist"
        raise EnvironmentFault(f"the interpreter {path} {what}")
    return os.path.abspath(found)


def _is_this(request: str) -> bool:
    """Whether the Python that we run on is one of those that are asked for."""
    wanted = f"=={request}.*" if request[0].isdigit() and request.count(".") < 2 else request
    wanted = f"=={wanted}" if wanted[0].isdigit() else wanted
    return Version("{}.{}.{}".format(*sys.version_info)) in SpecifierSet(wanted)


def _path(environ: Mapping[str, str]) -> str:
    """``PATH`` with pyenv's versions in place of its shims, which exist for versions that are not chosen."""
    listed = environ.get("PATH", os.defpath).split(os.pathsep)
    root = environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    versions = sorted(glob.glob(os.path.join(root, "versions", "*", "bin")), key=_newest, reverse=True)
    return os.pathsep.join([*(each for each in listed if os.path.basename(each) != "shims"), *versions])


def _newest(folder: str) -> tuple[int, ...]:
    name = os.path.basename(os.path.dirname(folder))
    return tuple(int(part) for part in name.split(".") if part.isdigit())


def _plain(request: str) -> str:
    return request if request[0].isdigit() else f"'{request}'"


# ------------------------------------------------------------------------------------------------- asking


def probe(python: str, environ: Mapping[str, str]) -> Probe:
    """What the interpreter at ``python`` says of itself, without what is of ours around it.

    Raises:
        EnvironmentFault: it gives no answer.
    """
    return ask(python, scrubbed(environ))


def ask(python: str, environ: Mapping[str, str]) -> Probe:
    """What the interpreter at ``python`` says of itself, with just that around it.

    Raises:
        EnvironmentFault: it gives no answer.
    """
    command = [python, "-s", "-c", QUESTION]
    try:
        done = subprocess.run(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentFault(f"{python} does not answer within {PATIENCE:.0f} s") from None
    except OSError as error:
        raise EnvironmentFault(f"{python} cannot be started: {error.strerror}") from None
    try:
        return msgspec.json.decode(done.stdout.rstrip().rpartition("\n")[2], type=Probe)
    except msgspec.DecodeError:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise EnvironmentFault(f"{python} is no Python (exit code {done.returncode}: {last})") from None


def is_fit(found: Probe) -> bool:
    """Whether a worker can run under it."""
    version = tuple(int(part) for part in found.version.split(".")[:2])
    return found.implementation == "CPython" and version >= OLDEST


def refuse_unfit(python: str, found: Probe) -> None:
    """Raises:
    EnvironmentFault: no worker can run under it.
    """
    if not is_fit(found):
        oldest = ".".join(map(str, OLDEST))
        raise EnvironmentFault(
            f"{python} is {found.implementation} {found.version}; stages need CPython {oldest} or newer"
        )
