"""The app's code as trees of files, by what is in them: what a host that joins must have.

The first tree is the folder of the app's file; more are there where stages come from elsewhere. Code is what
is named as code and configuration are (``SUFFIXES``): what a pipeline reads and writes often lies beside it,
and changes while it is fetched. Names that begin with a dot are left out. No link leads out of a tree.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import TypeVar

import msgspec

from penstock.errors import UserError
from penstock.pipeline.plan import Plan
from penstock.pipeline.reference import Reference
from penstock.runtime.hostwire import PART, Manifest

MOST_FILES = 5000
MOST_BYTES = 64 * 2**20
LEFT_OUT = frozenset(("__pycache__", "node_modules"))
SUFFIXES = (".py", ".pyi", ".so", ".toml", ".lock", ".yml", ".yaml", ".cfg", ".ini", ".json", ".txt")

T = TypeVar("T")


def trees(plan: Plan, folder: str) -> list[str]:
    """The folders that hold the code of a plan: ``folder`` first, then those of others that it does not
    hold."""
    found = [os.path.realpath(folder)]
    for root in sorted({each.root for each in references(plan)} - {""}):
        real = os.path.realpath(root)
        if not any(_holds(tree, real) for tree in found):
            found.append(real)
    return found


def references(value: object) -> Iterator[Reference]:
    """All references in a plan or an assignment."""
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            if name != "config":  # the user's own
                yield from references(getattr(value, name))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from references(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from references(each)


def moved(value: T, before: list[str], after: list[str]) -> T:
    """``value`` with all references to code in the trees ``before`` leading to those ``after``."""
    found: object = value
    if isinstance(value, Reference):
        found = msgspec.structs.replace(value, root=_moved(value.root, before, after))
    elif isinstance(value, msgspec.Struct):
        fields = {name: getattr(value, name) for name in value.__struct_fields__ if name != "config"}
        new = {name: moved(each, before, after) for name, each in fields.items()}
        changed = {name: each for name, each in new.items() if each is not fields[name]}
        found = msgspec.structs.replace(value, **changed) if changed else value
    elif isinstance(value, list):
        found = [moved(each, before, after) for each in value]
    elif isinstance(value, dict):
        found = {key: moved(each, before, after) for key, each in value.items()}
    return found  # type: ignore[return-value]


def _moved(root: str, before: list[str], after: list[str]) -> str:
    real = os.path.realpath(root) if root else ""
    for old, new in zip(before, after, strict=True):
        if root and _holds(old, real):
            return os.path.normpath(os.path.join(new, os.path.relpath(real, old)))
    return root


def _holds(tree: str, path: str) -> bool:
    return path == tree or path.startswith(tree.rstrip(os.sep) + os.sep)


def survey(folders: Iterable[str]) -> Manifest:
    """What is in these trees now.

    Raises:
        UserError: too much for code.
    """
    files: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for number, folder in enumerate(folders):
        for path in _files(folder):
            name = f"{number}/{os.path.relpath(path, folder)}"
            sizes[name] = os.path.getsize(path)
            if len(sizes) > MOST_FILES or sum(sizes.values()) > MOST_BYTES:
                raise UserError(
                    f"{folder} holds more than {MOST_FILES:,} files or {MOST_BYTES >> 20} MiB, which is more"
                    " than the code of an app that others join; keep data in another folder"
                )
            files[name] = digest(path)
    return Manifest(files, sizes)


def _files(folder: str) -> Iterator[str]:
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each not in LEFT_OUT)
        for name in sorted(names):
            path = os.path.join(here, name)
            is_code = name.endswith(SUFFIXES) and not name.startswith(".") and os.path.isfile(path)
            if is_code and _holds(folder, os.path.realpath(path)):
                yield path


def digest(path: str) -> str:
    """SHA-256 of a file, in hex.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def part(trees: list[str], name: str, at: int) -> bytes:
    """What a path of a manifest holds from byte ``at`` on; nothing where it is not there any more: whoever
    fetches it sees that what it has is not what it should be."""
    number, _, path = name.partition("/")
    try:
        with open(os.path.join(trees[int(number)], path), "rb") as file:
            file.seek(at)
            return file.read(PART)
    except OSError:
        return b""


def checked(manifest: Manifest) -> Manifest:
    """A manifest that came by wire, if nothing in it could do harm.

    Raises:
        UserError: a path leads out of its tree, or there is too much.
    """
    sizes = manifest.sizes
    if len(sizes) > MOST_FILES or sum(sizes.values()) > MOST_BYTES or sizes.keys() != manifest.files.keys():
        raise UserError("the code that was offered is too much for that of an app")
    for name, sha in manifest.files.items():
        path = PurePosixPath(name)
        plain = len(path.parts) > 1 and path.parts[0].isdigit() and str(path) == name and "\0" not in name
        if not plain or ".." in path.parts or len(sha) != 64 or not set(sha) <= set("0123456789abcdef"):
            raise UserError(f"the code that was offered has a file {name[:80]!r}, which cannot be")
        if sizes[name] < 0:
            raise UserError(f"the code that was offered has a file {name[:80]!r} of {sizes[name]} bytes")
    return manifest


def key(manifest: Manifest) -> str:
    """What names these very trees: a hash of all names and contents."""
    lines = "".join(f"{sha} {name}\n" for name, sha in sorted(manifest.files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
