"""``environment.yml`` as conda reads it (CEP 24), with the line and column of all that is wrong with it.

What a package spec means is for the solver to say; here is what stands where, for which platform, and whether
it can be meant so at all.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from penstock.environments import requirementfile, selector, yamlfile
from penstock.environments.channels import Channel, channel, name_of
from penstock.environments.platforms import PLATFORMS
from penstock.environments.requirementfile import Asked
from penstock.environments.yamlfile import Node
from penstock.errors import BadSpec
from penstock.pipeline.nearest import nearest
from penstock.pipeline.place import Place, near

DEFAULT_CHANNEL = "conda-forge"

_KEYS = ("name", "prefix", "channels", "dependencies", "variables", "platforms", "category")
_IDLE = {
    "prefix": "Penstock chooses where environments lie",
    "category": "all that is listed is installed",
}
_OTHER_WORDS = {
    "dependency": "dependencies",
    "package": "dependencies",
    "packages": "dependencies",
    "requirements": "dependencies",
    "env": "variables",
    "environment": "variables",
    "environment_variables": "variables",
    "platform": "platforms",
}
_COMMENT = re.compile(r"\s#\s*\[([^\]]*)\]\s*$")
_SELECTED = re.compile(r"sel\((.*)\)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAME = re.compile(r"(?:.*::)?\s*([A-Za-z0-9_][A-Za-z0-9_.-]*)")
_EXTRAS = re.compile(r"[\w.-]+\s*\[[^=\]]*\]")


class CondaRequest(msgspec.Struct, frozen=True):
    """What is to be solved for one platform."""

    platform: str
    """As conda says it: ``linux-64``."""
    channels: tuple[Channel, ...]
    """The first that has a package is the only one it is taken from."""
    specs: tuple[str, ...]
    places: tuple[str, ...]
    """``file:line:column`` of each spec."""
    pip: str | None
    """Requirements as pip reads them, a line each; paths in them are relative to the file's folder."""
    variables: Mapping[str, str]


class Written(NamedTuple):
    """One line under ``channels:``."""

    text: str
    place: str


class Dependency(NamedTuple):
    """One line under ``dependencies:``."""

    text: str
    place: str
    selector: str = ""
    """Which platforms it is for; empty: all."""

    @property
    def name(self) -> str:
        """Of the package, in small letters, where that can be seen; else nothing."""
        found = None if "://" in self.text else _NAME.match(self.text)
        return found[1].lower() if found else ""


class Requirement(NamedTuple):
    """One line under ``pip:``."""

    text: str
    place: str
    asked: Asked
    """What it means, with what it includes."""
    selector: str


class EnvironmentFile(NamedTuple):
    """One of them, read."""

    path: str
    channels: tuple[Written, ...]
    dependencies: tuple[Dependency, ...]
    pip: tuple[Requirement, ...]
    variables: dict[str, str]
    platforms: tuple[str, ...]
    """Those it is locked for; none: the one it is locked on."""
    notes: tuple[str, ...]
    """Sentences about what is ignored or added."""

    @property
    def folder(self) -> str:
        """What the paths in it are relative to."""
        return os.path.dirname(os.path.abspath(self.path))

    def sources(self, environ: Mapping[str, str]) -> tuple[Channel, ...]:
        """What its channels are; ``environ`` has the variables that they name.

        Raises:
            BadSpec: a variable is not set.
        """
        found = []
        for each in self.channels:
            try:
                found.append(channel(each.text, self.folder, environ))
            except ValueError as error:
                raise BadSpec(str(error), each.place) from None
        return tuple(dict.fromkeys(found))

    def request(self, platform: str, sources: Sequence[Channel]) -> CondaRequest:
        """What is to be solved for ``platform``. Stages are Python, so ``python`` is always asked for."""
        chosen = [each for each in self.dependencies if selector.applies(each.selector, platform)]
        if not any(each.name == "python" for each in chosen):
            chosen.append(Dependency("python", near(self.path)))
        pip = [each.text for each in self.requirements(platform)]
        return CondaRequest(
            platform=platform,
            channels=tuple(sources),
            specs=tuple(each.text for each in chosen),
            places=tuple(each.place for each in chosen),
            pip="".join(f"{line}\n" for line in pip) if pip else None,
            variables=self.variables,
        )

    def requirements(self, platform: str) -> list[Requirement]:
        """What is asked of pip for ``platform``."""
        return [each for each in self.pip if selector.applies(each.selector, platform)]

    def canonical(self) -> dict[str, Any]:
        """What makes a lock of it stale when it changes: no name, no comment, no secret, no path."""
        return {
            "channels": [name_of(each.text) for each in self.channels],
            "dependencies": sorted([each.text, each.selector] for each in self.dependencies),
            "pip": sorted([*each.asked, each.selector] for each in self.pip),
            "variables": self.variables,
            "platforms": sorted(self.platforms),
        }


