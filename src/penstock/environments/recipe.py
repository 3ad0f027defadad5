"""What is to be built, and the key under which it is kept: the same for the same, whoever asks."""

from __future__ import annotations

import hashlib
import json

import msgspec

from penstock.environments.interpreters import Probe
from penstock.environments.lock import CondaRecord, Kind, Locked, Pins

VERSION = 2
"""Of how environments are built: with another, none of those that are there is taken."""

_MADE_BY = ("--no-binary", "--only-binary")


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How one environment is made on one platform."""

    key: str
    """16 hexadecimal digits."""
    kind: Kind
    python: str
    """The version that it has: ``3.9``."""
    base: str = ""
    """The interpreter that a virtual environment is made of; empty: conda's packages bring one."""
    conda: list[CondaRecord] = []
    channels: list[str] = []
    """Of those records, as the lock names them."""
    file: str = ""
    """The ``environment.yml``, if it is one: a token that stands there in clear is not in the lock."""
    pip: str = ""
    """Requirements with versions and hashes, as uv reads them."""
    variables: dict[str, str] = {}
    folder: str
    """What paths of channels and folders of wheels are seen from."""


def recipe(
    locked: Locked,
    pins: Pins,
    *,
    platform: str,
    folder: str,
    file: str = "",
    base: str = "",
    found: Probe | None = None,
) -> Recipe:
    """How ``locked`` is made here.

    Args:
        locked: One environment of the lock file.
        pins: Of it, what is for ``platform``.
        platform: This one.
        folder: Of what it was locked from.
        file: The ``environment.yml``, if it is that.
        base: The interpreter to be used, where conda's packages bring none.
        found: What that says of itself.
    """
    content = {
        "version": VERSION,
        "platform": platform,
        "base": [found.base, found.version, found.soabi] if found else [],
        "conda": sorted(_identity(record) for record in pins.conda),
        "pip": _requirements(locked.pip),
        "variables": locked.variables,
    }
    text = json.dumps(content, sort_keys=True)
    return Recipe(
        key=hashlib.sha256(text.encode()).hexdigest()[:16],
        kind=locked.kind,
        python=locked.python,
        base=base,
        conda=pins.conda,
        channels=locked.channels,
        file=file,
        pip=locked.pip,
        variables=locked.variables,
        folder=folder,
    )


def _identity(record: CondaRecord) -> str:
    return record.sha256 or record.md5 or f"{record.channel}/{record.subdir}/{record.fn}"


def _requirements(pip: str) -> list[str]:
    """What is installed, and whether it is compiled here; from where it is had is another question."""
    lines = pip.replace("\\\n", " ").splitlines()
    counted = [line for line in lines if line.strip() and (line[0] not in "#-" or line.startswith(_MADE_BY))]
    return sorted(" ".join(line.split()) for line in counted)
