"""Which desk a process goes to with its jobs: that of the app it belongs to, or, in a test, another."""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import contextmanager
from typing import Dict, Iterator, List, Optional, Tuple

from penstock.errors import EnvironmentFault
from penstock.tasks.desk import Desk
from penstock.tasks.home import BROKER, FILES, VARIABLE, Home, broker, locate

_known: Dict[str, Desk] = {}
"""By the file of the store, or the address of the broker."""
_found: Dict[Tuple[Optional[str], ...], Desk] = {}
"""By where one has asked: to read ``penstock.toml`` takes longer than to submit a job."""
_instead: List[Desk] = []


def desk(directory: str) -> Desk:
    """The one for an app in ``directory``: of its broker, where one is named, or of the store on this
    machine. For each there is one in a process.

    Raises:
        UserError: ``penstock.toml`` or a variable says nonsense about where it is.
        EnvironmentFault: this Python is too old for a broker.
    """
    if _instead:
        return _instead[-1]
    said = os.environ.get
    asked = (directory, said(VARIABLE), said(BROKER), said(FILES))
    found = _found.get(asked)
    if found is None:
        found = _found[asked] = _sought(directory)
    return found


def _sought(directory: str) -> Desk:
    address, home = broker(directory, os.environ), locate(directory, os.environ)
    if address:
        return remote(address, home)
    return _known.get(home.store) or _kept(home.store, _local(home))


def remote(address: str, home: Optional[Home] = None) -> Desk:
    """That of the broker there. ``home``: whose depot counts; by default that of the current directory.

    Raises:
        UserError: it is no address.
        EnvironmentFault: this Python is too old for a broker.
    """
    home = home or locate(os.getcwd(), os.environ)
    where = f"{address} {home.depot.folder}"
    return _known.get(where) or _kept(where, _remote(address, home))


def _kept(where: str, made: Desk) -> Desk:
    found = _known.setdefault(where, made)
    atexit.register(found.close)
    return found


def _local(home: Home) -> Desk:
    from penstock.tasks.local import LocalDesk  # a worker that submits nothing needs no SQLite

    return LocalDesk(home)


def _remote(address: str, home: Home) -> Desk:
    if sys.version_info < (3, 11):
        version = ".".join(map(str, sys.version_info[:2]))
        raise EnvironmentFault(f"jobs over RabbitMQ need Python 3.11 or newer, and this is {version}")
    from penstock.rabbitmq.desk import RabbitDesk
    from penstock.rabbitmq.url import parse

    return RabbitDesk(parse(address), home.depot)


@contextmanager
def instead(other: Desk) -> Iterator[None]:
    """``other`` for whoever asks for one meanwhile: what tests do."""
    _instead.append(other)
    try:
        yield
    finally:
        _instead.remove(other)
