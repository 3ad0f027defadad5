"""The secret of an account, in a file of its own that nobody else can read."""

from __future__ import annotations

import os
import secrets
import stat

from penstock.errors import UserError

LENGTH = 32
"""Bytes of randomness."""


def secret_for(directory: str, name: str) -> tuple[str, str]:
    """The path of an account's file, and what is in it; made, if it is not there.

    It is on the disk before the account is on the broker: if that fails, the next try uses the same.

    Raises:
        UserError: it cannot be written or read, or others can read it.
    """
    path = os.path.join(directory, name)
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        _write_new(path, secrets.token_urlsafe(LENGTH))
        with open(path, encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise UserError(f"{path} can be read by others (mode {mode:04o}): chmod 600 {path}")
            return path, file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UserError(f"{path}: the secret of {name} cannot be kept there: {said}") from None


def _write_new(path: str, secret: str) -> None:
    # Under another name first: half a secret must never lie there.
    draft = f"{path}.new"
    if os.path.exists(path):
        return
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(f"{secret}\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
