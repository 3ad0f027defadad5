"""A new environment in ``penstock.toml``."""

from __future__ import annotations

import os
from pathlib import Path

from penstock.cli.init import Occupied
from penstock.config.envs import envs
from penstock.config.file import OURS, nearest_file
from penstock.environments import lock
from penstock.environments.spec import spec_from
from penstock.errors import UserError

LOCKS = ("conda-lock.yml", "conda-lock.yaml", "pixi.lock", "explicit.txt")
EMPTY = "# What it needs, as pip reads it: a line each, like\n# numpy>=2\n"


def write(folder: Path, name: str, file: str | None, python: str) -> list[str]:
    """Add ``[envs.NAME]`` to the nearest file upwards from ``folder``, or to a new one there.

    Args:
        folder: The current one.
        name: Of the environment.
        file: What it is made from, seen from ``folder``; ``None``: a new file of requirements.
        python: The version that it has; empty: that of the supervisor.

    Returns:
        What was done, a line each.

    Raises:
        Occupied: there is one of that name.
        UserError: it could not be read again.
    """
    found = nearest_file(str(folder))
    target = Path(found.path) if found else folder / OURS
    if name in envs(str(folder)).specs:
        raise Occupied(f"there is an environment {name!r} already, in {target.name}")
    said = _said(folder, target.parent, name, file, python)
    spec_from(name, said, lambda _: target.name, str(target.parent))
    header = ".".join((*(found.prefix if found else ()), "envs", lock.key(name)))
    table = "\n".join([f"[{header}]", *(f"{key} = {lock.quoted(value)}" for key, value in said.items())])
    done = [_made(target.parent, said["requirements"])] if file is None else []
    before = target.read_text(encoding="utf-8") if target.exists() else ""
    gap = "\n" if before and not before.endswith("\n\n") else ""
    lock.put(str(target), before + ("" if before.endswith("\n") or not before else "\n") + gap + table + "\n")
    return [*filter(None, done), f"added    [{header}] to {os.path.relpath(target, folder)}"]


def _said(folder: Path, home: Path, name: str, file: str | None, python: str) -> dict[str, str]:
    """The keys of the table; paths in it are seen from ``home``."""
    if file is None:
        return {"requirements": f"envs/{name}.txt", **({"python": python} if python else {})}
    path = folder / file
    if not path.exists():
        raise UserError(f"{file}: there is no such file or folder")
    written = os.path.relpath(path, home)
    kind = _kind(path)
    if kind == "project" and not path.is_dir():
        written = os.path.dirname(written) or "."
    if python and kind in {"conda", "lockfile"}:
        raise UserError(f"the Python of {name} is what {file} says: leave --python out")
    return {kind: written, **({"python": python} if python else {})}


def _kind(path: Path) -> str:
    if path.is_dir():
        return "prefix" if (path / "conda-meta").is_dir() else "project"
    if path.name in LOCKS:
        return "lockfile"
    if path.suffix in {".yml", ".yaml"}:
        return "conda"
    if path.name in {"pyproject.toml", "uv.lock"}:
        return "project"
    return "requirements"


def _made(home: Path, requirements: str) -> str:
    path = home / requirements
    if path.exists():
        return ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(EMPTY, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{requirements} cannot be made: {error.strerror}") from None
    return f"created  {requirements}"
