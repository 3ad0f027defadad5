"""The environments of the project in the current directory, and what `penstock env` does with them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from penstock.cli import terminal
from penstock.config.envs import Envs, envs
from penstock.environments import lock, platforms
from penstock.environments.environment import Environment, Provider
from penstock.environments.export import Format, export
from penstock.environments.lock import Locked
from penstock.environments.locker import Locker
from penstock.environments.progress import Lines
from penstock.environments.spec import EXISTING, Spec
from penstock.environments.store import Store
from penstock.errors import BadSpec, StaleLock, UserError
from penstock.pipeline.place import near


class Project:
    """Its file, its lock, and the user's store."""

    def __init__(self, described: Envs, environ: Mapping[str, str]) -> None:
        self.described = described
        self.environ = environ
        self.platform = platforms.here()
        self.store = Store.of(environ)
        self.locks = lock.read(described.lock)

    def chosen(self, names: Sequence[str]) -> list[Spec]:
        """The environments of these names; all, where none is named.

        Raises:
            UserError: there is none of a name, or none at all.
        """
        if not self.described.specs:
            raise UserError(
                "no environment is described here; `penstock env init NAME` writes one into penstock.toml"
            )
        return self.described.chosen(names)

    def provider(self, *, offline: bool = False, frozen: bool = False) -> Provider:
        """Who makes what is missing."""
        return Provider(
            self.locks,
            self.store,
            folder=self.described.folder,
            environ=self.environ,
            platform=self.platform,
            offline=offline,
            frozen=frozen,
        )

    def lock(self, names: Sequence[str], *, upgrade: bool, offline: bool) -> Iterator[str]:
        """Lock them, one after the other, each kept as soon as it is there; a line for each."""
        specs = self.chosen(names)
        locker = Locker(
            self.store, environ=self.environ, platform=self.platform, offline=offline, upgrade=upgrade
        )
        for spec in specs:
            if isinstance(spec, EXISTING):
                yield f"{spec.name}   is there already: nothing to lock, and not the same for others"
                continue
            old = self.locks.envs.get(spec.name)
            new = locker.locked(spec, old, Lines(spec.name, terminal.talk))
            self.locks = lock.update(self.described.lock, spec.name, new, self.described.specs)
            yield f"{spec.name}   {told(old, new)}"

    def build(self, names: Sequence[str], *, offline: bool, frozen: bool) -> dict[str, Environment]:
        """Make those that are not there."""
        provider = self.provider(offline=offline, frozen=frozen)
        return provider.provide(self.chosen(names), lambda name: Lines(name, terminal.talk))

    def export(self, name: str, form: Format) -> str:
        """As another tool would have it.

        Raises:
            StaleLock: it is not locked for this platform.
            BadSpec: a channel of it needs a variable that is not set.
            UserError: that tool has no words for it.
        """
        [spec] = self.chosen([name])
        if isinstance(spec, EXISTING):
            raise UserError(f"{name} is somebody else's: it is not locked, so there is nothing to export")
        found = self.locks.envs.get(name)
        pins = found.pins(self.platform) if found else None
        if found is None or pins is None:
            raise StaleLock(lock.stale(name, found.digest if found else "", found, self.platform))
        return export(name, found, pins, self._addresses(spec, found), form)

    def _addresses(self, spec: Spec, found: Locked) -> dict[str, str]:
        if not found.channels:
            return {}
        from penstock.environments.channels import channel
        from penstock.environments.conda import Conda

        folder = os.path.dirname(spec.path)
        try:
            known = [channel(name, folder, self.environ) for name in found.channels]
        except ValueError as error:
            raise BadSpec(str(error), near(spec.path)) from None
        urls = Conda(self.environ, self.store.conda).addresses(known)
        return dict(zip(found.channels, urls, strict=True))


def here() -> Project:
    """That of the current directory.

    Raises:
        UserError: its file or its lock is wrong.
    """
    return of(str(Path.cwd()))


def of(folder: str) -> Project:
    """That of what lies in ``folder``.

    Raises:
        UserError: its file or its lock is wrong.
    """
    return Project(envs(folder), os.environ)


def versions(locked: Locked | None) -> dict[str, str]:
    """The versions of all packages, by name; those of the first platform."""
    if locked is None:
        return {}
    found = {}
    for pins in list(locked.platforms.values())[:1]:
        found.update({record.name: record.version for record in pins.conda})
    for line in locked.pip.splitlines():
        name, _, version = line.partition(" ")[0].partition("==")
        if version:
            found[name] = version
    return found


def told(old: Locked | None, new: Locked) -> str:
    """What has been locked: how much, and what of it is new."""
    before, now = versions(old), versions(new)
    changed = [
        f"{name} {before[name]} → {version}"
        for name, version in now.items()
        if before.get(name, version) != version
    ]
    changed += [f"+{name} {now[name]}" for name in now if old and name not in before]
    changed += [f"-{name}" for name in before if name not in now]
    news = "; ".join(changed[:8]) + (f"; {len(changed) - 8} more" if len(changed) > 8 else "")
    return f"Python {new.python}   {counted(now)}" + (f"   {news}" if news else "")


def counted(packages: Mapping[str, str]) -> str:
    """``1 package``, ``12 packages``."""
    return f"{len(packages)} package" + "s" * (len(packages) != 1)
