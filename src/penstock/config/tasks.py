"""What ``penstock.toml`` says of jobs as a whole: ``[tasks]``."""

from __future__ import annotations

import os

from penstock.config.file import File
from penstock.errors import UserError
from penstock.pipeline.nearest import nearest

KEYS = ("store",)


def store(file: File) -> str:
    """The file that keeps jobs, as an absolute path; empty: nothing is said.

    Raises:
        UserError: there is something else in the table, or it is no path.
    """
    table = file.table.get("tasks", {})
    if not isinstance(table, dict):
        raise UserError(f"{file.place('tasks')}: tasks={table!r}: must be a table: [tasks]")
    for key in table:
        if key not in KEYS:
            raise UserError(
                f"{file.place('tasks', key)}: there is no key {key!r} in [tasks]{nearest(key, KEYS)}"
            )
    said = table.get("store", "")
    if not isinstance(said, str):
        raise UserError(f'{file.place("tasks", "store")}: store={said!r}: must be a path, like "jobs.db"')
    return os.path.join(os.path.dirname(file.path), os.path.expanduser(said)) if said else ""