def read(path: str, origin: str) -> EnvironmentFile:
    """One of them.

    Args:
        path: Of the file.
        origin: Where it is named: ``penstock.toml:3``.

    Raises:
        BadSpec: there is no such file, or something in it cannot be meant; says where.
    """
    top = yamlfile.read(path, origin)
    notes: list[str] = []
    parts = _parts(top, notes)
    if "dependencies" not in parts:
        top.refuse("there is no 'dependencies:' in it")
    dependencies, pip = _dependencies(parts["dependencies"])
    if not any(each.name == "python" and not each.selector for each in dependencies):
        notes.append(f"{parts['dependencies'].place}: no python is asked for; the newest that fits is taken")
    return EnvironmentFile(
        path=path,
        channels=_channels(parts.get("channels"), path, notes),
        dependencies=tuple(dependencies),
        pip=tuple(pip),
        variables=_variables(parts.get("variables")),
        platforms=_platforms(parts.get("platforms")),
        notes=tuple(notes),
    )


def _parts(top: Node, notes: list[str]) -> dict[str, Node]:
    if not top.is_mapping:
        top.refuse("there must be keys like 'dependencies:' at the top")
    found: dict[str, Node] = {}
    for name, key, value in top.pairs("the file"):
        if name in _KEYS:
            found[name] = value
        else:
            _refuse_slip(name, key)
            notes.append(f"{key.place}: {name!r} is no key of an environment.yml and is ignored")
        if name in _IDLE and not value.is_null:
            notes.append(f"{key.place}: {name!r} is ignored: {_IDLE[name]}")
    return found


def _refuse_slip(name: str, key: Node) -> None:
    """A key that is nearly one of conda's was meant to be it; conda ignores any other, and so do we."""
    meant = _OTHER_WORDS.get(name.lower()) or next(
        iter(difflib.get_close_matches(name.lower(), _KEYS, 1, 0.75)), None
    )
    if meant is not None:
        key.refuse(f"there is no key {name!r}; did you mean {meant!r}?")


# -------------------------------------------------------------------------------------------- dependencies


def _dependencies(node: Node) -> tuple[list[Dependency], list[Requirement]]:
    """Those for conda, and those for pip."""
    conda: list[Dependency] = []
    pip: list[Requirement] | None = None
    for item in node.items("'dependencies'"):
        if item.is_scalar:
            conda.append(_spec(item, _comment_selector(item)))
            continue
        for name, key, value in _section(item):
            if name == "pip":
                if pip is not None:
                    key.refuse("there is a second 'pip:'; write all of it into one")
                pip = [_requirement(each) for each in _pip_lines(value)]
            elif (chosen := _SELECTED.fullmatch(name)) is not None:
                conda += [_spec(each, _understood(chosen[1], key)) for each in _selected(value)]
            elif value.is_scalar:
                meant = f"{name}={value.text('a version')}" if not value.is_null else name
                key.refuse(f"'{name}: ...' is a mapping; write {meant!r}, without a colon")
            else:
                key.refuse(f"there is no section {name!r} under 'dependencies'{nearest(name, ['pip'])}")
    return conda, pip or []


