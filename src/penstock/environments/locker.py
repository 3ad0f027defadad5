"""From what an environment is to be made from to what it is made of. Versions stay unless asked otherwise."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from penstock.environments import condafile, interpreters, lock, lockedlines, project, requirementfile, secret
from penstock.environments.channels import Channel
from penstock.environments.conda import Conda, pinned
from penstock.environments.condafile import EnvironmentFile
from penstock.environments.digest import digest
from penstock.environments.interpreters import Probe
from penstock.environments.lock import CondaRecord, Locked, Pins
from penstock.environments.progress import Progress
from penstock.environments.spec import CondaFile, ForeignLock, Project, Requirements, placed
from penstock.environments.store import Store
from penstock.environments.uv import Uv
from penstock.errors import BadSpec, Unsatisfiable
from penstock.pipeline.place import Place, near

Lockable = CondaFile | Requirements | Project | ForeignLock


class Locker:
    """Locks environments on this machine, for it and for others."""

    def __init__(
        self, kept: Store, *, environ: Mapping[str, str], platform: str, offline: bool, upgrade: bool
    ) -> None:
        """``upgrade``: the newest versions, and not those that are locked."""
        self._kept = kept
        self._environ = environ
        self._platform = platform
        self._offline = offline
        self._upgrade = upgrade
        self._uv = Uv(environ, offline=offline)

    def locked(self, spec: Lockable, old: Locked | None, progress: Progress) -> Locked:
        """What ``spec`` is made of from now on.

        Args:
            spec: The environment.
            old: What it was made of before.
            progress: Who is told how far it is.

        Raises:
            BadSpec: a file of it is wrong, or has a secret that would be locked.
            Unsatisfiable: there is no such set of packages.
            SourceAway: an index or channel cannot be reached now.
            EnvironmentFault: its Python is not here.
        """
        progress.phase("solving")
        with placed(spec):
            found = self._found(spec, None if self._upgrade else old, progress)
        secret.refuse_locked(found, near(spec.path))
        for each in lockedlines.unhashed(found.pip):
            progress.note(f"{each} has no hash, so nobody will see it change")
        return found

    def _found(self, spec: Lockable, before: Locked | None, progress: Progress) -> Locked:
        if isinstance(spec, Requirements):
            return self._requirements(spec, before)
        if isinstance(spec, Project):
            return self._project(spec, before)
        if isinstance(spec, ForeignLock):
            return self._foreign(spec, progress)
        return self._conda(spec, before, progress)

    # ---------------------------------------------------------------------------------------------- conda

    def _conda(self, spec: CondaFile, old: Locked | None, progress: Progress) -> Locked:
        file = condafile.read(spec.path, spec.origin)
        for note in file.notes:
            progress.note(note)
        platforms = list(dict.fromkeys([*spec.platforms, *file.platforms])) or [self._platform]
        if len(platforms) > 1:
            _refuse_selected(file.pip)
        sources = file.sources(self._environ)
        conda = self._rattler(progress)
        pins = {}
        for platform in platforms:
            kept = _from(sources, old.platforms.get(platform) if old else None)
            pins[platform] = conda.solve(file.request(platform, sources), kept, where=near(spec.path))
        if file.pip:
            for note in _beside_others(self._platform, pins, near(spec.path)):
                progress.note(note)
        return Locked(
            kind="conda",
            digest=digest(spec),
            python=_python_of(pins[next(iter(pins))].conda, near(spec.path)),
            channels=[each.name for each in sources],
            variables=file.variables,
            pip=self._beside(file, sources, pins, old, conda) if file.pip else "",
            platforms=pins,
        )

    def _beside(
        self,
        file: EnvironmentFile,
        sources: Sequence[Channel],
        pins: Mapping[str, Pins],
        old: Locked | None,
        conda: Conda,
    ) -> str:
        """The requirements under ``pip:``, without what conda brings: whatever that is, it is known only once
        it is installed, as names and versions of conda's packages are their own."""
        if self._platform not in pins:
            raise BadSpec(
                f"'pip:' can only be locked on a platform that it is for; add {self._platform} to platforms",
                near(file.path),
            )
        asked = file.requirements(self._platform)
        given = "".join(f"{each.text}\n" for each in asked)
        whole = requirementfile.parse(given, Place(file.path, 1))
        with self._kept.scratch() as scratch:
            prefix = os.path.join(scratch, "prefix")
            conda.install(pins[self._platform].conda, sources, prefix)
            python = os.path.join(prefix, "bin", "python")
            provided = self._uv.distributions(python)
            refuse_contrary(asked, provided, _whole_version(pins[self._platform].conda))
            try:
                pip = self._uv.compile(
                    "-",
                    given=given,
                    python=python,
                    folder=file.folder,
                    platforms=tuple(pins) if len(pins) > 1 else (),
                    kept=lockedlines.lasting(old.pip, whole.hashes) if old else "",
                    without=sorted(provided),
                    scratch=scratch,
                )
            except Unsatisfiable as error:
                raise Unsatisfiable(f"under 'pip:' {error}", file.pip[0].place) from None
        pip = lockedlines.narrowed(pip, whole.hashes, file.pip[0].place)
        return _with_options(whole.options, pip)

    def _foreign(self, spec: ForeignLock, progress: Progress) -> Locked:
        """What another tool has locked is taken over as it is."""
        conda = self._rattler(progress)
        found = {
            platform: conda.read_lock(spec.path, platform, spec.environment, where=spec.origin)
            for platform in spec.platforms or (self._platform,)
        }
        pips = {each.pip for each in found.values()}
        if len(pips) > 1:
            raise BadSpec("what pip is to install differs between platforms; say one", spec.origin)
        records = next(iter(found.values())).records
        return Locked(
            kind="lockfile",
            digest=digest(spec),
            python=_python_of(records, near(spec.path)),
            channels=sorted({record.channel for record in records}),
            pip=pips.pop(),
            platforms={platform: pinned(each.records) for platform, each in found.items()},
        )

    def _rattler(self, progress: Progress) -> Conda:
        return Conda(self._environ, self._kept.conda, offline=self._offline, progress=progress)

    # ------------------------------------------------------------------------------------------------- uv

    def _requirements(self, spec: Requirements, old: Locked | None) -> Locked:
        asked = requirementfile.read(spec.path, spec.origin)
        python, found = self._python(spec.python)
        platforms = spec.platforms or (self._platform,)
        with self._kept.scratch() as scratch:
            try:
                pip = self._uv.compile(
                    spec.path,
                    python=python,
                    folder=os.path.dirname(spec.path),
                    platforms=() if platforms == (self._platform,) else platforms,
                    kept=lockedlines.lasting(old.pip, asked.hashes) if old else "",
                    scratch=scratch,
                )
            except Unsatisfiable as error:
                raise Unsatisfiable(
                    f"{near(spec.path)}, for Python {found.minor}: {error}", spec.origin
                ) from None
        pip = lockedlines.narrowed(pip, asked.hashes, near(spec.path))
        return Locked(
            kind="requirements",
            digest=digest(spec),
            python=found.minor,
            pip=_with_options(asked.options, pip),
            platforms={platform: Pins() for platform in platforms},
        )

    def _project(self, spec: Project, old: Locked | None) -> Locked:
        """By what uv has locked, if it has; else as requirements."""
        asked = project.read(spec)
        python, found = self._python(spec.python)
        project.refuse_python(spec, asked.requires, found.version)
        if asked.uv_lock:
            pip = self._uv.export(spec.path, spec.extras, spec.groups, python=python)
        else:
            pip = self._compiled(spec, python, old)
        _refuse_local(pip, spec)
        return Locked(
            kind="project",
            digest=digest(spec),
            python=found.minor,
            pip=_with_options(asked.options, pip),
            platforms={lock.ANY if asked.uv_lock else self._platform: Pins()},
        )

    def _compiled(self, spec: Project, python: str, old: Locked | None) -> str:
        with self._kept.scratch() as scratch:
            return self._uv.compile(
                "pyproject.toml",
                python=python,
                folder=spec.path,
                extras=spec.extras,
                groups=spec.groups,
                kept=lockedlines.lasting(old.pip, ()) if old else "",
                scratch=scratch,
            )

    def _python(self, request: str) -> tuple[str, Probe]:
        python = interpreters.find(request, self._environ)
        found = interpreters.probe(python, self._environ)
        interpreters.refuse_unfit(python, found)
        return python, found


