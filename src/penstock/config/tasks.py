"""What ``penstock.toml`` says of jobs as a whole: ``[tasks]``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from penstock.config.entry import secret_of
from penstock.config.file import File
from penstock.errors import UserError
from penstock.pipeline.duration import seconds
from penstock.pipeline.nearest import nearest
from penstock.tasks.keeping import USUAL, Keeping

KEYS = ("store", "broker", "files", "keep", "keep_jobs")
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
    return _path(file, "store", "jobs.db")


def files(file: File) -> str:
    """The folder that those share whose jobs go over a broker, as an absolute path; empty: nothing is said.

    Raises:
        UserError: as ``store``.
    """
    return _path(file, "files", "/shared/penstock")


def _path(file: File, key: str, example: str) -> str:
    said = _table(file).get(key, "")
    if not isinstance(said, str):
        raise UserError(f'{file.place("tasks", key)}: {key}={said!r}: must be a path, like "{example}"')
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


def keeping(file: File) -> Keeping:
    """How long jobs that are over are kept.

    Raises:
        UserError: there is something else in the table, or it is no time, no number.
    """
    table = _table(file)
    said, jobs = table.get("keep"), table.get("keep_jobs", USUAL.jobs)
    try:
        age = USUAL.age if said is None else round(seconds(said) * 1000)
    except ValueError as error:
        raise UserError(f"{file.place('tasks', 'keep')}: keep={said!r}: {error}") from None
    if type(jobs) is not int or jobs < 0:
        raise UserError(
            f"{file.place('tasks', 'keep_jobs')}: keep_jobs={jobs!r}: must be a number of jobs, 0 or more"
        )
    return Keeping(age, jobs)


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