def _section(item: Node) -> Iterator[tuple[str, Node, Node]]:
    if not item.is_mapping:
        item.refuse("expected a package like 'numpy >=1.21', or 'pip:' with a list")
    return item.pairs("a section")


def _selected(value: Node) -> list[Node]:
    return [value] if value.is_scalar else value.items("what is selected")


def _spec(node: Node, chosen: str) -> Dependency:
    text = node.text("a package")
    if not text or node.is_null:
        node.refuse("there is no package behind the '-'")
    if "::" not in text and "://" not in text and _EXTRAS.fullmatch(text):
        node.refuse(
            f"{text!r} has extras, which conda does not know; requirements with extras go under 'pip:'"
        )
    return Dependency(text, node.place, chosen)


def _comment_selector(node: Node) -> str:
    found = _COMMENT.search(node.line)
    return _understood(found[1], node) if found else ""


def _understood(chosen: str, node: Node) -> str:
    """``chosen``, if it can be: a slip is told before anything is solved, for whatever platform."""
    try:
        selector.applies(chosen, PLATFORMS[0])
    except ValueError as error:
        node.refuse(str(error))
    return chosen


# -------------------------------------------------------------------------------------------------- pip


def _pip_lines(node: Node) -> list[Node]:
    if node.is_null:
        return []
    if node.is_scalar:
        node.refuse("'pip:' must be a list; write each requirement on its own line, behind '- '")
    return node.items("'pip'")


def _requirement(node: Node) -> Requirement:
    text = node.text("a requirement")
    if not text or "\n" in text:
        node.refuse("a requirement is one line behind the '-'")
    place = Place(node.path, node.content.start_mark.line + 1)
    try:
        asked = requirementfile.parse(text, place)
    except BadSpec as error:
        if error.where != str(place):  # in a file that it includes
            raise
        node.refuse(str(error).removeprefix(f"{place}: "))
    return Requirement(text, node.place, asked, _comment_selector(node))


# ----------------------------------------------------------------------------------------------- the rest


def _channels(node: Node | None, path: str, notes: list[str]) -> tuple[Written, ...]:
    found: list[Written] = []
    for item in [] if node is None or node.is_null else node.items("'channels'"):
        written = item.text("a channel")
        if written == "nodefaults":
            continue
        try:
            if name_of(written) != written.rstrip("/"):
                notes.append(
                    f"{item.place}: the token stays out of the lock; write ${{TOKEN}}, so others can have one"
                )
        except ValueError as error:
            item.refuse(str(error))
        found.append(Written(written, item.place))
    if not found:
        notes.append(f"{near(path)}: no channel is named; {DEFAULT_CHANNEL} is taken")
        found.append(Written(DEFAULT_CHANNEL, near(path)))
    return tuple(found)


def _variables(node: Node | None) -> dict[str, str]:
    found: dict[str, str] = {}
    if node is None or node.is_null:
        return found
    for name, key, value in node.pairs("'variables'"):
        if not _VARIABLE.fullmatch(name):
            key.refuse(f"{name!r} cannot be the name of an environment variable")
        found[name] = value.text(f"the value of {name}")
        if "\0" in found[name]:
            value.refuse(f"the value of {name} has a zero byte in it")
    return found


def _platforms(node: Node | None) -> tuple[str, ...]:
    found: list[str] = []
    for item in [] if node is None or node.is_null else node.items("'platforms'"):
        name = item.text("a platform")
        if name not in PLATFORMS:
            item.refuse(f"there is no platform {name!r}{nearest(name, PLATFORMS)}")
        found.append(name)
    return tuple(dict.fromkeys(found))
