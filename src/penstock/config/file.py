"""The file: ``penstock.toml``, or ``[tool.penstock]`` in ``pyproject.toml``, in the nearest directory.

The rule is that of uv and ruff: where a directory has both, ``penstock.toml`` counts, whole, and nothing is
merged; a ``pyproject.toml`` without that table is none of ours, and the search goes on above it.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from typing import Any, NamedTuple

from penstock.config.entry import TABLES, Entry, Path, flattened
from penstock.config.lines import lines
from penstock.errors import UserError
from penstock.pipeline.nearest import nearest
from penstock.pipeline.place import Place, near

SCHEMA = 1
KEYS = ("schema", "app", "stages", "config", "tasks", "group", "envs", "profile")
OURS, SHARED = "penstock.toml", "pyproject.toml"


class File(NamedTuple):
    """What one file says."""

    path: str
    table: dict[str, Any]
    prefix: Path
    """Where ``table`` lies in the file: ``("tool", "penstock")`` in a ``pyproject.toml``."""
    lines: dict[Path, int]

    def place(self, *key: str) -> Place:
        """The line of ``key``, or, for one inside an array, of what holds it."""
        whole = (*self.prefix, *key)
        found = next((whole[:end] for end in range(len(whole), 0, -1) if whole[:end] in self.lines), None)
        return Place(self.path, self.lines[found] if found else 1)

    @property
    def app(self) -> str | None:
        """The app file (and pipeline) that is meant where none is named, as an absolute path.

        Raises:
            UserError: it is no text.
        """
        app = self.table.get("app")
        if app is None:
            return None
        if not isinstance(app, str) or not app:
            raise UserError(
                f'{self.place("app")}: app={app!r}: must be a text like "app.py" or "app.py:pipeline"'
            )
        return os.path.join(os.path.dirname(self.path), app)

    @property
    def profiles(self) -> list[str]:
        """Names of its profiles."""
        found = self.table.get("profile", {})
        return list(found) if isinstance(found, dict) else []


def nearest_file(directory: str) -> File | None:
    """The file for what lies in ``directory``: its own, or that of the nearest directory above.

    Raises:
        UserError: it cannot be read, is no TOML, or is somebody else's.
    """
    current = os.path.abspath(directory)
    while True:
        found = _ours(os.path.join(current, OURS)) or _shared(os.path.join(current, SHARED))
        above = os.path.dirname(current)
        if found is not None or above == current:
            return found
        current = above


def _ours(path: str) -> File | None:
    text = _text(path)
    return None if text is None else File(path, _parse(path, text), (), lines(text))


def _shared(path: str) -> File | None:
    text = _text(path)
    if text is None or "penstock" not in text:
        return None
    tool = _parse(path, text).get("tool", {})
    table = tool.get("penstock") if isinstance(tool, dict) else None
    return File(path, table, ("tool", "penstock"), lines(text)) if isinstance(table, dict) else None


def _text(path: str) -> str | None:
    """The content; ``None`` where there is no such file.

    Raises:
        UserError: it cannot be read, or is somebody else's: it says which program runs a stage, so in /tmp
            anybody could lay one down for others.
    """
    try:
        with open(path, encoding="utf-8") as file:
            owner, text = os.fstat(file.fileno()).st_uid, file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UserError(f"{near(path)} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{near(path)} is not text in UTF-8") from None
    if owner not in {0, os.getuid(), os.stat(os.path.dirname(path)).st_uid}:
        raise UserError(f"{near(path)} belongs to another user than its directory and you; it is not trusted")
    return text


def _parse(path: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, line = str(error), re.search(r"line (\d+)", str(error))
        number = int(line[1]) if line else text.count("\n") + 1
        what = re.sub(r" \(at .*\)$", "", what)
        raise UserError(f"{Place(path, number)}: this is not TOML: {what}") from None


# ------------------------------------------------------------------------------------------ what it says


def entries(file: File, profile: str | None, mistakes: list[str]) -> tuple[list[Entry], list[Entry]]:
    """What ``file`` says and then what ``profile`` says; apart from these, what its other profiles say."""
    _check_keys(file, mistakes)
    said = list(_tables(file, (), file.table, mistakes))
    idle: list[Entry] = []
    for name, table in _profiles(file, mistakes):
        if isinstance(table, dict):
            _refuse_strangers(file, ("profile", name), table, (*TABLES, "group"), mistakes)
            found = list(_tables(file, ("profile", name), table, mistakes))
            (said if name == profile else idle).extend(found)
        else:
            mistakes.append(
                f"{file.place('profile', name)}: profile.{name} must be a table: [profile.{name}]"
            )
    return said, idle


def _check_keys(file: File, mistakes: list[str]) -> None:
    _refuse_strangers(file, (), file.table, KEYS, mistakes)
    schema = file.table.get("schema", SCHEMA)
    if schema != SCHEMA or isinstance(schema, bool):
        mistakes.append(
            f"{file.place('schema')}: schema={schema!r}: this penstock reads schema {SCHEMA}; "
            "leave it away, or install a newer penstock"
        )
    try:
        _ = file.app
    except UserError as error:
        mistakes.append(str(error))


def _refuse_strangers(
    file: File, path: Path, table: dict[str, Any], known: tuple[str, ...], mistakes: list[str]
) -> None:
    where = f" in [{'.'.join(path)}]" if path else ""
    mistakes += [
        f"{file.place(*path, key)}: there is no key {key!r}{where}{nearest(key, known)}"
        for key in table
        if key not in known
    ]


def _profiles(file: File, mistakes: list[str]) -> list[tuple[str, Any]]:
    found = file.table.get("profile", {})
    if isinstance(found, dict):
        return list(found.items())
    mistakes.append(f"{file.place('profile')}: profile={found!r}: must be tables, like [profile.gpu]")
    return []


def _tables(file: File, above: Path, table: dict[str, Any], mistakes: list[str]) -> Iterator[Entry]:
    """The entries of ``stages`` and ``config`` in ``table``, which lies at ``above``."""
    for kind in TABLES:
        said = table.get(kind, {})
        if not isinstance(said, dict):
            mistakes.append(f"{file.place(*above, kind)}: {kind}={said!r}: must be a table: [{kind}]")
            continue
        for name, value in said.items():
            if kind == "config":
                yield from flattened(("config", name), value, lambda path: file.place(*above, *path))
            elif isinstance(value, dict):
                for knob, content in value.items():
                    yield from flattened(
                        ("stages", name, knob), content, lambda path: file.place(*above, *path)
                    )
                if not value:
                    yield Entry(("stages", name), None, file.place(*above, "stages", name))
            else:
                mistakes.append(
                    f"{file.place(*above, kind, name)}: stages.{name}={value!r}: must be a table of knobs: "
                    f"[stages.{name}]"
                )
