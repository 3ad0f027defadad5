"""The folder of one run: gone afterwards, or where the benchmark was killed, when the next one begins."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from penstock.lockfile import give_back, is_held, take

PREFIX = "penstock-bench-"
LOCK = "held"


@contextmanager
def folder() -> Iterator[str]:
    """One of our own, locked for as long as we live."""
    path = tempfile.mkdtemp(prefix=PREFIX)
    lock = take(os.path.join(path, LOCK))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        give_back(lock)


def sweep() -> None:
    """Remove those of the dead. (One without a lock is just being made.)"""
    for lock in glob.glob(os.path.join(tempfile.gettempdir(), f"{PREFIX}*", LOCK)):
        if os.access(lock, os.W_OK) and not is_held(lock):
            shutil.rmtree(os.path.dirname(lock), ignore_errors=True)
