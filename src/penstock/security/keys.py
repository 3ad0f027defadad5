"""A keyring: our own CURVE key, and the public keys of those whom we trust, each with its role.

    <folder>/             mode 0700: $PENSTOCK_KEYS, or penstock/keys in the user's configuration
        own.key           public and secret key
        next.key          the one that takes its place with the next `rotate`, where there is one
        trusted           a line for each: role, public key, name

Files are of mode 0600 and their reader's own, or they are not read: a secret that others could have read is
none, and neither is a list that they could have written. Keys are text: 40 characters, ZeroMQ's Z85.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from penstock.errors import UserError

PEERS, SERVER, OWNER = ("worker", "client", "observer"), "server", "owner"
ROLES = (OWNER, *PEERS, SERVER)
"""What a trusted key may be for: an owner commands our runs, peers are let in where we listen, a server is
whom we connect to."""
OWN, NEXT, TRUSTED = "own.key", "next.key", "trusted"
_KEY = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
"""Of Z85, in order."""
_NAME = re.compile(r"[\w.@-]{1,64}")


@dataclass(frozen=True)
class KeyPair:
    """A public key, and the secret one that is never shown."""

    public: str
    secret: str = field(repr=False)


class Trusted(NamedTuple):
    """One whom we trust."""

    role: str
    public: str
    name: str


def checked(key: str) -> str:
    """``key``, if it is one.

    Raises:
        UserError: it is none.
    """
    if not _is_key(key):
        raise UserError(f"{key[:60]!r} is no public key: one has 40 characters (`penstock keys show`)")
    return key


def _is_key(word: str) -> bool:
    return bool(_KEY.fullmatch(word)) and all(_number(word[at : at + 5]) < 1 << 32 for at in range(0, 40, 5))


def _text(pair: KeyPair) -> str:
    return f"# Keep this file to yourself.\npublic = {pair.public}\nsecret = {pair.secret}\n"


def _number(word: str) -> int:
    number = 0
    for character in word:
        number = number * 85 + _DIGITS.index(character)
    return number


def folder_of(environ: dict[str, str]) -> Path:
    """Where the user's keys lie."""
    if chosen := environ.get("PENSTOCK_KEYS"):
        return Path(chosen)
    home = environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "penstock" / "keys"