def _from(sources: Sequence[Channel], known: Pins | None) -> list[CondaRecord]:
    """Of what was locked, what can stay: nothing is taken from a channel that is not named any more."""
    names = {each.name for each in sources}
    return [record for record in known.conda if record.channel in names] if known else []


def _python_of(records: Sequence[CondaRecord], told: str) -> str:
    """The version that conda's packages bring: ``3.10``.

    Raises:
        BadSpec: none of them is a Python, or it is too old.
    """
    whole = _whole_version(records)
    if not whole:
        raise BadSpec("there is no python among its packages, and stages are Python", told)
    version = whole.split(".")[:2]
    if tuple(map(int, version)) < interpreters.OLDEST:
        oldest = ".".join(map(str, interpreters.OLDEST))
        raise BadSpec(f"it comes to Python {whole}; stages need {oldest} or newer", told)
    return ".".join(version)


def _whole_version(records: Sequence[CondaRecord]) -> str:
    """The version of the one among them: ``3.10.13``; empty: there is none."""
    return next((record.version for record in records if record.name == "python"), "")


def _beside_others(platform: str, pins: Mapping[str, Pins], told: str) -> Iterator[str]:
    """What may be wrong with ``pip:`` on other platforms: it is resolved beside conda's packages of this one.

    Raises:
        BadSpec: conda brings another Python there.
    """
    here = {record.name for record in pins[platform].conda} if platform in pins else set()
    for name, each in pins.items():
        if _python_of(each.conda, told) != _python_of(pins[next(iter(pins))].conda, told):
            raise BadSpec(
                f"conda brings another Python on {name}, and what is under 'pip:' can be locked for one; say"
                " python=3.N under dependencies",
                told,
            )
        other = sorted(here ^ {record.name for record in each.conda})
        if other and name != platform:
            yield (
                f"what is under 'pip:' is resolved beside conda's packages of {platform}, and {name} differs"
                f" in {', '.join(other)}; look there whether it still goes together"
            )


