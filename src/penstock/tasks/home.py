"""Where the jobs of a machine are kept: the store, and what lies beside it.

    .penstock/jobs.db              the store; the dead letters of pipelines are in it, too
    .penstock/jobs/logs/ID.N.log   what attempt N of a job printed
    .penstock/jobs/files/          arguments and results that are too large for the store; over a broker
                                   ``PENSTOCK_FILES`` or ``[tasks] files`` may say another folder
    .penstock/jobs/out/ID/         what a job published
    .penstock/jobs/depot           where that was when a hub was last here
    .penstock/jobs/locks/          which supervisors live
    .penstock/jobs/bells/          who waits for something to change

All who take part must find the same one, so what a file or a variable says comes before where one is:
``PENSTOCK_JOBS``, ``[tasks] store`` of ``penstock.toml``, the directory of the app.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from typing import Mapping, NamedTuple, Tuple

from penstock.tasks.depot import Depot
from penstock.tasks.files import inside

VARIABLE = "PENSTOCK_JOBS"
FILES = "PENSTOCK_FILES"
BROKER = "PENSTOCK_BROKER"
"""Instead of what ``penstock.toml`` says; in a worker it is set to what its supervisor uses."""
USUAL = os.path.join(".penstock", "jobs.db")


class Home(NamedTuple):
    """The places of one store."""

    store: str
    """The file of SQLite, as an absolute path."""
    shared: str = ""
    """What is said to be the depot."""

    @property
    def depot(self) -> Depot:
        """Where that lies which is too large for a message, where jobs go over a broker."""
        return Depot(self.shared or self.files)

    @property
    def directory(self) -> str:
        """Of all that lies beside it."""
        return _directory(self.store)

    @property
    def files(self) -> str:
        """Arguments and results that are too large for the store."""
        return os.path.join(self.directory, "files")

    @property
    def sharing(self) -> str:
        """A file that says where the depot was when a hub was last here."""
        return os.path.join(self.directory, "depot")

    @property
    def locks(self) -> str:
        """Of supervisors."""
        return os.path.join(self.directory, "locks")

    @property
    def bells(self) -> str:
        """Of those who wait for something to change."""
        return os.path.join(self.directory, "bells")

    @property
    def outs(self) -> str:
        """Of what jobs have published, and are about to."""
        return os.path.join(self.directory, "out")

    def log(self, id: str, fence: int) -> str:
        """What an attempt of a job prints."""
        return os.path.join(self.directory, "logs", inside(f"{id}.{fence}.log"))

    def out(self, id: str) -> str:
        """The directory that a job has published.

        Raises:
            ValueError: that is no id of a job; as for ``log`` and ``draft``.
        """
        return os.path.join(self.outs, inside(id))

    def draft(self, id: str, fence: int) -> str:
        """The directory that one attempt of it writes to, until it is published."""
        return os.path.join(self.outs, inside(f".{id}.{fence}"))


@lru_cache(maxsize=8)
def _directory(store: str) -> str:
    """Several paths below it are made for each job."""
    return os.path.join(os.path.dirname(store), "jobs")


def locate(directory: str, environ: Mapping[str, str]) -> Home:
    """The home of jobs for an app in ``directory``; for who has no app, the current one.

    Raises:
        UserError: ``penstock.toml`` cannot be read, or its ``[tasks] store`` or ``files`` is no path.
    """
    store, files = environ.get(VARIABLE), environ.get(FILES)
    if not (store and files):
        configured = _configured(directory)
        store, files = store or configured[0], files or configured[1]
    found = os.path.abspath(store or os.path.join(directory, USUAL))
    return Home(found, os.path.abspath(files) if files else "")


def broker(directory: str, environ: Mapping[str, str], said: str = "") -> str:
    """The address of the broker that the jobs of an app in ``directory`` go over; empty: none, all is in one
    file. ``said``: on the command line, which counts more than ``PENSTOCK_BROKER`` and ``penstock.toml``. A
    password may be in it, so it is not for people to see.

    Raises:
        UserError: what is said is no address; or ``penstock.toml`` cannot be read.
    """
    found = said or environ.get(BROKER, "")
    if sys.version_info < (3, 11):
        return found  # as below
    from penstock.config.file import nearest_file
    from penstock.config.tasks import broker as configured
    from penstock.config.tasks import checked

    if found:
        return checked(found, "--broker" if said else BROKER)
    file = nearest_file(directory)
    return configured(file, environ) if file else ""


def beside(state_dir: str, environ: Mapping[str, str]) -> Home:
    """The home of jobs for the pipeline that keeps its state there: its app's, where that is the usual place,
    so what a pipeline could not do lies with the jobs of the same app.

    Raises:
        UserError: as ``locate``.
    """
    parent = os.path.dirname(os.path.abspath(state_dir))
    if os.path.basename(parent) == os.path.dirname(USUAL):
        return locate(os.path.dirname(parent), environ)
    said = environ.get(VARIABLE)
    return Home(os.path.abspath(said or os.path.join(state_dir, os.path.basename(USUAL))))


def _configured(directory: str) -> Tuple[str, str]:
    """What the nearest ``penstock.toml`` says of the store, and of the depot; empty: nothing."""
    if sys.version_info < (3, 11):
        return "", ""  # it reads no TOML; a worker, which alone may be so old, has the variables
    from penstock.config.file import nearest_file
    from penstock.config.tasks import files, store

    found = nearest_file(directory)
    return (store(found), files(found)) if found else ("", "")