class Keyring:
    """The keys of one folder."""

    def __init__(self, folder: str | Path | None = None) -> None:
        """``folder``: unless said, ``$PENSTOCK_KEYS``, else ``penstock/keys`` in the user's configuration."""
        self.folder = Path(folder) if folder is not None else folder_of(dict(os.environ))

    @property
    def own(self) -> KeyPair:
        """Our own key.

        Raises:
            UserError: there is none yet, or others could have read it.
        """
        path = self.folder / OWN
        if not path.exists():
            raise UserError(f"there is no key in {self.folder}; make one: penstock keys new")
        return self._pair(path)

    @property
    def next(self) -> KeyPair | None:
        """The key that is to take the place of ours; None: none is prepared.

        Raises:
            UserError: as ``own``.
        """
        path = self.folder / NEXT
        return self._pair(path) if path.exists() else None

    @property
    def trusted(self) -> list[Trusted]:
        """Whom we trust, in the order they were added.

        Raises:
            UserError: a line is none, or others could have written it.
        """
        path = self.folder / TRUSTED
        return _lines(self._read(path), path) if path.exists() else []

    # --------------------------------------------------------------------------------- for sockets

    def admitting(self, *roles: str) -> Admits:
        """For a socket that binds: whom of the trusted it lets in; unless said, all but owners.

        Raises:
            UserError: there is no such role.
        """
        for role in roles:
            if role not in (OWNER, *PEERS):
                known = ", ".join((OWNER, *PEERS))
                raise UserError(f"a {role!r} cannot be let in; roles of those who can are {known}")
        return Admits(self, roles or PEERS)

    def towards(self, server: str) -> Towards:
        """For a socket that connects: whom it expects there, by the name of a trusted server or its public
        key. A name may have two keys, while a server changes its own; then the first is expected, and
        ``curve.answering`` finds out which it is.

        Raises:
            UserError: we know none of that name.
        """
        named = [each.public for each in self.trusted if each.role == SERVER and each.name == server]
        if named:
            return Towards(self, named[0], tuple(named[1:]))
        try:
            return Towards(self, checked(server))
        except UserError:
            known = ", ".join(each.name for each in self.trusted if each.role == SERVER) or "none"
            raise UserError(
                f"no server {server!r} is trusted in {self.folder} (servers there: {known}); say its public"
                f" key, or penstock keys trust KEY --role server --name {server}"
            ) from None

    # ----------------------------------------------------------------------------------- for people

    def keep(self, pair: KeyPair) -> None:
        """``pair`` is our own key from now on, in place of any other."""
        self._write(OWN, _text(pair))
        (self.folder / NEXT).unlink(missing_ok=True)

    def prepare(self, pair: KeyPair) -> None:
        """``pair`` is to be our own key later; until then, who trusts us may trust both."""
        self._write(NEXT, _text(pair))

    def trust(self, public: str, role: str, name: str) -> Trusted:
        """Trust that key from now on; what it was trusted as before is replaced. A server that is about to
        change its key may have two under one name: either is expected, until one is revoked.

        Raises:
            UserError: it is no key, role or name, or another key has that name.
        """
        new = Trusted(_role(role), checked(public), name)
        if not _NAME.fullmatch(name):
            raise UserError(f"{name!r} is no name; use up to 64 letters, digits and the signs . _ @ -")
        others = [each for each in self.trusted if each.public != public]
        if any(each.name == name and (role, each.role) != (SERVER, SERVER) for each in others):
            raise UserError(f"another key is called {name!r}; revoke it, or choose another --name")
        self._write_trusted([*others, new])
        return new

    def revoke(self, word: str) -> list[Trusted]:
        """Trust a key, or all that have that name, no longer.

        Raises:
            UserError: it is nobody's.
        """
        trusted = self.trusted
        found = [each for each in trusted if word in {each.public, each.name}]
        if not found:
            raise UserError(f"no key or name {word!r} is trusted in {self.folder} (`penstock keys show`)")
        self._write_trusted(each for each in trusted if each not in found)
        return found

    # ------------------------------------------------------------------------------------------ files

    def _pair(self, path: Path) -> KeyPair:
        words = dict(line.split(" = ", 1) for line in self._read(path).splitlines() if " = " in line)
        if not {"public", "secret"} <= set(words) or not _is_key(words["secret"]):
            raise UserError(f"{path} is no key; make one: penstock keys rotate")
        return KeyPair(checked(words["public"]), words["secret"])

    def _write_trusted(self, trusted: Iterable[Trusted]) -> None:
        lines = [f"{each.role:8}  {each.public}  {each.name}\n" for each in trusted]
        self._write(TRUSTED, "# Written by `penstock keys`.\n" + "".join(lines))

    def _read(self, path: Path) -> str:
        for each in (self.folder, path):
            found = each.stat()
            if found.st_uid != os.getuid():
                raise UserError(f"{each} is another user's, so what it says is not believed")
            if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                mode = "700" if each is self.folder else "600"
                raise UserError(
                    f"{each} is open to others: chmod {mode} {each}, and change the key if they were"
                )
        try:
            return path.read_text("utf-8")
        except UnicodeDecodeError:
            raise UserError(f"{path} is not text, so nobody has written it by `penstock keys`") from None

    def _write(self, name: str, text: str) -> None:
        """There or not at all, and never open to others."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self.folder / f".{name}.{os.getpid()}"
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        os.replace(draft, self.folder / name)


class Admits(NamedTuple):
    """What a socket that binds is given: its own key, and whom it lets in."""

    keyring: Keyring
    roles: tuple[str, ...]


class Towards(NamedTuple):
    """What a socket that connects is given: its own key, and whose it expects at the other end."""

    keyring: Keyring
    server: str
    others: tuple[str, ...] = ()
    """Keys that it may have as well."""


def _role(role: str) -> str:
    if role not in ROLES:
        raise UserError(f"there is no role {role!r}; roles are {', '.join(ROLES)}")
    return role


def _lines(text: str, path: Path) -> list[Trusted]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if len(words) != 3 or words[0] not in ROLES:
            raise UserError(f"{path}:{number}: a line is a role, a public key and a name")
        found.append(Trusted(words[0], checked(words[1]), words[2]))
    return found
