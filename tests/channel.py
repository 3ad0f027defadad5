"""A conda channel made here: Pythons that are doors to those of this machine, and packages nobody else has.

python 3.9, 3.10, 3.13   a pyvenv.cfg and links: some KB, and `sys.prefix` is the environment's
pt-pebble 1.0, 2.0       2.0 wants Python 3.10
pt-brook 0.3             wants pt-pebble
pt-gauge 1.0             a script that activation runs
pt-cuda 1.0              wants a machine that nobody has
pip 24.0                 as environments list it
"""

from __future__ import annotations

import asyncio
import functools
import http.server
import itertools
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
THEN = datetime(2025, 1, 1, tzinfo=UTC)
HERE = "linux-64"
ELSEWHERE = "osx-arm64"


class Door(NamedTuple):
    """To a Python of this machine."""

    version: str
    home: Path
    """The directory its executable lies in."""

    @property
    def minor(self) -> str:
        return ".".join(self.version.split(".")[:2])


@pytest.fixture(scope="session")
def conda_channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The channel's directory, made by another process: one that rattler has run in may abort at its end."""
    from tests.conftest import find_interpreter

    folder = tmp_path_factory.mktemp("channel")
    pythons = [find_interpreter(version) for version in ("3.9", "3.10", "3.13")]
    subprocess.run([sys.executable, "-m", "tests.channel", str(folder), *pythons], cwd=ROOT, check=True)
    return folder / "channel"


def door(python: str) -> Door:
    ask = "import os, platform, sys; print(platform.python_version(), os.path.realpath(sys.executable))"
    said = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.split()
    return Door(said[0], Path(said[1]).parent)


def make(channel: Path, work: Path, doors: list[Door]) -> None:
    """Into the empty directory `channel`; `work` is for what goes into the packages."""
    for subdir in ("noarch", HERE, ELSEWHERE):
        (channel / subdir).mkdir(parents=True)
    pack = _packer(channel, work)
    for each in doors:
        pack(
            "python",
            each.version,
            files=functools.partial(_python, each),
            subdir=HERE,
            depends=["__glibc >=2.17"],
        )
    pack("python", "3.10.13", files=_nothing, subdir=ELSEWHERE, depends=["__osx >=11.0"])
    pack("python", "3.8.20", files=_nothing, subdir=HERE)
    for name, version, depends in [
        ("pt-pebble", "1.0", ["python >=3.9"]),
        ("pt-pebble", "2.0", ["python >=3.10"]),
        ("pt-brook", "0.3", ["python >=3.9", "pt-pebble >=1,<3"]),
        ("pt-cuda", "1.0", ["python >=3.9", "__cuda >=99"]),
        ("pip", "24.0", ["python >=3.8"]),
    ]:
        files = functools.partial(_module, name, version)
        pack(name, version, files=files, noarch="python", depends=depends)
    pack("pt-gauge", "1.0", files=_gauge, noarch="generic")
    index(channel)


def index(channel: Path) -> None:
    """Say in the channel what is in it."""
    from rattler.index.index import index_fs

    asyncio.run(index_fs(channel))


def _packer(channel: Path, work: Path) -> Callable[..., None]:
    from rattler_build import assemble_package

    count = itertools.count()

    def pack(
        name: str,
        version: str,
        *,
        files: Callable[[Path], None],
        subdir: str = "noarch",
        noarch: Literal["python", "generic"] | None = None,
        depends: list[str] | None = None,
    ) -> None:
        folder = work / f"{next(count)}-{name}"
        folder.mkdir(parents=True)
        files(folder)
        assemble_package(
            name,
            version,
            subdir,
            "0",
            channel / subdir,
            files_dir=folder,
            noarch=noarch,
            depends=depends or [],
            timestamp=THEN,
            compression_level=1,
        )

    return pack


def _python(each: Door, folder: Path) -> None:
    named = f"python{each.minor}"
    site = folder / "lib" / named / "site-packages"
    site.mkdir(parents=True)
    (site / "README.txt").write_text("what is installed comes here\n")
    (folder / "bin").mkdir()
    (folder / "bin" / named).symlink_to(each.home / named)
    for link in ("python3", "python"):
        (folder / "bin" / link).symlink_to(named)
    (folder / "pyvenv.cfg").write_text(
        f"home = {each.home}\ninclude-system-site-packages = false\nversion = {each.version}\n"
    )


def _nothing(folder: Path) -> None:
    (folder / "README.txt").write_text("nobody runs this\n")


def _module(name: str, version: str, folder: Path) -> None:
    module = name.replace("-", "_")
    for path, text in distribution(module, name, version, "conda").items():
        file = folder / "site-packages" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _gauge(folder: Path) -> None:
    (folder / "etc/conda/activate.d").mkdir(parents=True)
    (folder / "etc/conda/activate.d/pt-gauge.sh").write_text(
        'export GAUGE_DATA="$CONDA_PREFIX/share/gauge"\n'
    )
    (folder / "share/gauge").mkdir(parents=True)
    (folder / "share/gauge/level.txt").write_text("7\n")


def distribution(module: str, name: str, version: str, installer: str, requires: str = "") -> dict[str, str]:
    """The files of an installed package, by their paths; whole enough for `uv pip check`."""
    info = f"{module}-{version}.dist-info"
    return {
        f"{module}/__init__.py": f"__version__ = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/INSTALLER": f"{installer}\n",
        f"{info}/RECORD": "",
    }


def wheel(folder: Path, name: str, version: str, requires: list[str] | None = None) -> Path:
    """A wheel in `folder`, of the same make."""
    module = name.replace("-", "_")
    lines = "".join(f"Requires-Dist: {each}\n" for each in requires or [])
    files = distribution(module, name, version, "uv", lines)
    info = f"{module}-{version}.dist-info"
    files.pop(f"{info}/INSTALLER")
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in files)
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for each, text in files.items():
            file.writestr(zipfile.ZipInfo(each, (2025, 1, 1, 0, 0, 0)), text)
    return path


class Server(NamedTuple):
    """Serves a directory over HTTP."""

    url: str
    asked: list[str]
    """Paths, each with the credentials that came with it, if any: `/noarch/x.conda Basic ...`."""
    stall: threading.Event
    """Somebody waits for the file that is `stalled`."""
    go_on: threading.Event
    """It is given away."""


@contextmanager
def served(directory: Path, *, port: int = 0, credentials: str = "", stalled: str = "") -> Iterator[Server]:
    """`directory` at a port of its own; with `credentials` to those alone who say this `Authorization`."""
    asked: list[str] = []
    stall, go_on = threading.Event(), threading.Event()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            said = self.headers.get("Authorization", "")
            asked.append(f"{self.path} {said}".strip())
            if stalled and self.path.endswith(stalled):
                stall.set()
                go_on.wait()
            if credentials and said != credentials:
                self.send_error(401)
            else:
                super().do_GET()

        def log_message(self, *_: object) -> None: ...

    handler = functools.partial(Handler, directory=str(directory))
    with _Threads(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Server(f"http://127.0.0.1:{server.server_address[1]}", asked, stall, go_on)
        finally:
            go_on.set()
            server.shutdown()
            thread.join()


class _Threads(http.server.ThreadingHTTPServer):
    """Whoever has been killed meanwhile takes no answer."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    make(place / "channel", place / "work", [door(each) for each in sys.argv[2:]])
    os._exit(0)
