"""A hash of all that an environment is made from: where it is another one, what was locked is stale.

It is of contents in one form: the same for the same, whatever its name, its place on this machine, the order
of its lines and its comments are.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

from penstock.environments import condafile, project, requirementfile
from penstock.environments.spec import CondaFile, ForeignLock, Project, Requirements, Spec
from penstock.errors import BadSpec
from penstock.pipeline.place import near


def digest(spec: Spec) -> str:
    """Of what ``spec`` is made from, as of now: 64 hexadecimal digits.

    Raises:
        BadSpec: a file of it cannot be read, or means nothing.
    """
    return hashed([type(spec).__name__, *_content(spec)])


def hashed(content: Any) -> str:
    """The hash of plain values: 64 hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _content(spec: Spec) -> list[Any]:
    if isinstance(spec, CondaFile):
        return [condafile.read(spec.path, spec.origin).canonical(), sorted(spec.platforms)]
    if isinstance(spec, Requirements):
        return [requirementfile.read(spec.path, spec.origin), _version(spec.python), sorted(spec.platforms)]
    if isinstance(spec, Project):
        found = project.read(spec)
        return [found.tables, found.uv_lock, _version(spec.python), sorted(spec.extras), sorted(spec.groups)]
    if isinstance(spec, ForeignLock):
        return [_file(spec), spec.environment, sorted(spec.platforms)]
    return []  # what exists is not locked


def _version(python: str) -> str:
    """A path is of this machine: what it is may be another version elsewhere, which the lock says."""
    return "" if os.sep in python else python


def _file(spec: ForeignLock) -> str:
    try:
        with open(spec.path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError as error:
        raise BadSpec(
            f"the lock file {near(spec.path)} cannot be read: {error.strerror}", spec.origin
        ) from None
