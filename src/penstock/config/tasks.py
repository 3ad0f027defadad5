"""What ``penstock.toml`` says of jobs as a whole: ``[tasks]``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from penstock.config.entry import secret_of
from penstock.config.file import File
from penstock.errors import UserError
from penstock.pipeline.nearest import nearest

KEYS = ("store", "broker")
SYNONYMS = {
    "url": "broker",
    "broker_url": "broker",
    "rabbitmq": "broker",
    "path": "store",
    "database": "store",
}
SCHEMES = ("amqp://", "amqps://")


def store(file: File) -> str:
    """The file that keeps jobs, as an absolute path; empty: nothing is said.

    Raises:
        UserError: there is something else in the table, or it is no path.
    """
    said = _table(file).get("store", "")
    if not isinstance(said, str):
        raise UserError(f'{file.place("tasks", "store")}: store={said!r}: must be a path, like "jobs.db"')
    return os.path.join(os.path.dirname(file.path), os.path.expanduser(said)) if said else ""


def broker(file: File, environ: Mapping[str, str]) -> str:
    """The address of the broker that jobs go over, maybe with a password in it; empty: none is said.

    Raises:
        UserError: there is something else in the table, it is no address, or what it refers to is not there.
    """
    said = _table(file).get("broker", "")
    place = file.place("tasks", "broker")
    secret = secret_of(said, place)
    if secret is None and not isinstance(said, str):
        raise UserError(f'{place}: broker must be an address, like "amqps://rabbit.example/penstock"')
    return checked(secret.reveal(environ) if secret else said, str(place))


def checked(address: str, where: str) -> str:
    """It, if RabbitMQ may be there; what is wrong is never shown: a password may be in it.

    Raises:
        UserError: it is none.
    """
    if address and not address.startswith(SCHEMES):
        raise UserError(
            f"{where}: the address of a broker begins with amqp:// or amqps://,"
            " like amqps://rabbit.example/penstock"
        )
    return address


def _table(file: File) -> dict[str, Any]:
    table = file.table.get("tasks", {})
    if not isinstance(table, dict):
        raise UserError(f"{file.place('tasks')}: tasks={table!r}: must be a table: [tasks]")
    for key in table:
        if key not in KEYS:
            meant = SYNONYMS.get(key)
            hint = f"; did you mean {meant!r}?" if meant else nearest(key, KEYS)
            raise UserError(f"{file.place('tasks', key)}: there is no key {key!r} in [tasks]{hint}")
    return table
