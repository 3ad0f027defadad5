"""An environment in the words of other tools: for conda, for pip, for a container."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, get_args

from penstock import __version__
from penstock.environments import layer
from penstock.environments.lock import CondaRecord, Locked, Pins
from penstock.errors import UserError

Format = Literal["environment.yml", "explicit", "requirements", "dockerfile"]
FORMATS = get_args(Format)


def export(name: str, locked: Locked, pins: Pins, addresses: dict[str, str], form: Format) -> str:
    """The environment as a file of that form has it.

    Args:
        name: Of the environment.
        locked: What is locked.
        pins: Of it, what is for one platform.
        addresses: Of its channels, by their names in the lock.
        form: ``environment.yml``: versions and builds; ``explicit``: an address a package, with hashes;
            ``requirements``: what uv installs, with what a worker needs beside it, as ``pip download`` reads
            it for a machine without a network; ``dockerfile``: lines that make it in an image.

    Raises:
        UserError: this form has no words for it.
    """
    if form == "environment.yml":
        return "\n".join(_environment_yml(name, locked, pins)) + "\n"
    if form == "explicit":
        return "\n".join(_explicit(name, locked, pins, addresses)) + "\n"
    if form == "requirements":
        return "\n".join(_requirements(locked, pins)) + "\n"
    return "\n".join(_dockerfile(name, locked, pins)) + "\n"


def _environment_yml(name: str, locked: Locked, pins: Pins) -> Iterator[str]:
    yield f"name: {name}"
    yield from _yaml_list("channels", locked.channels or ["conda-forge"])
    yield "dependencies:"
    if pins.conda:
        yield from (f"  - {each.name}={each.version}={each.build}" for each in pins.conda)
    else:
        yield from (f"  - python={locked.python}", "  - pip")
    requirements = list(_pinned(locked.pip))
    if requirements:
        yield "  - pip:"
        yield from (f"      - {_quoted(each)}" for each in requirements)
    if locked.variables:
        yield "variables:"
        yield from (f"  {key}: {_quoted(value)}" for key, value in sorted(locked.variables.items()))


def _explicit(name: str, locked: Locked, pins: Pins, addresses: dict[str, str]) -> Iterator[str]:
    if not pins.conda:
        raise UserError(
            f"{name} has no packages of conda's, and an explicit list has no others; say another --format"
        )
    yield f"# conda create --name {name} --file THIS"
    if locked.pip.strip():
        yield "# What uv installs beside these is not in it: conda has no words for that."
    yield "@EXPLICIT"
    yield from (_address(each, addresses) for each in pins.conda)


def _address(record: CondaRecord, addresses: dict[str, str]) -> str:
    base = addresses.get(record.channel, record.channel).rstrip("/")
    mark = f"#sha256:{record.sha256}" if record.sha256 else f"#{record.md5}" if record.md5 else ""
    return f"{base}/{record.subdir}/{record.fn}{mark}"


def _requirements(locked: Locked, pins: Pins) -> Iterator[str]:
    if pins.conda:
        yield "# What conda brings beside these is not in it: pip has no words for that."
    yield locked.pip.rstrip()
    present = {*re.findall(r"^[\w.-]+", locked.pip, re.MULTILINE), *(each.name for each in pins.conda)}
    yield from (pin for name, pin in layer.pins(locked.python).items() if name not in present)


def _dockerfile(name: str, locked: Locked, pins: Pins) -> Iterator[str]:
    """By Penstock itself, in the image: the same lock, the same environment. What is edited every day comes
    last, so that the environment is not made again for it."""
    extra = "[conda]" if pins.conda else ""
    yield f"# The environment {name!r}: Python {locked.python}, as penstock.lock has it."
    yield "# Behind FROM an image with Python 3.11 or newer, python:3.13-slim for one."
    yield f'RUN pip install "penstock{extra}=={__version__}"'
    if not pins.conda:
        yield f"RUN uv python find {locked.python} || uv python install {locked.python}"
    yield "WORKDIR /app"
    yield "ENV PENSTOCK_CACHE_DIR=/opt/penstock"
    needed = "." if _has_folders(locked) else "penstock.toml penstock.lock"
    yield f"COPY {needed} /app/"
    yield f"RUN penstock env build --frozen {name}"
    if needed != ".":
        yield "COPY . /app/"


def _has_folders(locked: Locked) -> bool:
    """Whether packages are taken from folders beside the project."""
    links = re.findall(r"^--(?:find-links|index-url|extra-index-url)[ =](\S+)", locked.pip, re.MULTILINE)
    folders = [each for each in locked.channels if each.startswith((".", "/"))]
    return bool(folders) or any("://" not in each for each in links)


def _pinned(pip: str) -> Iterator[str]:
    """Requirements without hashes, which conda's files have no place for."""
    for line in pip.replace("\\\n", " ").splitlines():
        bare = re.sub(r"\s--hash=\S+", "", line).strip()
        if bare and not bare.startswith("#"):
            yield bare


def _yaml_list(key: str, values: list[str]) -> Iterator[str]:
    yield f"{key}:"
    yield from (f"  - {_quoted(each)}" for each in values)


def _quoted(text: str) -> str:
    """Text as YAML has it, in quotes where it could be anything else."""
    plain = re.fullmatch(r"[A-Za-z][\w./=+<>~!-]*", text) and text.lower() not in {
        "yes",
        "no",
        "true",
        "false",
        "on",
        "off",
        "null",
    }
    return text if plain else "'" + text.replace("'", "''") + "'"
