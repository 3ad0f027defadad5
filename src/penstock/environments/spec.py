"""What ``[envs.NAME]`` says: what an environment is made from. It is read here; its files are not looked at.

[envs.vision]
conda = "envs/vision.yml"           # platforms
[envs.torch]
requirements = "envs/torch.txt"     # python, platforms
[envs.trainer]
project = "trainer/"                # python, extras, groups
[envs.shared]
lockfile = "conda-lock.yml"         # environment, platforms
[envs.lab]
conda_env = "lab"                   # or prefix = "/opt/conda/envs/lab"
[envs.legacy]
python = "/opt/legacy/bin/python"   # or a version: whichever this machine has
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from penstock.environments.platforms import PLATFORMS
from penstock.errors import BadSpec, EnvironmentFault
from penstock.pipeline.nearest import nearest

NAME = re.compile(r"\w[\w.-]{0,63}")
VERSION = re.compile(r"\d+(\.\d+){0,2}|[<>=!~]=?[^/]*")
"""A version, or what is asked of one: ``3``, ``3.13``, ``3.10.13``, ``>=3.9,<3.11``."""


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """What all kinds have."""

    name: str
    """In ``[envs.NAME]``."""
    path: str
    """What it is made from: an absolute path. Links in it stay as they are."""
    origin: str
    """Where it is said: ``penstock.toml:12``."""


class CondaFile(Base, frozen=True, kw_only=True, tag="conda"):
    """An ``environment.yml``."""

    platforms: tuple[str, ...] = ()
    """That it is locked for besides those of the file; where none is said, this machine's."""


class Requirements(Base, frozen=True, kw_only=True, tag="requirements"):
    """A file of requirements as pip reads it."""

    python: str = ""
    """The version that is wanted, or the path of one; empty: that of the supervisor."""
    platforms: tuple[str, ...] = ()
    """That it is locked for; where none is said, this machine's."""


class Project(Base, frozen=True, kw_only=True, tag="project"):
    """A folder with a ``pyproject.toml`` and a ``uv.lock``."""

    python: str = ""
    """As of ``Requirements``."""
    extras: tuple[str, ...] = ()
    """Optional dependencies that belong to it."""
    groups: tuple[str, ...] = ()
    """Dependency groups that belong to it."""


class ForeignLock(Base, frozen=True, kw_only=True, tag="lockfile"):
    """What another tool has locked: ``conda-lock.yml``, ``pixi.lock``, or an explicit list of conda's."""

    platforms: tuple[str, ...] = ()
    """That it is taken over for; where none is said, this machine's."""
    environment: str = ""
    """Which one of a ``pixi.lock``; empty: ``default``."""


class CondaPrefix(Base, frozen=True, kw_only=True, tag="prefix"):
    """A conda environment that exists."""

    conda_env: str = ""
    """Its name, where it is told by that; then there is no ``path``."""


class Interpreter(Base, frozen=True, kw_only=True, tag="python"):
    """A Python that exists."""

    python: str = ""
    """A version, where one of these on this machine is meant; then there is no ``path``."""


Spec = CondaFile | Requirements | Project | ForeignLock | CondaPrefix | Interpreter
EXISTING = (CondaPrefix, Interpreter)
"""What is there already: it is neither locked nor built."""


KINDS: dict[str, type[Base]] = {
    "conda": CondaFile,
    "requirements": Requirements,
    "project": Project,
    "lockfile": ForeignLock,
    "prefix": CondaPrefix,
    "conda_env": CondaPrefix,
}
"""By the key that says what it is made from; ``python`` alone is an ``Interpreter``."""
OPTIONS = {
    "python": (Requirements, Project, Interpreter),
    "platforms": (CondaFile, Requirements, ForeignLock),
    "extras": (Project,),
    "groups": (Project,),
    "environment": (ForeignLock,),
}
SYNONYMS = {
    "conda_lock": "lockfile",
    "conda_prefix": "prefix",
    "environment_yml": "conda",
    "extra": "extras",
    "file": "conda",
    "group": "groups",
    "interpreter": "python",
    "lock": "lockfile",
    "name": "conda_env",
    "pip": "requirements",
    "pixi": "lockfile",
    "pyproject": "project",
    "uv": "project",
    "version": "python",
    "yml": "conda",
}
WHY_NOT = {
    "python": "its Python is what the file says",
    "platforms": "what uv has locked of a project is for all of them",
    "extras": "only a project has extras",
    "groups": "only a project has dependency groups",
    "environment": "only a lock file holds several",
}

Origin = Callable[[str], str]
"""The place of a key of the table, as ``penstock.toml:12``; of the table itself for ``""``."""


