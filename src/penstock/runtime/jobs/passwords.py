"""Runs in the supervisor: how its workers come to the broker without its password in their environment.

What code submits while it runs as a job goes to the broker of its supervisor, so it is told the address. But
an environment is shown by many: trackers of experiments keep it, ``printenv`` stands in scripts. So a
password moves into a file in the run directory, which ends with the run, and the address names that.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

from penstock.rabbitmq import url
from penstock.tasks.home import BROKER

NAME = "broker.password"
"""Of the file."""


def hidden(environ: Mapping[str, str], folder: str) -> dict[str, str]:
    """An environment for workers: that one, without the password of its broker.

    Raises:
        UserError: the address is none, or the password is not where it says.
        OSError: nothing can be written to ``folder``.
    """
    address = environ.get(BROKER, "")
    if not address or not url.has_password(address):
        return dict(environ)
    found = url.parse(address, where=BROKER)
    password = found.reveal(environ)
    path = os.path.join(folder, NAME)
    with suppress(FileNotFoundError):
        os.unlink(path)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f"{password}\n")
    holds = {found.secret.env} if found.secret else set()
    kept = {name: value for name, value in environ.items() if name not in holds and value != address}
    return {**kept, BROKER: url.with_file(address, path)}
