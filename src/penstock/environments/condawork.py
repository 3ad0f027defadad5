"""In the process of ``condahelper``: answers its question, by rattler, which does what conda does."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import rattler
from rattler.explicit_environment import ExplicitEnvironmentSpec
from rattler.install import InstallerReporter
from rattler.lock.package import CondaLockedBinaryPackage, LockedPackage, PypiLockedPackage
from rattler.shell import ActivationVariables, PathModificationBehavior, Shell, activate

from penstock.environments import condasolve, condaterms
from penstock.environments import condawire as wire
from penstock.environments.condaterms import Refused
from penstock.environments.lock import CondaRecord
from penstock.pipeline.nearest import nearest

_PACKAGE = re.compile(r"(.+)/([\w-]+)/(([^/]+)-([^/-]+)-([^/-]+?)(?:\.conda|\.tar\.bz2))")
"""An address: channel, subdir, file, and of that name, version and build."""

Say = Callable[[wire.Word], None]


async def answer(question: wire.Request, say: Say) -> wire.Answer:
    """What is answered; ``say`` tells how far it has come.

    Raises:
        Refused: it cannot be.
        Exception: whatever rattler raises.
    """
    match question:
        case wire.Solve():
            return await condasolve.solve(question, say)
        case wire.Install():
            return await _install(question, say)
        case wire.Activate():
            variables = ActivationVariables(None, [Path("/usr/bin")], PathModificationBehavior.Prepend)
            return wire.Script(activate(Path(question.prefix), variables, Shell.bash).script)
        case wire.ReadLock():
            return _read_lock(question)
        case wire.Locate():
            return wire.Located([condaterms.address(each) for each in question.channels])


# ---------------------------------------------------------------------------------------------- installing


class _Reporter(InstallerReporter):
    """Told by rattler what it does. Links count: each package is linked once, fetched or not."""

    def __init__(self, say: Say, total: int) -> None:
        self._say = say
        self._total = total
        self._linked = 0
        self._names: dict[int, str] = {}

    def on_transaction_start(self, total_operations: int) -> None:
        self._say(wire.Phase("installing"))

    def on_populate_cache_start(self, operation: int, package_name: str) -> int:
        self._names[operation] = package_name
        return operation

    def on_validate_start(self, cache_entry: int) -> int:
        return cache_entry

    def on_download_start(self, cache_entry: int) -> int:
        self._say(wire.Step(self._linked, self._total, f"fetching {self._names.get(cache_entry, '')}"))
        return cache_entry

    def on_link_start(self, operation: int, package_name: str) -> int:
        self._names[operation] = package_name
        return operation

    def on_link_complete(self, index: int) -> None:
        self._linked += 1
        self._say(wire.Step(self._linked, self._total, self._names.get(index, "")))


async def _install(question: wire.Install, say: Say) -> wire.Installed:
    _refuse_machine(question.records)
    addresses = {each.name: condaterms.address(each) for each in question.channels}
    records = [condaterms.theirs(each, addresses) for each in question.records]
    for record in records:
        _refuse_changed(record)
    cache = Path(question.cache) / "pkgs"
    if question.offline:
        await _refuse_uncached(records, cache)
    config = condaterms.config(question.channels)
    await rattler.install(
        records,
        target_prefix=question.prefix,
        cache_dir=cache,
        client=condaterms.client(config),
        config=config,
        reporter=_Reporter(say, len(records)),  # type: ignore[abstract]  # rattler's methods do nothing
    )
    return wire.Installed()


def _refuse_machine(records: Sequence[CondaRecord]) -> None:
    """What was locked on another machine may need a driver or a C library that this one has not."""
    here = {
        each.name.normalized: rattler.PackageRecord(
            each.name, str(each.version), each.build_string, 0, rattler.Subdir("noarch")
        )
        for each in condaterms.here()
    }
    for record in records:
        for need in record.depends:
            name = need.split()[0]
            if not name.startswith("__") or (name in here and rattler.MatchSpec(need).matches(here[name])):
                continue
            has = f"{name} {here[name].version}" if name in here else f"no {name}"
            raise Refused(
                "refused", f"{record.name} {record.version} needs {need}, and this machine has {has}"
            )


def _refuse_changed(record: rattler.RepoDataRecord) -> None:
    """rattler looks at the hash of what it downloads, and not at that of what it copies."""
    parts = urlsplit(record.url)
    algorithm, said = ("sha256", record.sha256) if record.sha256 else ("md5", record.md5)
    if parts.scheme != "file" or not said:
        return
    try:
        with open(unquote(parts.path), "rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
    except FileNotFoundError:
        return  # it may be in the cache; rattler says so if it is not
    if found != said.hex():
        raise Refused(
            "refused",
            f"{record.url} is not the package that was locked:"
            f" its {algorithm} is {found[:12]}..., and {said.hex()[:12]}... is locked",
        )


async def _refuse_uncached(records: Sequence[rattler.RepoDataRecord], cache: Path) -> None:
    """rattler has no word for staying offline while it installs."""
    known = await rattler.PackageCache(cache).index()
    missing = [
        each.file_name
        for each in records
        if not each.url.startswith("file:") and not known.contains_url(each, each.url)
    ]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise Refused("uncached", f"{', '.join(missing[:3])}{more}")


# --------------------------------------------------------------------------------------- locks of other tools


def _read_lock(question: wire.ReadLock) -> wire.Pinned:
    path = Path(question.path)
    if not path.is_file():
        raise Refused("bad", f"the lock file {path.name} does not exist")
    try:
        if path.suffix == ".txt":
            listed = ExplicitEnvironmentSpec.from_path(path).packages
            return wire.Pinned([_explicit(each.url) for each in listed], "")
        file = rattler.LockFile.from_path(path)
    except Exception as error:  # noqa: BLE001  (each format has errors of its own)
        what = str(error).replace("\nCaused by:", ":")
        raise Refused("bad", f"{path.name} is no lock file: {what}") from None
    packages = _packages(file, path.name, question)
    conda = [
        condaterms.ours(each.repo_data_record(), {})
        for each in packages
        if isinstance(each, CondaLockedBinaryPackage)
    ]
    pip = [_requirement(each) for each in packages if isinstance(each, PypiLockedPackage)]
    return wire.Pinned(conda, "".join(f"{each}\n" for each in sorted(pip)))


def _packages(file: rattler.LockFile, told: str, question: wire.ReadLock) -> Sequence[LockedPackage]:
    environments = dict(file.environments())
    name = question.environment or "default"
    if name not in environments:
        raise Refused("bad", f"{told} has no environment {name!r}{nearest(name, environments)}")
    platforms = {each.name: each for each in environments[name].platforms()}
    if question.platform not in platforms:
        has = " and ".join(sorted(platforms)) or "no platform"
        raise Refused("bad", f"{told} has nothing for {question.platform}, only for {has}")
    return environments[name].packages(platforms[question.platform]) or []


def _explicit(address: str) -> CondaRecord:
    """What the address of a package says of it; the rest is in the package."""
    url, _, digest = address.partition("#")
    found = _PACKAGE.fullmatch(url)
    if found is None:
        raise ValueError(f"{url} is not the address of a package")
    channel, subdir, file, name, version, build = found.groups()
    said = digest.removeprefix("sha256:")
    return CondaRecord(
        name=name,
        version=version,
        build=build,
        subdir=subdir,
        channel=channel,
        fn=file,
        md5=said if len(said) == 32 else None,
        sha256=said if len(said) == 64 else None,
    )


def _requirement(package: PypiLockedPackage) -> str:
    """By version and hash where it has one: then any index will do. Else by its address."""
    hashes = package.hashes
    sha256 = hashes.sha256 if hashes is not None else None
    if sha256 is None:
        return f"{package.name} @ {package.location}"
    return f"{package.name}=={package.version} --hash=sha256:{sha256.hex()}"