def spec_from(name: str, table: Any, origin: Origin, folder: str) -> Spec:
    """What ``[envs.NAME]`` says.

    Args:
        name: Of the environment.
        table: As TOML has it.
        origin: Tells where a key of it is written.
        folder: What paths in it are relative to.

    Raises:
        BadSpec: it is not exactly one kind, or a key or a value is wrong.
    """
    if not NAME.fullmatch(name):
        raise BadSpec(
            f"envs.{name}: a name is made of up to 64 letters, digits, '_', '-' and '.'", origin("")
        )
    if not isinstance(table, dict):
        raise BadSpec(f"envs.{name}={table!r}: must be a table: [envs.{name}]", origin(""))
    for key in table:
        if key not in KINDS and key not in OPTIONS:
            known = SYNONYMS.get(key)
            hint = f"; did you mean {known!r}?" if known else nearest(key, [*KINDS, *OPTIONS])
            raise BadSpec(f"envs.{name}: there is no key {key!r}{hint}", origin(key))
    key = _kind(name, table, origin)
    kind = KINDS.get(key, Interpreter)
    said = {"name": name, "origin": origin(key), "path": ""}
    try:
        for each, value in table.items():
            said.update(_field(kind, each, value, folder))
    except ValueError as error:
        raise BadSpec(f"envs.{name}: {error}", origin(each)) from None
    return kind(**said)  # type: ignore[return-value]  # each of KINDS is one of Spec


def _kind(name: str, table: Mapping[str, Any], origin: Origin) -> str:
    """The key that says what it is made from."""
    found = [key for key in table if key in KINDS]
    if len(found) > 1:
        raise BadSpec(
            f"envs.{name}: {' and '.join(found)} are two environments; leave one of them out",
            origin(found[1]),
        )
    if not found and "python" not in table:
        raise BadSpec(
            f"envs.{name} does not say what it is made from; say one of {', '.join((*KINDS, 'python'))}",
            origin(""),
        )
    return found[0] if found else "python"


def _field(kind: type[Base], key: str, value: Any, folder: str) -> dict[str, Any]:
    """What one key says, as fields of ``kind``."""
    if key in OPTIONS and kind not in OPTIONS[key]:
        raise ValueError(f"{key}={value!r}: {WHY_NOT[key]}")
    if key == "python":
        return _python(kind, value, folder)
    if key in {"platforms", "extras", "groups"}:
        return {key: _names(key, value)}
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key}={value!r}: must be text")
    if key in {"conda_env", "environment"}:
        return {key: value}
    _refuse_misplaced(key, value)
    return {"path": _absolute(value, folder)}


def _python(kind: type[Base], value: Any, folder: str) -> dict[str, Any]:
    if isinstance(value, float):  # 3.10 is the number 3.1
        raise ValueError(f'python={value!r} is a number, and 3.10 is 3.1 there; write python = "3.10"')  # noqa: TRY004
    if not isinstance(value, str) or not value:
        raise ValueError(f'python={value!r}: must be a version like "3.13", or the path of a Python')
    if VERSION.fullmatch(value):
        _refuse_unversioned(value)
        return {"python": value}
    path = _absolute(value, folder)
    return {"path": path} if kind is Interpreter else {"python": path}


def _refuse_unversioned(value: str) -> None:
    """What looks as if it asked for versions, and asks for none that there can be."""
    try:
        SpecifierSet("" if value[0].isdigit() else value)
    except InvalidSpecifier:
        raise ValueError(
            f'python={value!r} is no version; write one like "3.13", or what is asked of one: ">=3.9,<3.11"'
        ) from None


def _names(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise ValueError(f"{key}={value!r}: must be a list of names")
    if key == "platforms":
        for each in value:
            if each not in PLATFORMS:
                raise ValueError(f"there is no platform {each!r}{nearest(each, PLATFORMS)}")
    return tuple(dict.fromkeys(value))


def _refuse_misplaced(key: str, value: str) -> None:
    """What is plainly of another kind."""
    file = os.path.basename(value)
    if file in {"conda-lock.yml", "conda-lock.yaml", "pixi.lock"}:
        meant = "lockfile"
    elif file == "pixi.toml":
        raise ValueError(
            f'{key}={value!r}: what pixi asks for is not solved here; say lockfile = "pixi.lock"'
        )
    elif key == "conda" and file.endswith(".txt"):
        meant = "requirements"
    elif key == "requirements" and file.endswith((".yml", ".yaml")):
        meant = "conda"
    else:
        return
    if meant != key:
        raise ValueError(f'{key}={value!r}: did you mean {meant} = "{value}"?')


def _absolute(value: str, folder: str) -> str:
    """Links are not followed: where a virtual environment's python lies says which packages it has."""
    return os.path.abspath(os.path.join(folder, os.path.expanduser(value)))


@contextmanager
def placed(spec: Spec) -> Iterator[None]:
    """What cannot be had or made is told with the line that asks for it, and that once."""
    try:
        yield
    except EnvironmentFault as error:
        said, place = str(error), f"{spec.origin}: "
        raise type(error)(said if said.startswith(place) else f"{place}envs.{spec.name}: {said}") from None
