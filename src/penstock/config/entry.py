"""One thing that is said: a path, a value, and where it was said. Files, variables and flags become these.

("stages", "detect", "replicas")            a knob
("stages", "detect", "variables", "LEVEL")  one of a knob that is a table: the others stay as they are
("config", "model", "name")                 a setting of the user's own
"""

from __future__ import annotations

import datetime
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from penstock.errors import UserError
from penstock.pipeline.nearest import nearest
from penstock.pipeline.place import Place
from penstock.pipeline.secret import Secret

Path = tuple[str, ...]

PREFIX = "PENSTOCK_"
TABLES = ("stages", "config")
"""What a profile, a variable and a flag can say something about."""
FORM = re.compile(r"([^=]+\.[^=.]+)=(.*)", re.DOTALL)


class Said(Place):
    """A place that is no line of a file: a flag or a variable. Paths in it are seen from where we are."""

    __slots__ = ()

    def __str__(self) -> str:
        return self.file

    @property
    def directory(self) -> str:
        """The current directory."""
        return os.getcwd()


class Entry(NamedTuple):
    """One thing that is said."""

    path: Path
    value: Any
    place: Place


FLAG = Said("--set", 0)


def from_flags(texts: Sequence[str], mistakes: list[str]) -> list[Entry]:
    """Of ``--set detect.replicas=2`` and ``--set config.threshold=0.5``."""
    entries: list[Entry] = []
    for text in texts:
        found = FORM.fullmatch(text)
        if found is None:
            mistakes.append(
                f"--set {text}: write STAGE.KNOB=VALUE, like detect.replicas=2, or config.NAME=VALUE"
            )
        else:
            path = _flag_path(found[1])
            entries += flattened(path, _value(path, found[2]), partial(_everywhere, FLAG))
    return entries


def _flag_path(word: str) -> Path:
    """``detect.replicas``, the same behind ``stages.``, ``detect.variables.LEVEL``, ``config.model.name``."""
    if word.startswith("config."):
        return tuple(word.split("."))
    knob, _, variable = word.partition(".variables.")
    if variable:
        return "stages", knob.removeprefix("stages."), "variables", variable
    stage, _, knob = word.removeprefix("stages.").rpartition(".")  # the name of a stage may have dots
    return "stages", stage, knob


def from_variables(
    environ: Mapping[str, str], stages: Sequence[str], settings: Sequence[Path], mistakes: list[str]
) -> list[Entry]:
    """Of ``PENSTOCK_STAGES__DETECT__REPLICAS=2`` and ``PENSTOCK_CONFIG__THRESHOLD=0.5``.

    Names of variables are in capitals, so which of the ``stages`` and ``settings`` is meant is decided
    without looking at case and signs; a setting that no file has is written in small letters.
    """
    entries: list[Entry] = []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or "__" not in name or not environ[name]:
            continue  # an empty one counts as not set, as all of ours do
        try:
            path = _variable_path(name, stages, settings)
        except UserError as error:
            mistakes.append(str(error))
        else:
            entries += flattened(path, _value(path, environ[name]), partial(_everywhere, Said(name, 0)))
    return entries


def _variable_path(name: str, stages: Sequence[str], settings: Sequence[Path]) -> Path:
    head, *rest = name.removeprefix(PREFIX).split("__")
    if head.lower() not in TABLES:
        raise UserError(f"penstock does not know the variable {name}{nearest(head.lower(), TABLES)}")
    if not all(rest) or (head.lower() == "stages" and len(rest) < 2):
        raise UserError(
            f"{name}: write it like PENSTOCK_STAGES__DETECT__REPLICAS or PENSTOCK_CONFIG__THRESHOLD"
        )
    if head.lower() == "config":
        return _meant_setting(tuple(rest), settings)
    return "stages", _meant_stage(name, rest[0], stages), rest[1].lower(), *rest[2:]


def _everywhere(place: Place, _: Path) -> Place:
    """All that one flag or variable says has one place."""
    return place


def _value(path: Path, text: str) -> Any:
    """As ``value_of``; a variable of a stage's environment is text whatever it looks like, or a secret."""
    value = value_of(text)
    is_variable = path[2:3] == ("variables",) and len(path) > 3
    return text if is_variable and not isinstance(value, (str, dict)) else value


def value_of(text: str) -> Any:
    """What ``text`` is as a TOML value; text that is none is just text: ``30s``, ``steps/model.pt``."""
    try:
        read = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    value = read["value"]
    is_date = isinstance(value, (datetime.date, datetime.time))
    return text if is_date or len(read) > 1 else value


def flattened(path: Path, value: Any, place_of: Callable[[Path], Place]) -> Iterator[Entry]:
    """An entry for each leaf of ``value``: then what is said later replaces leaves, and no whole tables.

    Of a stage only ``variables`` is such a table; any other knob is one value.
    """
    place = place_of(path)
    secret = secret_of(value, place) if path[0] == "config" or path[2:3] == ("variables",) else None
    if secret is not None:
        yield Entry(path, secret, place)
    elif isinstance(value, dict) and value and (path[0] == "config" or path[2:] == ("variables",)):
        for key, each in value.items():
            yield from flattened((*path, key), each, place_of)
    else:
        yield Entry(path, _with_secrets(value, place) if path[0] == "config" else value, place)


def _with_secrets(value: Any, place: Place) -> Any:
    """A list with the references in it found."""
    if not isinstance(value, list):
        return value
    return [secret_of(each, place) or _with_secrets(each, place) for each in value]


def secret_of(value: Any, place: Place) -> Secret | None:
    """The reference that ``{ env = "NAME" }`` or ``{ file = "path" }`` is, if it is one."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    (kind, name), *_ = value.items()
    if not isinstance(name, str) or not name:
        return None
    if kind == "env":
        return Secret(env=name, where=str(place))
    if kind == "file":
        path = os.path.join(place.directory, os.path.expanduser(name))
        return Secret(file=path, where=str(place))
    return None


def _meant_stage(name: str, word: str, stages: Sequence[str]) -> str:
    meant = [stage for stage in stages if _signless(stage) == _signless(word)]
    if len(meant) > 1:
        raise UserError(f"{name} may mean {' or '.join(meant)}; use --set or penstock.toml for these")
    return meant[0] if meant else word.lower()


def _meant_setting(words: Path, settings: Sequence[Path]) -> Path:
    wanted = [_signless(word) for word in words]
    for path in settings:
        if [_signless(word) for word in path[1 : len(words) + 1]] == wanted:
            return path[: len(words) + 1]
    return ("config", *(word.lower() for word in words))


def _signless(word: str) -> str:
    return re.sub(r"\W", "_", word).upper()
