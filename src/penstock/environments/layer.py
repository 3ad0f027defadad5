"""What a worker needs besides the user's packages: pyzmq and msgspec, once for each kind of interpreter.

They lie in a folder that a worker puts behind all others on ``sys.path``: so the environment stays as the
user has asked for it, and an interpreter that may not be changed can run a worker, too. Which versions, and
their hashes, is part of this package: ``layer.txt``, which ``make lock`` writes.
"""

from __future__ import annotations

import contextlib
import csv
import glob
import hashlib
import json
import os
import re
from collections.abc import Mapping

from packaging.requirements import Requirement
from packaging.version import Version

from penstock import lockfile
from penstock.environments.interpreters import Probe
from penstock.environments.store import Store, unwritable
from penstock.environments.uv import Uv
from penstock.errors import BuildFailed, SourceAway, Unsatisfiable

MODULES = {"pyzmq": "zmq", "msgspec": "msgspec"}
NEEDS = {"pyzmq": "25", "msgspec": "0.18.6"}
"""The oldest versions that do, as ``runtime.boot`` has them: it is all alone when it looks."""
PINNED = os.path.join(os.path.dirname(__file__), "layer.txt")
"""What is brought: requirements with versions and hashes, as uv reads them."""


def pinned() -> str:
    """What is brought, for whichever Python."""
    with open(PINNED, encoding="utf-8") as file:
        return file.read()


def pins(python: str) -> dict[str, str]:
    """What is brought to a Python ``3.9``, by name; each with its hashes, and for no other one."""
    found = {}
    for entry in re.findall(r"^\w(?:.*\\\n)*.*", pinned(), re.MULTILINE):
        said, _, hashes = entry.partition("\\")
        asked = Requirement(said)
        if asked.marker is None or asked.marker.evaluate({"python_full_version": f"{python}.0"}):
            found[asked.name] = f"{asked.name}{asked.specifier} \\{hashes}"
    return found


def lacking(found: Probe) -> list[str]:
    """The requirements that an interpreter does not meet by itself: ``pyzmq>=25``."""
    versions = {name: found.packages.get(name) for name in NEEDS}
    return [
        f"{name}>={least}" for name, least in NEEDS.items() if Version(versions[name] or "0") < Version(least)
    ]


def outdated(found: Probe) -> list[str]:
    """The modules that an interpreter has in a version that is too old."""
    short = {requirement.partition(">=")[0] for requirement in lacking(found)}
    return [module for name, module in MODULES.items() if name in short and found.packages.get(name)]


def layer(store: Store, python: str, found: Probe, *, environ: Mapping[str, str], offline: bool) -> str:
    """The folder that brings what ``python`` lacks, made where it is not there; empty: it lacks nothing.

    Raises:
        SourceAway: it is not there, and the packages cannot be had now.
        BuildFailed: they cannot be installed.
    """
    if not lacking(found):
        return ""
    path = os.path.join(store.layers, _name(found, pinned()))
    return path if _is_whole(path) else _made(store, path, python, environ=environ, offline=offline)


def use(path: str) -> int | None:
    """Keep the layer at ``path`` from being removed; the descriptor that does so; ``None``: it has gone."""
    try:
        fd = lockfile.take(f"{path}.uses", shared=True)
    except OSError:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)  # it has no lock, and we may make none
    if not os.path.isdir(path):
        lockfile.give_back(fd)
        return None
    with contextlib.suppress(OSError):  # a cache that is only read
        os.utime(f"{path}.uses")
    return fd


def used(store: Store) -> dict[str, float]:
    """The layers that are there, and when somebody has last used each, in seconds since 1970."""
    found = {}
    with contextlib.suppress(OSError):
        for each in os.scandir(store.layers):
            if each.is_dir():
                mark = f"{each.path}.uses"
                found[each.path] = os.stat(mark if os.path.exists(mark) else each.path).st_mtime
    return found


def remove(store: Store, path: str) -> bool:
    """Remove a layer, unless somebody makes or uses it; whether it has gone.

    Raises:
        BuildFailed: nothing can be removed here.
    """
    try:
        held = lockfile.take(f"{path}.uses", wait=False)
    except BlockingIOError:
        return False
    except OSError as error:
        raise unwritable(store.root, error) from None
    try:
        with store.scratch() as scratch:
            os.rename(path, os.path.join(scratch, "old"))  # whole or gone, whenever we are killed
    except FileNotFoundError:
        return False
    except OSError as error:
        raise unwritable(store.root, error) from None
    finally:
        os.close(held)
    return True


def is_used(path: str) -> bool:
    """Whether somebody makes or uses the layer at ``path`` now."""
    try:
        os.close(lockfile.take(f"{path}.uses", wait=False))
    except BlockingIOError:
        return True
    except OSError:  # only read: nobody can hold it
        pass
    return False


def _is_whole(folder: str) -> bool:
    """Whether all files are there that were installed: whoever sweeps caches by age may have left half."""
    records = [
        glob.glob(os.path.join(glob.escape(folder), f"{name}-*.dist-info", "RECORD")) for name in NEEDS
    ]
    return all(found and _has_all(folder, found[0]) for found in records)


def _has_all(folder: str, record: str) -> bool:
    with open(record, encoding="utf-8", newline="") as file:
        return all(os.path.exists(os.path.join(folder, row[0])) for row in csv.reader(file) if row)


def _name(found: Probe, brought: str) -> str:
    text = json.dumps([brought, found.tag, found.soabi, found.platform])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _made(store: Store, path: str, python: str, *, environ: Mapping[str, str], offline: bool) -> str:
    try:
        os.makedirs(store.layers, mode=0o700, exist_ok=True)
        held = lockfile.take(f"{path}.lock")
    except OSError as error:
        raise unwritable(store.root, error) from None
    try:
        if not _is_whole(path):
            with store.scratch() as scratch:
                target = os.path.join(scratch, "layer")
                _install(Uv(environ, offline=offline), python, scratch, target)
                if os.path.exists(path):
                    os.rename(path, os.path.join(scratch, "half"))
                os.rename(target, path)  # nothing in it knows where it lies
    finally:
        os.close(held)
    return path


def _install(uv: Uv, python: str, scratch: str, target: str) -> None:
    """In a folder of ours: what the pyproject.toml of our directory tells uv is for the user's packages."""
    try:
        uv.install(python, pinned(), folder=scratch, target=target)
    except (Unsatisfiable, BuildFailed) as error:
        kind = SourceAway if isinstance(error, Unsatisfiable) else type(error)  # so an index does not have it
        raise kind(
            f"{python} lacks pyzmq or msgspec, which a worker needs, and they cannot be brought; ask for both"
            f" in its environment, if you have others than these: {error}"
        ) from None
