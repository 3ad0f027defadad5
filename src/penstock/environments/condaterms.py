"""In the process of ``condahelper``: what is ours in rattler's terms, and the other way round."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence

import rattler

from penstock.environments import condawire as wire
from penstock.environments.channels import Channel
from penstock.environments.lock import CondaRecord


class Refused(Exception):
    """It cannot be done, for a reason that has a name."""

    def __init__(self, kind: wire.Kind, message: str, index: int = -1) -> None:
        """``index``: of the spec that is meant, if one is."""
        super().__init__(message)
        self.failed = wire.Failed(kind, message, index)


def config(channels: Sequence[Channel]) -> rattler.Config:
    """rattler's own configuration: mirrors, proxies, certificates, credentials, how files are linked.

    The token of a channel is added on the wire alone: records, and what is made from them, do not have it.
    """
    found = rattler.Config.load_from_default_locations("penstock")
    secret = {each.url: [each.wire] for each in channels if each.url != each.wire}
    if secret:
        found.set("mirrors", json.dumps({**found.mirrors, **secret}))
    return found


def client(settings: rattler.Config) -> rattler.Client:
    """What fetches, as it is configured."""
    return rattler.Client.from_config(settings, user_agent="penstock")


def channel(named: Channel) -> rattler.Channel:
    """rattler's."""
    return rattler.Channel(named.url, rattler.ChannelConfig(root_dir="/"))


def address(named: Channel) -> str:
    """Where it is: what a bare name means is conda's to say."""
    return str(channel(named).base_url).rstrip("/")


def ours(record: rattler.RepoDataRecord, names: Mapping[str, str]) -> CondaRecord:
    """What a lock has of one of rattler's records. ``names``: those of channels by their addresses."""
    told = json.loads(record.to_json())
    place = record.url.removesuffix(f"/{told['subdir']}/{record.file_name}")
    return CondaRecord(
        name=told["name"],
        version=told["version"],
        build=told["build"],
        build_number=told.get("build_number") or 0,
        subdir=told["subdir"],
        noarch=told.get("noarch") or None,
        depends=told.get("depends") or [],
        constrains=told.get("constrains") or [],
        python_site_packages_path=told.get("python_site_packages_path") or None,
        channel=names.get(place, place),
        fn=record.file_name,
        size=told.get("size"),
        sha256=told.get("sha256"),
        md5=told.get("md5"),
    )


def theirs(record: CondaRecord, addresses: Mapping[str, str]) -> rattler.RepoDataRecord:
    """The other way round: ``addresses`` of channels by their names."""
    place = addresses.get(record.channel, record.channel)
    package = rattler.PackageRecord(
        record.name,
        record.version,
        rattler.BuildString(record.build),
        record.build_number,
        record.subdir,
        noarch=_noarch(record),
        depends=record.depends,
        constrains=record.constrains,
        sha256=bytes.fromhex(record.sha256) if record.sha256 else None,
        md5=bytes.fromhex(record.md5) if record.md5 else None,
        size=record.size,
        python_site_packages_path=record.python_site_packages_path,
    )
    return rattler.RepoDataRecord(package, record.fn, f"{place}/{record.subdir}/{record.fn}", place)


def _noarch(record: CondaRecord) -> rattler.NoArchType | None:
    return rattler.NoArchType(record.noarch) if record.noarch in {"python", "generic"} else None  # type: ignore[arg-type]


def here() -> list[rattler.GenericVirtualPackage]:
    """What this machine brings, or is said to by ``CONDA_OVERRIDE_*``: its C library, its driver of CUDA."""
    found = rattler.VirtualPackage.detect(rattler.VirtualPackageOverrides.from_env())
    return [each.into_generic() for each in found]


_ELSEWHERE = {
    "linux": {"unix": "0", "linux": "4.18", "glibc": "2.28", "cuda": ""},
    "osx": {"unix": "0", "osx": "13.0"},
    "win": {"win": "0", "cuda": ""},
}
"""What another machine brings at the least, as pixi has it; an empty one if ``CONDA_OVERRIDE_*`` says."""


def virtual(platform: str) -> list[rattler.GenericVirtualPackage]:
    """What a machine of ``platform`` brings: this one, or the least that one brings that is still about."""
    if platform == str(rattler.Subdir.current()):
        return here()
    said = {
        name: os.environ.get(f"CONDA_OVERRIDE_{name.upper()}", least)
        for name, least in _ELSEWHERE[platform.partition("-")[0]].items()
    }
    return [
        rattler.GenericVirtualPackage(
            rattler.PackageName(f"__{name}"), rattler.Version(version), rattler.BuildString("0")
        )
        for name, version in said.items()
        if version
    ]
