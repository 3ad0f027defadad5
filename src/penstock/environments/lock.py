"""``penstock.lock``: what each environment is made of, to the last package. One file, made to be reviewed.

It is TOML in one order, a table a package, so that a difference shows what has changed. No address is in it
but of channels and indexes as the user wrote them and of conda's packages; no path of a machine, no secret.

[envs.torch]                                 requirements, as uv installs them
[envs.vision]                                what conda's packages leave over for uv
[envs.vision.platforms.linux-64]             a platform it is locked for; "any": all of them
[[envs.vision.platforms.linux-64.conda]]     one package of conda's
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from penstock.errors import StaleLock, UserError
from penstock.pipeline.place import near

FILE = "penstock.lock"
VERSION = 1
ANY = "any"
"""In place of a platform: what is locked holds on all of them."""
HEAD = "# Made by `penstock env lock`. Review it, keep it with the code, leave it as it is.\n"
CURE = "run `penstock env lock`"
CURE_ONE = "run `penstock env lock {}`"

Kind = Literal["conda", "requirements", "project", "lockfile"]


class CondaRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A package of conda's, with all that installing it needs."""

    name: str
    version: str
    build: str
    build_number: int = 0
    subdir: str
    noarch: str | None = None
    """``python``, ``generic``, or nothing."""
    depends: list[str] = []
    constrains: list[str] = []
    python_site_packages_path: str | None = None
    channel: str
    """As the user wrote it; ``CHANNEL/SUBDIR/FN`` is where the package lies."""
    fn: str
    size: int | None = None
    sha256: str | None = None
    """In hex, as ``md5``."""
    md5: str | None = None