def _refuse_selected(pip: Sequence[condafile.Requirement]) -> None:
    """uv locks for all platforms at once, and knows no selectors of conda's.

    Raises:
        BadSpec: one of the requirements is for some platforms only.
    """
    for each in pip:
        if each.selector:
            raise BadSpec(
                "a selector under 'pip:' cannot be locked for several platforms; write a marker of pip's:"
                f' {each.text}; sys_platform == "linux"',
                each.place,
            )


def refuse_contrary(asked: Sequence[condafile.Requirement], provided: Mapping[str, str], python: str) -> None:
    """What conda brings is not replaced: both would be there.

    Args:
        asked: Under ``pip:``.
        provided: Versions of what conda brings, by name.
        python: The version that it brings, which markers are about.

    Raises:
        BadSpec: a requirement asks for another version than conda brings.
    """
    versions = {canonicalize_name(name): version for name, version in provided.items()}
    about = {"python_version": ".".join(python.split(".")[:2]), "python_full_version": python}
    for each in asked:
        for line in each.asked.requirements:
            if re.match(r"\w+\+?\w*://", line):
                continue
            wanted = Requirement(line)
            found = versions.get(canonicalize_name(wanted.name))
            applies = wanted.marker is None or wanted.marker.evaluate(about)
            if found and applies and not wanted.specifier.contains(found, prereleases=True):
                raise BadSpec(
                    f"'pip:' asks for {str(wanted)!r}, but conda brings {wanted.name} {found}; change one",
                    each.place,
                )


def _with_options(options: tuple[str, ...], pip: str) -> str:
    return "".join(f"{option}\n" for option in options) + pip


def _refuse_local(pip: str, spec: Project) -> None:
    """Code beside the project is somebody's to import, and not to be installed from a path.

    Raises:
        BadSpec: the project depends on some.
    """
    for line in pip.splitlines():
        if lockedlines.is_local(line):
            told = line.removeprefix("-e ").split(" ;")[0].rstrip(" \\")
            raise BadSpec(
                f"{near(spec.path)} depends on {told!r}: what lies on this machine cannot be locked for"
                " others; let the stages import it from beside the app",
                spec.origin,
            )
