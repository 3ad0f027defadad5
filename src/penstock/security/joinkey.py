"""The keys of a run that other hosts may join, and the file that lets one of them in.

    public = ...     a key made for this run; the run lets it in as a worker
    secret = ...
    server = ...     the public key of the run: who joins expects nobody else there

The file is of mode 0600 and lies beside the run's logs; whoever has it may join. Hosts that have keys of
their own (``penstock keys``) need none: the run lets in whom this user trusts as ``worker``.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from penstock.errors import UserError
from penstock.security.keys import OWN, KeyPair, Keyring, Towards, Trusted, checked

ROLE, NAME = "worker", "join.key"


class RunKeyring(Keyring):
    """The user's, with a key of the run's own where the user has none, and with the key of its file."""

    def __init__(self, users: Keyring, own: KeyPair, invited: KeyPair) -> None:
        """``own``: unless ``users`` has one. ``invited``: who has it is let in as a worker."""
        super().__init__(users.folder)
        self._made = own
        self._invited = Trusted(ROLE, invited.public, NAME)

    @property
    def own(self) -> KeyPair:
        """The user's own key, else that of the run."""
        return super().own if (self.folder / OWN).exists() else self._made

    @property
    def trusted(self) -> list[Trusted]:
        """Whom the user trusts, and who has the file."""
        return [*super().trusted, self._invited]


class Invited(Keyring):
    """What a key file says, as a keyring with that key alone."""

    def __init__(self, pair: KeyPair) -> None:
        super().__init__("")
        self._only = pair

    @property
    def own(self) -> KeyPair:
        """The key of the file."""
        return self._only


class JoinKey(NamedTuple):
    """What the file says."""

    pair: KeyPair
    server: str

    def towards(self) -> Towards:
        """For the socket that connects."""
        return Towards(Invited(self.pair), self.server)

    def write(self, path: str) -> None:
        """Keep it there, for its owner alone.

        Raises:
            OSError: that cannot be done.
        """
        draft = f"{path}.{os.getpid()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(draft, flags, 0o600), "w", encoding="ascii") as file:
            file.write("# Who has this file may join the run. Remove it from where it is not needed.\n")
            file.write(f"public = {self.pair.public}\nsecret = {self.pair.secret}\nserver = {self.server}\n")
        os.replace(draft, path)


def read(path: str) -> JoinKey:
    """The key in that file.

    Raises:
        UserError: it cannot be read, is no such file, or others could have read it.
    """
    try:
        found = os.stat(path)
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UserError(f"the key file {path} cannot be read: {why}") from None
    if found.st_uid != os.getuid() or found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UserError(f"{path} is open to others, or another user's; make it yours alone: chmod 600 {path}")
    words = dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)
    try:
        pair = KeyPair(checked(words["public"]), checked(words["secret"]))
        return JoinKey(pair, checked(words["server"]))
    except (KeyError, UserError):
        raise UserError(
            f"{path} is no key file of a run; `penstock run --listen` says where it has written its own"
        ) from None
