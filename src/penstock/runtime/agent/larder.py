"""Runs in the agent: the app's code, fetched file by file and kept by what is in it.

    <cache>/code/blobs/<sha256>      one file
    <cache>/code/trees/<hash>/0/...  the trees of one manifest, whole or not there; later ones: <hash>.1 ...

What is there is not fetched again, whatever run asks. Files are read anew each time: what has been damaged
since, or changed by an app that writes beside its code, is fetched once more, and a tree made anew beside the
old one, which others may be running from.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from penstock.errors import UserError
from penstock.runtime.hosts import codebook
from penstock.runtime.hostwire import Manifest

Fetch = Callable[[str, int], Awaitable[bytes]]
"""Gives what a path of the manifest holds from a byte on: a part, or nothing at its end."""

DRAFT = "draft-"
"""Begins the names of what is not finished."""
OLD = 24 * 3600.0
"""Seconds after which nobody finishes that any more."""


class Larder:
    """One user's."""

    def __init__(self, root: str) -> None:
        """``root``: the folder of their caches."""
        self._blobs = os.path.join(root, "code", "blobs")
        self._trees = os.path.join(root, "code", "trees")

    async def trees(self, manifest: Manifest, count: int, fetch: Fetch) -> list[str]:
        """Where these trees are, made if need be.

        Raises:
            UserError: the manifest cannot be, or what was sent is not what it says.
        """
        codebook.checked(manifest)
        for folder in (self._blobs, self._trees):
            os.makedirs(folder, mode=0o700, exist_ok=True)
            _sweep(folder)
        place, is_there = self._place(manifest)
        if not is_there:
            for name, sha in manifest.files.items():
                if not self._has(sha):
                    await self._get(name, sha, manifest.sizes[name], fetch)
            self._plant(place, manifest, count)
        return [os.path.join(place, str(number)) for number in range(count)]

    def _place(self, manifest: Manifest) -> tuple[str, bool]:
        """Where its trees are as they should be, or can be made; whether they are there."""
        key = os.path.join(self._trees, codebook.key(manifest))
        for number in itertools.count():
            place = f"{key}.{number}" if number else key
            is_there = os.path.isdir(place)
            if not is_there or _is_whole(place, manifest):
                break
        return place, is_there

    def _blob(self, sha: str) -> str:
        return os.path.join(self._blobs, sha)

    def _has(self, sha: str) -> bool:
        return _is(self._blob(sha), sha)

    async def _get(self, name: str, sha: str, size: int, fetch: Fetch) -> None:
        found = hashlib.sha256()
        with tempfile.NamedTemporaryFile(dir=self._blobs, prefix=DRAFT, delete=False) as file:
            try:
                at = 0
                while at < size:
                    part = await fetch(name, at)
                    if not part:
                        break
                    at += len(part)
                    found.update(part)
                    file.write(part)
                if found.hexdigest() != sha:
                    raise UserError(f"{name.partition('/')[2]} was changed while it was fetched; join again")
                file.flush()
                os.replace(file.name, self._blob(sha))
            except BaseException:
                os.unlink(file.name)
                raise

    def _plant(self, place: str, manifest: Manifest, count: int) -> None:
        draft = tempfile.mkdtemp(dir=self._trees, prefix=DRAFT)
        try:
            for number in range(count):
                os.mkdir(os.path.join(draft, str(number)))
            for name, sha in manifest.files.items():
                path = os.path.join(draft, *name.split("/"))
                os.makedirs(os.path.dirname(path), exist_ok=True)
                shutil.copyfile(self._blob(sha), path)
            os.rename(draft, place)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            if not os.path.isdir(place):  # another agent has made it meanwhile
                raise


def _is(path: str, sha: str) -> bool:
    try:
        return codebook.digest(path) == sha
    except OSError:
        return False


def _is_whole(place: str, manifest: Manifest) -> bool:
    return all(_is(os.path.join(place, name), sha) for name, sha in manifest.files.items())


def _sweep(folder: str) -> None:
    """Take away what somebody has begun there long ago, and not finished."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        with suppress(OSError):
            if name.startswith(DRAFT) and time.time() - os.stat(path).st_mtime > OLD:
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


def matched(folder: str, manifest: Manifest) -> str:
    """``folder``, if it holds the first tree of the manifest.

    Raises:
        UserError: a file is missing there, or is another.
    """
    codebook.checked(manifest)
    for name, sha in sorted(manifest.files.items()):
        number, _, path = name.partition("/")
        if number != "0":
            raise UserError(
                f"the app takes code from several folders, so it is fetched: leave out --code {folder}"
            )
        try:
            same = codebook.digest(os.path.join(folder, path)) == sha
        except OSError:
            raise UserError(f"{folder} has no {path}, which the run's app has") from None
        if not same:
            raise UserError(f"{os.path.join(folder, path)} is another than that of the run's app")
    return os.path.abspath(folder)