class Pins(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is locked for one platform."""

    virtual_packages: list[str] = []
    """What the packages need of the machine: ``__glibc >=2.17``."""
    conda: list[CondaRecord] = []
    """By name."""


class Locked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One environment."""

    kind: Kind
    digest: str
    """Of what it was locked from: where that has another by now, this is stale."""
    python: str = ""
    """The version whose packages these are, like ``3.13``; of conda's, what they bring."""
    channels: list[str] = []
    """As the user wrote them."""
    variables: dict[str, str] = {}
    """Set for what runs in it."""
    pip: str = ""
    """What uv installs: requirements, a version and its hashes each; options of the user's come first."""
    platforms: dict[str, Pins] = {}

    def pins(self, platform: str) -> Pins | None:
        """What is locked for ``platform``; ``None``: nothing is."""
        return self.platforms.get(platform) or self.platforms.get(ANY)


class Lock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    version: int = VERSION
    envs: dict[str, Locked] = {}


def stale(name: str, digest: str, locked: Locked | None, platform: str) -> str:
    """Why ``locked`` does not tell how to make the environment ``name`` here; empty: it does.

    Args:
        name: Of the environment.
        digest: Of what it is to be made from, as of now.
        locked: What the file has of it, if anything.
        platform: Of this machine.
    """
    cure = CURE_ONE.format(name)
    if locked is None:
        return f"the environment {name!r} is not in {FILE}; {cure}"
    if locked.digest != digest:
        return f"what the environment {name!r} is made from has changed since it was locked; {cure}"
    if locked.pins(platform) is None:
        has = " and ".join(sorted(locked.platforms)) or "none"
        return (
            f"the environment {name!r} is locked for {has}, and this is {platform};"
            f' say platforms = ["{platform}", ...] in [envs.{name}] and {cure}'
        )
    return ""


# ------------------------------------------------------------------------------------------------- reading


def read(path: str) -> Lock:
    """The lock file at ``path``; an empty one where there is none.

    Raises:
        UserError: it cannot be read.
        StaleLock: it is not what ``write`` writes.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return Lock()
    except (OSError, UnicodeDecodeError) as error:
        what = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise UserError(f"{near(path)} cannot be read: {what}") from None
    return parse(text, near(path))


def parse(text: str, told: str) -> Lock:
    """The lock in ``text``; ``told``: what its file is called in a sentence.

    Raises:
        StaleLock: it is none.
    """
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise StaleLock(f"its brackets are too deep; {CURE}", told) from None
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        what = re.sub(r" \(at .*\)$", "", str(error))
        raise StaleLock(f"this is not TOML: {what}; {CURE}", f"{told}:{line}") from None
    if table.get("version") != VERSION:
        said = table.get("version")
        raise StaleLock(
            f"version={said!r}: this penstock reads version {VERSION}; {CURE}, or install a newer penstock",
            f"{told}:{_line(text, 'version')}",
        )
    try:
        return msgspec.convert(table, Lock)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        line = _line(text, *re.findall(r"[\w-]+", where))
        raise StaleLock(f"{what}{f' in {where[1:-1]}' if where else ''}; {CURE}", f"{told}:{line}") from None


def _line(text: str, *path: str) -> int:
    """The line of the last table on the way to ``path`` that ``text`` has; else the first."""
    for length in range(len(path), 0, -1):
        found = re.search(rf"^\[*{re.escape('.'.join(path[:length]))}\b", text, re.MULTILINE)
        if found:
            return text.count("\n", 0, found.start()) + 1
    return 1


# ------------------------------------------------------------------------------------------------- writing


def write(path: str, lock: Lock) -> bool:
    """Write ``lock`` whole or not at all; returns whether the file has changed.

    Raises:
        UserError: it cannot be written.
    """
    text = as_text(lock)
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return False
    except (OSError, UnicodeDecodeError):
        pass
    put(path, text)
    return True


def update(path: str, name: str, locked: Locked, known: Iterable[str]) -> Lock:
    """Put one environment into the file, beside what others put there meanwhile; returns all that is there.

    Args:
        path: Of the file.
        name: Of the environment.
        locked: What it is made of.
        known: Names of those that are described; others go.

    Raises:
        UserError: it cannot be read or written.
    """
    fd = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # a file system without locks; the folder, as the file is replaced
            fcntl.flock(fd, fcntl.LOCK_EX)
        kept = {each: found for each, found in read(path).envs.items() if each in known}
        whole = Lock(envs={**kept, name: locked})
        write(path, whole)
    finally:
        os.close(fd)
    return whole


def put(path: str, text: str) -> None:
    """Write the file at ``path`` whole or not at all; a link stays one.

    Raises:
        UserError: it cannot be written.
    """
    path = os.path.realpath(path)
    try:
        mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o644
        content = text.encode()
        with tempfile.NamedTemporaryFile(dir=os.path.dirname(path), delete=False) as new:
            new.write(content)
        os.chmod(new.name, mode)
        os.replace(new.name, path)
    except (OSError, UnicodeEncodeError) as error:
        what = getattr(error, "strerror", None) or "a name in it is no text"
        raise UserError(f"{near(path)} cannot be written: {what}") from None


def as_text(lock: Lock) -> str:
    """``lock`` as the file has it: the same for the same, whatever the order it was put together in."""
    tables = [f"version = {lock.version}\n"]
    for name in sorted(lock.envs):
        tables += _environment(("envs", name), lock.envs[name])
    return HEAD + "\n".join(tables)


def _environment(path: tuple[str, ...], locked: Locked) -> Iterator[str]:
    table = msgspec.to_builtins(locked)
    table.pop("platforms", None)
    variables = table.pop("variables", {})
    yield _table(f"[{_header(path)}]", table)
    if variables:
        yield _table(f"[{_header((*path, 'variables'))}]", dict(sorted(variables.items())))
    for platform in sorted(locked.platforms):
        yield from _pins((*path, "platforms", platform), locked.platforms[platform])


def _pins(path: tuple[str, ...], pins: Pins) -> Iterator[str]:
    needs = {"virtual_packages": sorted(pins.virtual_packages)} if pins.virtual_packages else {}
    yield _table(f"[{_header(path)}]", needs)
    for record in sorted(pins.conda, key=lambda record: (record.name, record.subdir, record.fn)):
        yield _table(f"[[{_header((*path, 'conda'))}]]", msgspec.to_builtins(record))


def _table(header: str, content: Mapping[str, Any]) -> str:
    lines = [f"{key(name)} = {_value(value)}" for name, value in content.items()]
    return "\n".join([header, *lines, ""])


def _header(path: tuple[str, ...]) -> str:
    return ".".join(map(key, path))


def key(name: str) -> str:
    """``name`` as a key of TOML."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else quoted(name)


def _value(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return f"'''\n{value}'''" if _is_literal(value) else quoted(value)
    if len(value) < 2:
        return f"[{', '.join(map(quoted, value))}]"
    return "\n".join(["[", *(f"    {quoted(each)}," for each in value), "]"])


def _is_literal(text: str) -> bool:
    """Several lines, and nothing in them that would have to be escaped."""
    return "\n" in text and "'''" not in text and not re.search(r"[\x00-\x08\x0b-\x1f\x7f]|'\Z", text)


def quoted(text: str) -> str:
    """``text`` as a value of TOML, on one line."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
