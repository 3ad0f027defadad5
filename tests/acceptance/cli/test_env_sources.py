"""Where packages come from for uv: a private index, a folder where there is no network; and what stops it."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.acceptance.cli.terminal import PENSTOCK, Terminal
from tests.channel import served
from tests.wheels import wheel

NO_NETWORK = ["unshare", "--map-root-user", "--net"]
TMPFS = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
LOGIN = "Basic " + base64.b64encode(b"bob:hunter2").decode()


@pytest.fixture
def project(terminal: Terminal, tmp_path: Path, needs: Path) -> Terminal:
    """An environment of a package `alpha`, which an index has; what workers need is in a folder."""
    made = wheel(tmp_path / "site" / "files", "alpha", "1.0")
    (tmp_path / "site" / "simple" / "alpha").mkdir(parents=True)
    link = f'<a href="../../files/{made.name}">{made.name}</a>'
    (tmp_path / "site" / "simple" / "alpha" / "index.html").write_text(link)
    (tmp_path / "home").mkdir()
    terminal.environment |= {
        "HOME": str(tmp_path / "home"),
        "UV_FIND_LINKS": str(needs),
        "UV_DEFAULT_INDEX": needs.as_uri(),
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "PENSTOCK_CACHE_DIR": str(tmp_path / "cache"),
        "NO_PROXY": "*",
    }
    terminal.write("envs/torch.txt", "alpha\n")
    terminal.write("penstock.toml", '[envs.torch]\nrequirements = "envs/torch.txt"\n')
    return terminal


def through(project: Terminal, before: Sequence[str], *words: str) -> subprocess.CompletedProcess[str]:
    """A command in namespaces of its own; where nobody may make one, that is skipped, and fails in CI."""
    kind = ["unshare", "--map-root-user", "--net", "--mount", "true"]
    if subprocess.run(kind, capture_output=True, check=False).returncode:
        sentence = "namespaces are not allowed here"
        pytest.fail(sentence) if os.environ.get("CI") == "true" else pytest.skip(sentence)
    command = [*before, *PENSTOCK, *words]
    return subprocess.run(
        command, cwd=project.directory, env=project.environment, capture_output=True, text=True, check=False
    )


def test_a_private_index_is_entered_by_netrc_and_its_password_is_kept_nowhere(
    project: Terminal, tmp_path: Path
) -> None:
    with served(tmp_path / "site", credentials=LOGIN) as server:
        project.environment["UV_DEFAULT_INDEX"] = f"{server.url}/simple"
        refused = project.type("env", "lock", code=5).stderr
        assert "an index refuses us; credentials belong into ~/.netrc" in refused
        netrc = tmp_path / "home" / ".netrc"
        netrc.write_text("machine 127.0.0.1 login bob password hunter2\n")
        netrc.chmod(0o600)
        project.type("env", "lock")
        project.type("env", "build")
        assert any(LOGIN in each for each in server.asked)
    lock = (project.directory / "penstock.lock").read_text()
    assert "alpha==1.0" in lock
    assert "127.0.0.1" not in lock
    kept = [each for each in (tmp_path / "cache").rglob("*") if each.is_file()]
    assert kept
    assert not any(b"hunter2" in each.read_bytes() for each in kept)


def test_a_folder_of_wheels_is_enough_where_there_is_no_network(project: Terminal, tmp_path: Path) -> None:
    project.environment["UV_FIND_LINKS"] += f",{tmp_path / 'site' / 'files'}"
    project.environment.pop("UV_DEFAULT_INDEX")
    for verb in ("lock", "build"):
        done = through(project, NO_NETWORK, "env", verb, "--offline")
        assert done.returncode == 0, done.stderr
    code = "import alpha; print(alpha.__version__)"
    assert project.type("env", "shell", "torch", "--", "python", "-c", code).stdout == "1.0\n"


def test_ctrl_c_in_a_build_leaves_nothing_that_looks_whole_and_the_next_one_goes_on(
    project: Terminal, tmp_path: Path
) -> None:
    with served(tmp_path / "site") as server:
        project.environment["UV_DEFAULT_INDEX"] = f"{server.url}/simple"
        project.type("env", "lock")
        project.environment["UV_CACHE_DIR"] = str(tmp_path / "another")
    with served(tmp_path / "site", stalled=".whl") as server:
        project.environment["UV_DEFAULT_INDEX"] = f"{server.url}/simple"
        build = project.start("env", "build")
        assert server.stall.wait(60)
        build.send_signal(signal.SIGINT)
        _, said = build.communicate(timeout=60)
        assert build.returncode == 130
        assert "Traceback" not in said
        assert "`penstock env build` goes on" in said
        assert project.ask("env", "list")["environments"][0]["state"] == "not built"
        server.go_on.set()
        project.type("env", "build")
    assert project.ask("env", "list")["environments"][0]["state"] == "ready"


@pytest.mark.parametrize(
    ("options", "sentence"), [("size=64k", "the disk is full"), ("ro", "nothing can be written in")]
)
def test_a_cache_that_takes_nothing_more_is_told(
    project: Terminal, tmp_path: Path, options: str, sentence: str
) -> None:
    project.environment["UV_FIND_LINKS"] += f",{tmp_path / 'site' / 'files'}"
    project.type("env", "lock")
    cache = tmp_path / "full"
    cache.mkdir()
    project.environment["PENSTOCK_CACHE_DIR"] = str(cache)
    mount = f'mount -t tmpfs -o {options} none {cache} && exec "$@"'
    done = through(project, [*TMPFS, mount, "sh"], "env", "build")
    assert done.returncode == 5
    assert sentence in done.stderr
    assert done.stderr.count("penstock: ") == 1


def test_what_is_exported_for_an_image_needs_no_more_than_it_copies(project: Terminal) -> None:
    """`make image` builds it for real, where there is an engine of containers."""
    project.environment["UV_FIND_LINKS"] += f",{project.directory / 'site' / 'files'}"
    project.type("env", "lock")
    lines = project.type("env", "export", "torch", "--format", "dockerfile").stdout.splitlines()
    words = [line.split() for line in lines if not line.startswith("#")]
    assert {each[0] for each in words} == {"RUN", "WORKDIR", "COPY", "ENV"}
    copy, build, rest = words[-3:]
    assert copy == ["COPY", "penstock.toml", "penstock.lock", "/app/"]
    assert rest == ["COPY", ".", "/app/"]
    (project.directory / "envs" / "torch.txt").unlink()
    (project.directory / "envs").rmdir()
    project.type(*build[2:])
