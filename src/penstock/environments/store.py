"""Where environments are kept, each once, by its key. Made in place, never changed, kept while it is used.

    envs/KEY/                 one of them; it is one when its marker is there, which is written last
    envs/KEY/.penstock.json   the marker: what it is
    envs/KEY.lock             held while it is made; by many at once while it is used
    envs/KEY.uses             who has used it, as {folder: name}; its time is that of the last use
    layers/HASH/              pyzmq and msgspec for one kind of interpreter
    layers/HASH.lock          held while it is made
    layers/HASH.uses          held, by many at once, while it is used; its time is that of the last use
    conda/                    what conda's channels have given
    pythons/                  which one was found for what was asked
    tmp/                      of whoever locks; held by a lock, and swept by the next

Scripts and conda's packages hold the path of their environment, so nothing here is moved once it is made.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from penstock import lockfile
from penstock.environments.activation import Activation
from penstock.environments.interpreters import Probe
from penstock.environments.lock import Kind
from penstock.errors import BuildFailed

VARIABLE = "PENSTOCK_CACHE_DIR"
MARKER = ".penstock.json"
_WRITING = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


class Marker(msgspec.Struct, frozen=True, kw_only=True):
    """What an environment is, as it was when it was made."""

    key: str
    kind: Kind
    probe: Probe
    activation: Activation
    seconds: dict[str, float]
    """How long each phase took."""
    bytes: int
    """Of disk, those that it shares with caches among them."""
    created: float
    """Seconds since 1970."""
    content: list[str] = []
    """Names in its ``site-packages``; of one that an older version has made, none are known."""

    def changed(self) -> list[str]:
        """What somebody has put there or taken away since it was made: by ``uv pip install``, say."""
        return sorted({*self.content} ^ {*content(self.probe.purelib)}) if self.content else []


class Entry(NamedTuple):
    """One environment that is there."""

    marker: Marker
    prefix: str
    used: float
    """When it was last used, in seconds since 1970; else when it was made."""
    users: dict[str, str]
    """What it is called where it was used, by the folder."""
    is_held: bool
    """Somebody uses it now."""


class Store:
    """All of them."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.envs = os.path.join(root, "envs")
        self.layers = os.path.join(root, "layers")
        self.conda = os.path.join(root, "conda")
        self.pythons = os.path.join(root, "pythons")
        self._tmp = os.path.join(root, "tmp")

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Store:
        """The user's: ``PENSTOCK_CACHE_DIR``, else ``penstock`` among their caches."""
        caches = environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        said = os.path.expanduser(environ.get(VARIABLE, ""))
        return cls(os.path.abspath(said or os.path.join(caches, "penstock")))

    def prefix(self, key: str) -> str:
        """Where the environment of that key is, or would be."""
        return os.path.join(self.envs, key)

    def marker(self, key: str) -> Marker | None:
        """What the environment of that key is; ``None``: it is not there, not whole, or made elsewhere."""
        prefix = self.prefix(key)
        try:
            with open(self._marker_path(key), "rb") as file:
                found = msgspec.json.decode(file.read(), type=Marker)
        except (OSError, msgspec.DecodeError):
            return None
        return found if os.path.realpath(found.probe.prefix) == os.path.realpath(prefix) else None

    def _marker_path(self, key: str) -> str:
        return os.path.join(self.prefix(key), MARKER)

    def mark(self, marker: Marker) -> None:
        """Say, as the last of all, that the environment is whole."""
        path = self._marker_path(marker.key)
        with open(f"{path}.new", "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(marker), indent=1))
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.new", path)

    def protect(self, key: str) -> None:
        """Let nobody install into it: that would change it for all who have it. Its folders only: the files
        are those of uv's and conda's caches, too, and a mode that is theirs is not ours to change."""
        for place, folders, _ in os.walk(self.prefix(key)):
            for name in folders:
                _allow(os.path.join(place, name), writing=False)

    # ------------------------------------------------------------------------------------------- locks

    def build_lock(self, key: str, *, wait: bool = True) -> int:
        """Be the only one who makes it or uses it; the descriptor that holds the lock.

        Raises:
            BlockingIOError: somebody else does, and ``wait`` is false.
            BuildFailed: nothing can be written here.
        """
        try:
            os.makedirs(self.envs, mode=0o700, exist_ok=True)
            return lockfile.take(self._lock(key), wait=wait)
        except BlockingIOError:
            raise
        except OSError as error:
            raise unwritable(self.root, error) from None

    def use(self, key: str, *, folder: str = "", name: str = "") -> int | None:
        """Keep it from being removed; the descriptor that does so, or ``None``: it is not there.

        Args:
            key: Of the environment.
            folder: Of the project that uses it.
            name: What it is called there.
        """
        fd = self._shared(key)
        if self.marker(key) is None:
            lockfile.give_back(fd)  # a program that another thread is starting has it, too, for a moment
            return None
        if folder:
            with contextlib.suppress(OSError):  # a cache that is only read
                self._note(key, folder, name)
        return fd

    def _shared(self, key: str) -> int:
        try:
            return lockfile.take(self._lock(key), shared=True)
        except OSError:
            return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)  # it has no lock, and we may make none

    def _lock(self, key: str) -> str:
        return os.path.join(self.envs, f"{key}.lock")

    def _note(self, key: str, folder: str, name: str) -> None:
        uses = {**self._users(key), folder: name}
        path = os.path.join(self.envs, f"{key}.uses")
        with tempfile.NamedTemporaryFile(dir=self.envs, prefix=f"{key}.", delete=False) as file:
            file.write(msgspec.json.encode(uses))
        os.replace(file.name, path)

    def _users(self, key: str) -> dict[str, str]:
        try:
            with open(os.path.join(self.envs, f"{key}.uses"), "rb") as file:
                return msgspec.json.decode(file.read(), type=dict[str, str])
        except (OSError, msgspec.DecodeError):
            return {}

    # ------------------------------------------------------------------------------------- what there is

    def entries(self) -> list[Entry]:
        """The environments that are whole, the last used first."""
        found = [self._entry(marker) for key in self._keys() if (marker := self.marker(key))]
        return sorted(found, key=lambda entry: entry.used, reverse=True)

    def halves(self) -> list[str]:
        """Keys of those without a marker: somebody makes them now, or did not come to the end."""
        return [key for key in self._keys() if not os.path.exists(self._marker_path(key))]

    def strangers(self) -> dict[str, float]:
        """When those were last used that are none here: another version has made them, or they were moved."""
        keys = (key for key in self._keys() if self.marker(key) is None)
        return {
            key: self._used(key) or os.stat(self._marker_path(key)).st_mtime
            for key in keys
            if os.path.exists(self._marker_path(key))
        }

    def remove(self, key: str) -> bool:
        """Remove it, unless somebody makes or uses it; whether it has gone.

        Raises:
            BuildFailed: nothing can be removed here.
        """
        try:
            fd = lockfile.take(self._lock(key), wait=False)
        except BlockingIOError:
            return False
        except OSError as error:
            raise unwritable(self.root, error) from None
        try:
            self.clear(key)
        finally:
            os.close(fd)
        return True

    def clear(self, key: str) -> None:
        """Remove it; the lock is held. The marker goes first: half of it is no environment.

        Raises:
            BuildFailed: nothing can be removed here.
        """
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._marker_path(key))
            with contextlib.suppress(FileNotFoundError):
                for place, _, _ in os.walk(self.prefix(key)):
                    _allow(place, writing=True)
                shutil.rmtree(self.prefix(key))
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.envs, f"{key}.uses"))
        except OSError as error:
            raise unwritable(self.root, error) from None

    @contextlib.contextmanager
    def scratch(self) -> Iterator[str]:
        """A folder that is gone afterwards. (On the disk of the others: what is linked there costs nothing.)

        Raises:
            BuildFailed: nothing can be written here.
        """
        try:
            os.makedirs(self._tmp, mode=0o700, exist_ok=True)
            folder, held = self._begin_scratch()
        except OSError as error:
            raise unwritable(self.root, error) from None
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)

    def _begin_scratch(self) -> tuple[str, int]:
        """A new one and what holds it; those of whoever has been killed go."""
        alone = lockfile.take(f"{self._tmp}.lock")
        try:
            for each in os.scandir(self._tmp):
                if not lockfile.is_held(os.path.join(each.path, ".lock")):
                    shutil.rmtree(each.path, ignore_errors=True)
            folder = tempfile.mkdtemp(dir=self._tmp)
            return folder, lockfile.take(os.path.join(folder, ".lock"))
        finally:
            os.close(alone)

    def _keys(self) -> list[str]:
        try:
            return sorted(each.name for each in os.scandir(self.envs) if each.is_dir())
        except OSError:
            return []

    def _entry(self, marker: Marker) -> Entry:
        key = marker.key
        used = self._used(key) or marker.created
        return Entry(marker, self.prefix(key), used, self._users(key), self._is_held(key))

    def _used(self, key: str) -> float:
        """When somebody has last said so; 0: nobody has."""
        try:
            return os.stat(os.path.join(self.envs, f"{key}.uses")).st_mtime
        except OSError:
            return 0.0

    def _is_held(self, key: str) -> bool:
        try:
            os.close(lockfile.take(self._lock(key), wait=False))
        except BlockingIOError:
            return True
        except OSError:  # only read: nobody can hold it
            pass
        return False


def _allow(folder: str, *, writing: bool) -> None:
    """For those who own it; a link leads elsewhere, and stays as it is."""
    if not os.path.islink(folder):
        mode = stat.S_IMODE(os.stat(folder).st_mode)
        os.chmod(folder, mode | stat.S_IWUSR if writing else mode & ~_WRITING)


def content(folder: str) -> list[str]:
    """What lies in ``folder``, by name; but for what Python itself puts there."""
    try:
        return sorted(each for each in os.listdir(folder) if each != "__pycache__")
    except OSError:
        return []


def unwritable(root: str, error: OSError) -> BuildFailed:
    """The sentence about a cache in which nothing can be made."""
    return BuildFailed(
        f"nothing can be written in {root}: {error.strerror}; {VARIABLE} says where environments are kept"
    )


def size(folder: str) -> int:
    """Bytes of disk below ``folder``; a file of two names counts once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                found = os.lstat(os.path.join(place, name))
                if (found.st_dev, found.st_ino) not in seen:
                    seen.add((found.st_dev, found.st_ino))
                    total += found.st_blocks * 512
    return total
