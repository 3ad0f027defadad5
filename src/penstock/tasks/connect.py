"""Which desk a process goes to with its jobs: that of the app it belongs to, or, in a test, another."""

from __future__ import annotations

import atexit
import os
from contextlib import contextmanager
from typing import Dict, Iterator, List

from penstock.tasks.desk import Desk
from penstock.tasks.home import locate

_known: Dict[str, Desk] = {}
_instead: List[Desk] = []


def desk(directory: str) -> Desk:
    """The one for an app in ``directory``; for each store there is one in a process.

    Raises:
        UserError: ``penstock.toml`` says nonsense about where it is.
    """
    if _instead:
        return _instead[-1]
    home = locate(directory, os.environ)
    found = _known.get(home.store)
    if found is None:
        from penstock.tasks.local import LocalDesk  # a worker that submits nothing needs no SQLite

        found = _known.setdefault(home.store, LocalDesk(home))
        atexit.register(found.close)
    return found


@contextmanager
def instead(other: Desk) -> Iterator[None]:
    """``other`` for whoever asks for one meanwhile: what tests do."""
    _instead.append(other)
    try:
        yield
    finally:
        _instead.remove(other)
