"""Runs in the agent: the app's code, fetched file by file and kept by what is in it.

    <cache>/code/blobs/<sha256>      one file
    <cache>/code/trees/<hash>/0/...  the trees of one manifest, whole or not there; later ones: <hash>.1 ...

What is there is not fetched again, whatever run asks. Files are read anew each time: what has been damaged
since, or changed by an app that writes beside its code, is fetched once more, and a tree made anew beside the
old one, which others may be running from.

An agent holds the tree that it runs from. Beyond ``MOST`` bytes, what nobody holds goes, the oldest first.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress

from penstock import lockfile
from penstock.environments.store import size
from penstock.errors import UserError
from penstock.runtime.hosts import codebook
from penstock.runtime.hostwire import PART, Manifest

Fetch = Callable[[str, int], Awaitable[bytes]]
"""Gives what a path of the manifest holds from a byte on: a part, or nothing at its end."""

DRAFT = "draft-"
"""Begins the names of what is not finished."""
HELD = "held"
"""In a tree: locked by each agent that runs from it."""
MOST = 1 << 30
"""Bytes to keep, of files and trees; as many more as are in use."""
AT_ONCE = 64
"""Files that are asked for before the first of them has come."""
OLD = 24 * 3600.0
"""Seconds after which nobody finishes that any more."""


class Larder:
    """One user's."""

    def __init__(self, root: str, *, most: int = MOST) -> None:
        """``root``: the folder of their caches. ``most``: bytes to keep."""
        self._most = most
        self._held: int | None = None
        self._blobs = os.path.join(root, "code", "blobs")
        self._trees = os.path.join(root, "code", "trees")

    async def trees(self, manifest: Manifest, count: int, fetch: Fetch) -> list[str]:
        """Where these trees are, made if need be; those of before are held no longer.

        Raises:
            UserError: the manifest cannot be, or what was sent is not what it says.
        """
        codebook.checked(manifest)
        for folder in (self._blobs, self._trees):
            os.makedirs(folder, mode=0o700, exist_ok=True)
            _sweep(folder)
        while True:
            place, is_there = self._place(manifest)
            if not is_there:
                missing = {sha: name for name, sha in manifest.files.items() if not self._has(sha)}
                for some in _handfuls(missing, manifest.sizes):
                    await asyncio.gather(
                        *(self._get(missing[sha], sha, manifest.sizes[missing[sha]], fetch) for sha in some)
                    )
                self._plant(place, manifest, count)
            if self._hold(place):
                break
        self._make_room()
        return [os.path.join(place, str(number)) for number in range(count)]

    def _hold(self, place: str) -> bool:
        """Keep it from being taken away for as long as we need it; whether it is there still."""
        if self._held is not None:
            os.close(self._held)
            self._held = None
        held = os.path.join(place, HELD)
        try:
            self._held = lockfile.take(held, shared=True)
            os.utime(held)
        except FileNotFoundError:
            return False
        return True

    def _make_room(self) -> None:
        """Take away what nobody holds, the oldest first, until the rest is not too much."""
        kept = [each for folder in (self._blobs, self._trees) for each in _kept(folder)]
        total = sum(nbytes for _, nbytes, _ in kept)
        for _, nbytes, path in sorted(kept):
            if total <= self._most:
                return
            if _removed(path):
                total -= nbytes

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
        blob = self._blob(sha)
        found = _is(blob, sha)
        if found:
            os.utime(blob)
        return found

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


def _handfuls(missing: Mapping[str, str], sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Files that are asked for at once: one by one, a hundred would take a hundred times the way. Together
    they are no more than a part, so that signs of life are not kept behind them on a slow line."""
    some: list[str] = []
    room = 0
    for sha, name in missing.items():
        room -= sizes[name]
        if room < 0 or len(some) == AT_ONCE:
            if some:
                yield some
            some, room = [], PART - sizes[name]
        some.append(sha)
    if some:
        yield some


def _is(path: str, sha: str) -> bool:
    try:
        return codebook.digest(path) == sha
    except OSError:
        return False


def _is_whole(place: str, manifest: Manifest) -> bool:
    return all(_is(os.path.join(place, name), sha) for name, sha in manifest.files.items())


def _kept(folder: str) -> Iterator[tuple[float, int, str]]:
    """When each file or tree there was last used, its bytes, and where it is."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        with suppress(OSError):  # another agent has taken it away, or makes it
            if not name.startswith(DRAFT):
                is_tree = os.path.isdir(path)
                used = os.stat(os.path.join(path, HELD) if is_tree else path).st_mtime
                yield used, size(path) if is_tree else os.path.getsize(path), path


def _removed(path: str) -> bool:
    """Whether it could go: nobody holds it."""
    try:
        if os.path.isfile(path):
            os.unlink(path)
            return True
        fd = lockfile.take(os.path.join(path, HELD), wait=False)
        try:
            draft = tempfile.mkdtemp(dir=os.path.dirname(path), prefix=DRAFT)
            os.rename(path, draft)  # it is whole until it is gone
        finally:
            os.close(fd)
        shutil.rmtree(draft, ignore_errors=True)
    except OSError:
        return False
    return True


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
