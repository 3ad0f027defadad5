"""What `doctor` looks at on this machine. Judging is apart from measuring: judges only get numbers."""

from __future__ import annotations

import os
import platform
import resource
import stat
import sys
from importlib import metadata
from pathlib import Path

from penstock.cli.figures import size
from penstock.cli.finding import BAD, DOUBTFUL, GOOD, Finding
from penstock.runtime import boot, rundir

MIB = 2**20

ENOUGH_SHM = 256 * MIB
"""Below this, arrays of a few MB soon travel by socket. Containers get 64 MB unless told otherwise."""

ENOUGH_FILES = 1024
"""Open files: a worker needs about 20 and 3 more per peer, the supervisor 2 per worker."""

FEW_FILES = 128

OLDEST = {package: least for _, package, least in boot.NEEDS}
"""What every process of a run needs."""


def examine(run_base: str, dead_runs: list[str]) -> list[Finding]:
    """Look at all of it.

    Args:
        run_base: where run directories are made.
        dead_runs: those in it whose supervisor is gone.
    """
    status = _statvfs(run_base)
    return [
        judge_platform(sys.platform, platform.release(), hasattr(os, "pidfd_open")),
        judge_python(sys.implementation.name, sys.version_info[:3]),
        *(judge_package(name, installed(name), OLDEST.get(name)) for name in ("pyzmq", "msgspec", "numpy")),
        judge_shm(run_base, status.f_frsize * status.f_blocks, status.f_frsize * status.f_bavail),
        judge_run_base(run_base, _look(run_base), os.getuid()),
        judge_path(run_base),
        judge_files(*resource.getrlimit(resource.RLIMIT_NOFILE)),
        judge_dead_runs(dead_runs),
    ]


def judge_platform(name: str, release: str, has_pidfd: bool) -> Finding:
    """Workers' deaths are learnt from the Linux kernel."""
    if name != "linux":
        return Finding(
            "system", BAD, f"{name} is not supported", "run penstock on Linux, or in a Linux container"
        )
    if not has_pidfd:
        return Finding("system", BAD, f"Linux {release} has no pidfd_open", "use a kernel from 5.3 on")
    return Finding("system", GOOD, f"Linux {release}")


def judge_python(implementation: str, version: tuple[int, ...]) -> Finding:
    """The supervisor's own Python; stages may have older ones."""
    text = f"{implementation} {dotted(version)}"
    if implementation != "cpython" or version < (3, 11):
        return Finding("python", BAD, text, "penstock itself needs CPython 3.11 or later (its stages: 3.9)")
    return Finding("python", GOOD, f"{text}   {sys.executable}")


def judge_package(name: str, version: str | None, oldest: tuple[int, ...] | None) -> Finding:
    """A package of this environment; without ``oldest`` it is optional."""
    if version is None:
        if oldest is None:
            return Finding(name, GOOD, "not installed; needed only where arrays travel")
        return Finding(name, BAD, "not installed", f"pip install '{name}>={dotted(oldest)}'")
    if oldest and boot.numbers(version) < oldest:
        return Finding(name, BAD, f"{version} is too old", f"pip install '{name}>={dotted(oldest)}'")
    return Finding(name, GOOD, version)


def judge_shm(path: str, total: int, free: int) -> Finding:
    """Room for arrays."""
    text = f"{size(free)} of {size(total)} free at {path}"
    if free < ENOUGH_SHM:
        cure = "arrays will travel by socket, slower; give a container more with --shm-size=1g"
        return Finding("shared memory", DOUBTFUL, text, cure)
    return Finding("shared memory", GOOD, text)


def judge_run_base(path: str, found: os.stat_result | None, uid: int) -> Finding:
    """The directory of run directories: nobody else may reach the sockets in it."""
    if found is None:
        return Finding("run directory", GOOD, f"{path} (made when first needed)")
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode):
        return Finding(
            "run directory", BAD, f"{path} is not a directory", "remove it, or set PENSTOCK_RUN_DIR"
        )
    if found.st_uid != uid:
        return Finding(
            "run directory",
            BAD,
            f"{path} belongs to user {found.st_uid}",
            "set PENSTOCK_RUN_DIR to a directory of yours",
        )
    if mode & 0o077:
        return Finding(
            "run directory", BAD, f"{path} is open to others (mode {mode:04o})", f"chmod 700 {path}"
        )
    return Finding("run directory", GOOD, f"{path}, mode {mode:04o}")


def judge_path(path: str) -> Finding:
    """Sockets lie below it, and the kernel takes no long path for a socket."""
    length = len(os.fsencode(path)) + len("/x-123456") + rundir.ROOM_FOR_NAMES
    text = f"{length} bytes at least, of {rundir.SOCKET_PATH_LIMIT}"
    if length > rundir.SOCKET_PATH_LIMIT:
        return Finding("socket paths", BAD, text, "set PENSTOCK_RUN_DIR to a shorter path")
    return Finding("socket paths", GOOD, text)


def judge_files(soft: int, hard: int) -> Finding:
    """How many files a process may have open."""
    text = "unlimited" if soft == resource.RLIM_INFINITY else f"{soft} per process"
    if soft == resource.RLIM_INFINITY or soft >= ENOUGH_FILES:
        return Finding("open files", GOOD, text)
    more = min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536
    verdict = BAD if soft < FEW_FILES else DOUBTFUL
    return Finding("open files", verdict, f"{text}: too few for many workers", f"ulimit -n {more}")


def judge_dead_runs(paths: list[str]) -> Finding:
    """What runs left that were killed from outside."""
    if not paths:
        return Finding("leftovers", GOOD, "none")
    names = ", ".join(Path(path).name for path in paths)
    return Finding(
        "leftovers", DOUBTFUL, f"of {len(paths)} dead: {names}", "the next `penstock run` removes them"
    )


def installed(name: str) -> str | None:
    """The version of a package of this environment, without importing it."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def dotted(version: tuple[int, ...]) -> str:
    """``(0, 18, 6)`` as ``"0.18.6"``."""
    return ".".join(map(str, version))


def _statvfs(path: str) -> os.statvfs_result:
    """Of ``path`` or, while it is not there, of what it will be made in."""
    there = Path(path)
    while not there.exists():
        there = there.parent
    return os.statvfs(there)


def _look(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None
