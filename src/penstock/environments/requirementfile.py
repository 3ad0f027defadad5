"""A file of requirements as pip reads it: what it asks for, with those that it includes, and where.

uv reads the same file itself. It is read here to see what it means, whatever its comments and order are, and
to refuse, with file and line, what could not be locked for others.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from penstock.environments import secret
from penstock.errors import BadSpec
from penstock.pipeline.place import Place, near

INCLUDES = {
    "-r": "requirement",
    "--requirement": "requirement",
    "-c": "constraint",
    "--constraint": "constraint",
}
OPTIONS = {
    "-i": "--index-url",
    "--index-url": "--index-url",
    "--extra-index-url": "--extra-index-url",
    "-f": "--find-links",
    "--find-links": "--find-links",
    "--no-index": "--no-index",
    "--no-binary": "--no-binary",
    "--only-binary": "--only-binary",
}
"""What stays beside the locked requirements, under one name each."""
CHOOSING = ("--pre", "--prefer-binary")
"""What matters while versions are chosen."""
IDLE = ("--trusted-host", "--require-hashes", "--use-feature")
"""What does not matter, as what is locked has hashes."""


class Asked(NamedTuple):
    """What is asked for, in one form and order."""

    requirements: tuple[str, ...]
    constraints: tuple[str, ...]
    options: tuple[str, ...]
    """In their order; paths in them as they are written."""
    hashes: tuple[str, ...] = ()
    """That are said: ``alpha sha256:0a1b...``."""
    choosing: tuple[str, ...] = ()
    """Of ``CHOOSING``, those that are said."""


class _Line(NamedTuple):
    text: str
    place: Place
    is_constraint: bool


def read(path: str, origin: str = "") -> Asked:
    """What the file at ``path`` asks for, which ``origin`` names.

    Raises:
        BadSpec: it cannot be read, or a line of it cannot be locked; says file and line.
    """
    return _asked(_lines(path, is_constraint=False, seen=[], told=origin or near(path)))


def parse(text: str, place: Place) -> Asked:
    """What ``text`` asks for, which begins at ``place``; paths in it are seen from that file's folder.

    Raises:
        BadSpec: as of ``read``.
    """
    return _asked(_split(text, place, is_constraint=False, seen=[place.file]))


def _asked(lines: Iterator[_Line]) -> Asked:
    found: dict[str, list[str]] = {name: [] for name in Asked._fields}
    for line in lines:
        secret.refuse(line.text, str(line.place))
        if line.text.startswith("-"):
            found["choosing" if _flag(line.text)[0] in CHOOSING else "options"] += _option(line)
        else:
            asked = _requirement(line)
            found["constraints" if line.is_constraint else "requirements"].append(asked)
            found["hashes"] += _hashes(line, asked)
    options = tuple(dict.fromkeys(found.pop("options")))
    return Asked(options=options, **{name: tuple(sorted(set(each))) for name, each in found.items()})


# ---------------------------------------------------------------------------------------------------- lines


def _lines(path: str, *, is_constraint: bool, seen: list[str], told: str) -> Iterator[_Line]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        what = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise BadSpec(f"the requirements {near(path)} cannot be read: {what}", told) from None
    yield from _split(text, Place(path, 1), is_constraint=is_constraint, seen=[*seen, path])


def _split(text: str, start: Place, *, is_constraint: bool, seen: list[str]) -> Iterator[_Line]:
    """Logical lines without comments; those of included files in place of what includes them."""
    number, waiting = start.line, ""
    for index, physical in enumerate(text.splitlines()):
        number = number if waiting else start.line + index
        bare = re.sub(r"(^|\s+)#.*$", "", physical).rstrip()
        if bare.endswith("\\"):
            waiting += bare[:-1] + " "
            continue
        whole, waiting = " ".join((waiting + bare).split()), ""
        if whole:
            yield from _included(_Line(whole, Place(start.file, number), is_constraint), seen)
    if waiting.strip():
        yield _Line(" ".join(waiting.split()), Place(start.file, number), is_constraint)


def _included(line: _Line, seen: list[str]) -> Iterator[_Line]:
    flag, value = _flag(line.text)
    if flag not in INCLUDES:
        yield line
        return
    if "://" in value:
        raise BadSpec(
            f"{secret.redacted(line.text)}: what lies elsewhere may change unseen; keep it beside the code",
            str(line.place),
        )
    path = os.path.abspath(os.path.join(line.place.directory, os.path.expanduser(value)))
    if path in seen:
        raise BadSpec(f"{line.text}: the file includes itself", str(line.place))
    is_constraint = line.is_constraint or INCLUDES[flag] == "constraint"
    yield from _lines(path, is_constraint=is_constraint, seen=seen, told=str(line.place))


def _flag(text: str) -> tuple[str, str]:
    """``-r base.txt``, ``-rbase.txt`` and ``--requirement=base.txt`` as flag and value."""
    found = re.match(r"(--[\w-]+|-\w)(?:[ =]\s*|(?<=^-\w)|$)(.*)", text)
    return (found[1], found[2]) if found else ("", "")


# ------------------------------------------------------------------------------------------ what a line is


def _option(line: _Line) -> list[str]:
    flag, value = _flag(line.text)
    if flag in {"-e", "--editable"}:
        raise BadSpec(_local(line.text), str(line.place))
    if flag in OPTIONS:
        refuse_placed(value, str(line.place))
        return [f"{OPTIONS[flag]} {value}".rstrip()]
    if flag in CHOOSING:
        return [flag]
    if flag in IDLE:
        return []
    raise BadSpec(f"{line.text}: uv does not know this option in requirements", str(line.place))


def _requirement(line: _Line) -> str:
    bare = re.sub(r"\s+--[\w-]+[= ]\S+", "", line.text)
    if re.match(r"[./~]|file:", bare) or "file:" in bare:
        raise BadSpec(_local(bare), str(line.place))
    if re.match(r"(\w+\+)?https?://|git\+|hg\+|svn\+|bzr\+", bare):
        return bare
    try:
        return canonical(Requirement(bare))
    except InvalidRequirement as error:
        what = str(error).splitlines()[0]
        hint = "; conda's single '=' is '==' here" if re.search(r"[\w\]]\s*=[\d.*]", bare) else ""
        raise BadSpec(f"{bare!r} is not a requirement: {what}{hint}", str(line.place)) from None


def _hashes(line: _Line, asked: str) -> list[str]:
    """Those that are said of what is ``asked``, each behind its name."""
    name = canonicalize_name(re.split(r"[^\w.-]", asked, maxsplit=1)[0])
    return [f"{name} {each}" for each in re.findall(r"\s--hash[= ](\S+)", line.text)]


def refuse_placed(value: str, where: str) -> None:
    """An index or a folder of wheels that only this machine has would be locked for others.

    Raises:
        BadSpec: it is one.
    """
    if re.match(r"/|~|file:|[A-Za-z]:\\", value):
        raise BadSpec(
            f"{value}: a path of this machine cannot be locked for others; write it as seen from this file,"
            " or leave it out and say UV_FIND_LINKS or UV_DEFAULT_INDEX where it is there",
            where,
        )


def _local(text: str) -> str:
    return (
        f"{text}: a folder or file of this machine cannot be locked for others;"
        " your own code need not be installed: it is imported from beside the app"
    )


def canonical(requirement: Requirement) -> str:
    """One form for all ways of writing it."""
    requirement.name = canonicalize_name(requirement.name)
    return str(requirement)
