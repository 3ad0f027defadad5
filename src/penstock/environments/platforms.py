"""Kinds of machines, as conda names them."""

from __future__ import annotations

import platform
import sys

from penstock.errors import EnvironmentFault

PLATFORMS = ("linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64")
_MACHINES = {"x86_64": "64", "amd64": "64", "aarch64": "aarch64", "arm64": "arm64"}


def here() -> str:
    """This one.

    Raises:
        EnvironmentFault: environments cannot be made on such a machine.
    """
    system = {"linux": "linux", "darwin": "osx"}.get(sys.platform, sys.platform)
    found = f"{system}-{_MACHINES.get(platform.machine().lower(), platform.machine())}"
    if found not in PLATFORMS:
        raise EnvironmentFault(f"environments cannot be made on {found}; there is {', '.join(PLATFORMS)}")
    return found
