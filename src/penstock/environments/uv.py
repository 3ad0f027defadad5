"""uv: it resolves and installs all that pip would. Run as a program, in an environment that tells it nothing.

What the user has set for uv (indexes, credentials, proxies, certificates, folders of wheels, a cache) stays;
what would lead it to another Python than the one that is meant goes (astral-sh/uv#8940).
"""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import threading
from collections.abc import Mapping, Sequence

from penstock.environments.secret import redacted
from penstock.environments.surroundings import scrubbed
from penstock.errors import BuildFailed, EnvironmentFault, PenstockError, SourceAway, StaleLock, Unsatisfiable

_FINDING = threading.Lock()
"""uv asks sysconfig, whose first answer to a second thread is half of one."""
_MISLEADING = ("UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "UV_SYSTEM_PYTHON")
_PATHS = ("UV_FIND_LINKS", "UV_CACHE_DIR")
"""Seen from where the user says them; uv is started in other folders, too."""
_NAMES = {
    "linux-64": "x86_64-unknown-linux-gnu",
    "linux-aarch64": "aarch64-unknown-linux-gnu",
    "osx-64": "x86_64-apple-darwin",
    "osx-arm64": "aarch64-apple-darwin",
    "win-64": "x86_64-pc-windows-msvc",
}
"""What uv calls a platform of conda's."""

# What uv says, and what it means; the first that fits.
_MEANINGS: tuple[tuple[str, type[PenstockError], str], ...] = (
    (r"[Hh]ash mismatch", BuildFailed, "a package is not the one that was locked"),
    (
        r"lockfile at `uv\.lock` needs to be updated",
        StaleLock,
        "uv.lock is older than its pyproject.toml; run `uv lock` there",
    ),
    (r"No space left on device", BuildFailed, "the disk is full"),
    (r"Read-only file system", BuildFailed, "the cache cannot be written"),
    (r"network was disabled|--offline", SourceAway, "it is not in uv's cache, and uv is to stay offline"),
    (r"40[13] |Unauthorized|Forbidden", SourceAway, "an index refuses us; credentials belong into ~/.netrc"),
    (r"No solution found", Unsatisfiable, "no set of packages is what is asked for"),
    (
        r"error sending request|dns error|[Cc]onnect|Failed to fetch|timed out",
        SourceAway,
        "an index cannot be reached",
    ),
)


class Uv:
    """uv with the user's settings; ``offline``: it takes nothing from the network."""

    def __init__(
        self, environ: Mapping[str, str], *, offline: bool = False, holding: Sequence[int] = ()
    ) -> None:
        """``holding``: file descriptors that what is started keeps open.

        A lock among them is held until uv has ended, even where we are killed before it.
        """
        self._environ = scrubbed(environ)
        for name in _MISLEADING:
            self._environ.pop(name, None)
        for name in _PATHS:
            if said := self._environ.get(name):
                self._environ[name] = ",".join(map(_absolute, said.split(",")))
        self._environ.update(UV_NO_PROGRESS="1", NO_COLOR="1")
        self._environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
        self._offline = offline
        self._holding = tuple(holding)

    def compile(
        self,
        source: str,
        *,
        given: str = "",
        python: str,
        folder: str,
        extras: Sequence[str] = (),
        groups: Sequence[str] = (),
        platforms: Sequence[str] = (),
        kept: str = "",
        without: Sequence[str] = (),
        scratch: str,
    ) -> str:
        """Requirements with a version and hashes for each, markers in them where there are several platforms.

        Args:
            source: A file of requirements, a ``pyproject.toml``, or ``-``: what is ``given``.
            given: Requirements.
            python: The interpreter that they are for.
            folder: What paths in ``given`` are seen from.
            extras: Of the project.
            groups: Of the project.
            platforms: As conda names them; none: this one.
            kept: What was locked before: its versions stay where they can.
            without: Distributions that are there already, by whatever means.
            scratch: A folder that is ours, for what is handed over in files.

        Raises:
            Unsatisfiable: there is no such set of packages.
            SourceAway: an index cannot be reached.
            BuildFailed: anything else; uv's own words are in it.
        """
        output, excluded = os.path.join(scratch, "requirements.txt"), os.path.join(scratch, "excludes.txt")
        _write(output, kept)
        _write(excluded, "\n".join(without))
        args = ["pip", "compile", "--quiet", "--no-header", "--no-annotate", "--generate-hashes"]
        args += ["--no-emit-index-url", "--no-emit-find-links", "--python", python, "--output-file", output]
        if len(platforms) > 1:
            args.append("--universal")
        args += ["--python-platform", _NAMES[platforms[0]]] if len(platforms) == 1 else []
        args += ["--excludes", excluded] if without else []
        args += [f"--extra={name}" for name in extras] + [f"--group={name}" for name in groups]
        self._run([*args, source], folder=folder, given=given)
        with open(output, encoding="utf-8") as file:
            return file.read()

    def export(self, folder: str, extras: Sequence[str], groups: Sequence[str], *, python: str) -> str:
        """What the ``uv.lock`` in ``folder`` has locked, as requirements with hashes and markers.

        Raises:
            StaleLock: it is not what its ``pyproject.toml`` asks for now; other errors as of ``compile``.
        """
        args = ["export", "--quiet", "--locked", "--no-default-groups", "--no-emit-project", "--no-header"]
        args += ["--no-annotate", "--format", "requirements-txt", "--python", python]
        args += [f"--extra={name}" for name in extras] + [f"--group={name}" for name in groups]
        return self._run(args, folder=folder)

    def venv(self, python: str, prefix: str) -> None:
        """A virtual environment of ``python`` at ``prefix``, with nothing in it."""
        self._run(["venv", "--quiet", "--no-project", "--no-config", "--python", python, prefix])

    def install(self, python: str, text: str, *, folder: str | None = None, target: str = "") -> None:
        """Install just what ``text`` lists, into the environment of ``python`` or the folder ``target``.

        Raises:
            SourceAway: it cannot be had now.
            BuildFailed: it cannot be installed, or is not what was locked.
        """
        args = ["pip", "install", "--quiet", "--no-deps", "--python", python, "--requirements", "-"]
        args += ["--require-hashes"] if is_hashed(text) else []
        args += ["--target", target] if target else []
        self._run(args, folder=folder, given=text)

    def distributions(self, python: str) -> dict[str, str]:
        """Versions of what is installed in the environment of ``python``, by name."""
        listed = json.loads(self._run(["pip", "list", "--python", python, "--format", "json"]))
        return {each["name"]: each["version"] for each in listed}

    def conflicts(self, python: str) -> list[str]:
        """Sentences about packages in the environment of ``python`` that others do not go with, or lack."""
        done = self._start(["pip", "check", "--python", python])
        return [line.strip() for line in done.stderr.splitlines() if line.startswith("The package ")]

    def find_python(self, request: str, path: str) -> str:
        """The path of a Python like ``3.10`` or ``>=3.9,<3.11``; empty: there is none.

        Args:
            request: As uv reads it.
            path: In place of ``PATH``.
        """
        args = ["python", "find", "--no-project", "--no-config", request]
        done = self._start(args, environ={**self._environ, "PATH": path})
        return done.stdout.strip() if done.returncode == 0 else ""

    def _run(self, args: Sequence[str], *, folder: str | None = None, given: str = "") -> str:
        done = self._start(args, folder=folder, given=given)
        if done.returncode:
            raise understood(done.stderr, done.returncode)
        return done.stdout

    def _start(
        self,
        args: Sequence[str],
        *,
        folder: str | None = None,
        given: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        command = [program(), *args, *(["--offline"] if self._offline else [])]
        return subprocess.run(
            command,
            cwd=folder,
            env=environ or self._environ,
            input=given,
            pass_fds=self._holding,
            capture_output=True,
            text=True,
            check=False,
        )


def program() -> str:
    """The path of uv.

    Raises:
        EnvironmentFault: it is not installed.
    """
    try:
        import uv

        with _FINDING:
            return str(uv.find_uv_bin())
    except (ImportError, FileNotFoundError):
        raise EnvironmentFault("uv is not installed beside penstock; say: pip install uv") from None


def is_hashed(text: str) -> bool:
    """Whether each requirement in ``text`` has a hash. (Those of repositories have none.)"""
    entries = [each for each in re.split(r"\n(?=\S)", text.strip()) if each and each[0] not in "#-"]
    return bool(entries) and all("--hash=" in each for each in entries)


def understood(said: str, code: int) -> PenstockError:
    """The error that uv's words are about. They stay: none of ours would be better."""
    words = redacted(said.strip()) or f"uv ended with exit code {code}"
    for pattern, kind, sentence in _MEANINGS:
        if re.search(pattern, words):
            return kind(f"{sentence}:\n{_indented(words)}")
    return BuildFailed(f"uv could not do it:\n{_indented(words)}")


def _absolute(path: str) -> str:
    return path if "://" in path else os.path.abspath(os.path.expanduser(path))


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        what = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
        raise BuildFailed(f"{path} cannot be written: {what}") from None
