"""A folder with a ``pyproject.toml``: what it depends on. Its own code is not installed, but imported."""

from __future__ import annotations

import hashlib
import os
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from penstock.environments import requirementfile, secret
from penstock.environments.spec import Project
from penstock.errors import BadSpec
from penstock.pipeline.nearest import nearest
from penstock.pipeline.place import near

TABLES = ("dependencies", "optional-dependencies", "dynamic", "requires-python")


class Dependencies(NamedTuple):
    """What a project depends on."""

    tables: dict[str, Any]
    """Of its ``pyproject.toml``, those that matter."""
    uv_lock: str
    """What uv has locked of it, as a hash; empty: nothing."""
    requires: str
    """The Pythons that it is for: ``>=3.10``; empty: it does not say."""
    options: tuple[str, ...]
    """Of its indexes and folders of wheels, as a file of requirements has them."""


def read(spec: Project) -> Dependencies:
    """What the project at ``spec.path`` depends on.

    Raises:
        BadSpec: it has no ``pyproject.toml`` that can be read, not the extras and groups asked for, or a
            secret in the address of an index; or it is locked by a workspace that it is a member of.
    """
    file = os.path.join(spec.path, "pyproject.toml")
    table = _toml(file, spec.origin)
    project = _table(table, "project")
    if not project:
        raise BadSpec(f"{near(file)} has no [project], so nobody knows what it depends on", spec.origin)
    for asked, known, what in (
        (spec.extras, _table(project, "optional-dependencies"), "extra"),
        (spec.groups, _table(table, "dependency-groups"), "dependency group"),
    ):
        names = {canonicalize_name(name): name for name in known}
        for name in asked:
            if canonicalize_name(name) not in names:
                raise BadSpec(f"{near(file)} has no {what} {name!r}{nearest(name, known)}", spec.origin)
    tool = _table(_table(table, "tool"), "uv")
    tables = {
        "project": {key: project[key] for key in TABLES if key in project},
        "groups": _table(table, "dependency-groups"),
        "uv": tool,
    }
    uv_lock = _hash(os.path.join(spec.path, "uv.lock"))
    if not uv_lock:
        _refuse_member(spec)
    requires = str(project.get("requires-python", ""))
    options = _options(tool)
    secret.refuse("\n".join(options), near(file))
    for each in options:
        requirementfile.refuse_placed(each.partition(" ")[2], near(file))
    return Dependencies(tables, uv_lock, requires, options)


def refuse_python(spec: Project, requires: str, version: str) -> None:
    """uv would lock for a Python that the project is not for, and say nothing.

    Raises:
        BadSpec: it is not for ``version``.
    """
    try:
        suits = SpecifierSet(requires).contains(version, prereleases=True)
    except InvalidSpecifier:
        raise BadSpec(
            f"requires-python={requires!r} of {near(spec.path)} is no set of versions", spec.origin
        ) from None
    if not suits:
        raise BadSpec(
            f"{near(spec.path)} is for Python {requires}, and this would be {version};"
            f' say python = "..." in [envs.{spec.name}]',
            spec.origin,
        )


def _refuse_member(spec: Project) -> None:
    """uv locks the members of a workspace together, in a folder above them: that would be passed over.

    Raises:
        BadSpec: it is a member of one that is locked.
    """
    here = Path(spec.path)
    for folder in here.parents:
        if (folder / "uv.lock").exists() and (folder / "pyproject.toml").exists():
            uv = _table(_table(_toml(str(folder / "pyproject.toml"), spec.origin), "tool"), "uv")
            members = [str(each).strip("/") for each in _table(uv, "workspace").get("members", [])]
            if any(here in folder.glob(each) for each in members if each):
                raise BadSpec(
                    f"{near(spec.path)} is a member of the workspace {near(str(folder))}, whose uv.lock is"
                    " not read here; write what it says by"
                    " `uv export --package NAME --no-emit-workspace -o NAME.txt`"
                    ' and say requirements = "NAME.txt"',
                    spec.origin,
                )


def _toml(file: str, origin: str) -> dict[str, Any]:
    try:
        with open(file, "rb") as content:
            return tomllib.load(content)
    except tomllib.TOMLDecodeError as error:
        raise BadSpec(f"{near(file)} is not TOML: {error}", origin) from None
    except (OSError, UnicodeDecodeError) as error:
        what = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise BadSpec(f"{near(file)} cannot be read: {what}", origin) from None


def _table(table: dict[str, Any], key: str) -> dict[str, Any]:
    found = table.get(key, {})
    return found if isinstance(found, dict) else {}


def _hash(file: str) -> str:
    try:
        with open(file, "rb") as content:
            return hashlib.sha256(content.read()).hexdigest()
    except OSError:
        return ""


def _options(tool: dict[str, Any]) -> tuple[str, ...]:
    """``[[tool.uv.index]]``, the older ``index-url``, and ``find-links``, where pip looks, too."""
    indexes = [each for each in tool.get("index", []) if isinstance(each, dict) and "url" in each]
    flags = [
        f"{'--index-url' if each.get('default') else '--extra-index-url'} {each['url']}"
        for each in indexes
        if not each.get("explicit")
    ]
    flags += [f"--index-url {tool['index-url']}"] if tool.get("index-url") else []
    flags += [f"--extra-index-url {each}" for each in tool.get("extra-index-url", [])]
    flags += ["--no-index"] if tool.get("no-index") is True else []
    return (*flags, *(f"--find-links {each}" for each in tool.get("find-links", [])))
