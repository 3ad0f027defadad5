"""The directories that jobs write: an attempt has one of its own, and the last one's becomes the job's."""

from __future__ import annotations

import os


def publish(draft: str, place: str) -> None:
    """Give what an attempt has written its lasting name, in one step. What an earlier start of the same job
    has left there (its supervisor was killed between this and the commit) goes.

    Raises:
        OSError: it cannot be renamed.
    """
    if not os.path.isdir(draft):
        return
    try:
        os.rename(draft, place)
    except OSError:
        if not os.path.isdir(place):
            raise
        old = f"{draft}.old"
        os.rename(place, old)
        os.rename(draft, place)
        _remove(old)


def discard(draft: str) -> None:
    """Nobody needs what is in it: an attempt has failed, or a job is forgotten."""
    if os.path.isdir(draft):
        _remove(draft)


def _remove(folder: str) -> None:
    import shutil  # whoever knows jobs imports this file, and few have to remove anything

    shutil.rmtree(folder, ignore_errors=True)
