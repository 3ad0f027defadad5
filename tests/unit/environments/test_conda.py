from __future__ import annotations

import fcntl
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from penstock.environments import condafile
from penstock.environments.conda import Conda
from penstock.environments.condafile import CondaRequest
from penstock.environments.lock import CondaRecord
from penstock.errors import BadSpec, BuildFailed, EnvironmentFault, PenstockError, SourceAway, Unsatisfiable
from tests.channel import ELSEWHERE, HERE, Server, served

WHERE = "penstock.toml:3"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with nothing in it, which is the current directory."""
    for name in list(os.environ):
        if name.startswith(("CONDA_", "XDG_", "NETRC", "RATTLER_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server(conda_channel: Path) -> Iterator[Server]:
    with served(conda_channel) as found:
        yield found


def request(address: str | Path, *specs: str, platform: str = HERE) -> CondaRequest:
    """Of an environment.yml that says so."""
    lines = ["channels:", f"  - {address}", "dependencies:", *(f'  - "{each}"' for each in specs)]
    Path("environment.yml").write_text("\n".join(lines))
    file = condafile.read("environment.yml", WHERE)
    return file.request(platform, file.sources(os.environ))


def conda(*, offline: bool = False, **environ: str) -> Conda:
    return Conda({**os.environ, **environ}, "cache", offline=offline)


def said(python: Path, code: str) -> str:
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def without_noise(prefix: str) -> str:
    """All that an installed environment says of itself."""
    return "".join(path.read_text() for path in Path(prefix, "conda-meta").glob("*.json"))


# ------------------------------------------------------------------------------------------ what it does


@pytest.mark.parametrize(("version", "pebble"), [("3.9", "1.0"), ("3.10", "2.0"), ("3.13", "2.0")])
def test_what_is_asked_for_is_solved_and_installed(conda_channel: Path, version: str, pebble: str) -> None:
    asked = request(conda_channel, f"python={version}", "pt-brook")
    pins = conda().solve(asked, where=WHERE)
    assert [each.name for each in pins.conda] == ["pt-brook", "pt-pebble", "python"]
    assert pins.virtual_packages == ["__glibc >=2.17"]
    prefix = Path("prefix").absolute()
    conda().install(pins.conda, asked.channels, str(prefix))
    code = (
        "import sys, pt_brook, pt_pebble as p; print(sys.prefix, sys.version[:4].strip('.'), p.__version__)"
    )
    assert said(prefix / "bin" / "python", code) == f"{prefix} {version} {pebble}"


def test_versions_stay_where_they_can(conda_channel: Path) -> None:
    old = conda().solve(request(conda_channel, "python=3.10", "pt-pebble=1"), where=WHERE)
    asked = request(conda_channel, "python=3.10", "pt-pebble")
    assert conda().solve(asked, old.conda, where=WHERE) == old
    assert version_of(conda().solve(asked, where=WHERE).conda, "pt-pebble") == "2.0"
    newer = request(conda_channel, "python=3.10", "pt-pebble>1")
    assert version_of(conda().solve(newer, old.conda, where=WHERE).conda, "pt-pebble") == "2.0"


def version_of(records: list[CondaRecord], name: str) -> str:
    return next(each.version for each in records if each.name == name)


def test_it_is_solved_for_another_machine(conda_channel: Path) -> None:
    pins = conda().solve(request(conda_channel, "pt-brook", platform=ELSEWHERE), where=WHERE)
    assert {each.subdir for each in pins.conda} == {"noarch", ELSEWHERE}
    assert pins.virtual_packages == ["__osx >=11.0"]


def test_the_first_channel_that_has_a_package_is_the_only_one_it_is_taken_from(
    conda_channel: Path, tmp_path: Path
) -> None:
    first = tmp_path / "first" / "noarch"
    first.mkdir(parents=True)
    package = {"name": "pt-pebble", "version": "1.0", "build": "0", "build_number": 0, "depends": []}
    (first / "repodata.json").write_text(json.dumps({"packages": {"pt-pebble-1.0-0.tar.bz2": package}}))
    asked = request(f"{tmp_path / 'first'}\n  - {conda_channel}", "python=3.10", "pt-pebble>1")
    with pytest.raises(
        Unsatisfiable, match=r"'pt-pebble', but not as it is asked for; write '.*::pt-pebble' to"
    ):
        conda().solve(asked, where=WHERE)
    asked = request(
        f"{tmp_path / 'first'}\n  - {conda_channel}", "python=3.10", f"{conda_channel}::pt-pebble>1"
    )
    assert version_of(conda().solve(asked, where=WHERE).conda, "pt-pebble") == "2.0"


def test_activation_is_what_its_scripts_set(conda_channel: Path) -> None:
    asked = request(conda_channel, "python=3.10", "pt-gauge")
    prefix = str(Path("prefix").absolute())
    conda().install(conda().solve(asked, where=WHERE).conda, asked.channels, prefix)
    found = conda().activate(prefix)
    assert found.path_prepend == [f"{prefix}/bin"]
    assert found.set == {"CONDA_PREFIX": prefix, "GAUGE_DATA": f"{prefix}/share/gauge"}
    assert found.unset == []


def test_a_script_that_fails_is_told(conda_channel: Path) -> None:
    asked = request(conda_channel, "python=3.10", "pt-gauge")
    prefix = Path("prefix").absolute()
    conda().install(conda().solve(asked, where=WHERE).conda, asked.channels, str(prefix))
    script = prefix / "etc/conda/activate.d/pt-gauge.sh"
    script.unlink()  # it may be a link to what the cache has
    script.write_text("echo 'no such gauge' >&2; exit 3\n")
    with pytest.raises(BuildFailed, match=r"an activation script of .*prefix fails: no such gauge"):
        conda().activate(str(prefix))


# ------------------------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("spec", "error", "sentence"),
    [
        (
            "python>>3",
            BadSpec,
            "environment.yml:4:5: 'python>>3' is not a package as conda writes it: unable to",
        ),
        (
            "pt-peble",
            Unsatisfiable,
            "environment.yml:4:5: there is no package 'pt-peble' for linux-64 in its channels; did you",
        ),
        (
            "pt-pebble>=7",
            Unsatisfiable,
            "penstock.toml:3: no set of packages is what it asks for on linux-64, of ",
        ),
    ],
)
def test_what_cannot_be_solved_is_told_where_it_is_written(
    conda_channel: Path, spec: str, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error) as caught:
        conda().solve(request(conda_channel, spec), where=WHERE)
    assert str(caught.value).startswith(sentence)


def test_a_channel_that_is_not_there_is_told() -> None:
    with pytest.raises(BadSpec, match=r"^penstock\.toml:3: there is no channel at file:///.*/nowhere"):
        conda().solve(request("./nowhere", "python"), where=WHERE)


def test_what_the_machine_lacks_can_be_locked_and_is_refused_when_it_is_built(conda_channel: Path) -> None:
    asked = request(conda_channel, "python=3.10", "pt-cuda")
    with pytest.raises(
        Unsatisfiable, match=r"__cuda >=99(.|\n)*CONDA_OVERRIDE_CUDA says which one to lock for"
    ):
        conda().solve(asked, where=WHERE)
    pins = conda(CONDA_OVERRIDE_CUDA="99").solve(asked, where=WHERE)
    assert pins.virtual_packages == ["__cuda >=99", "__glibc >=2.17"]
    with pytest.raises(BuildFailed, match=r"pt-cuda 1\.0 needs __cuda >=99, and this machine has no __cuda"):
        conda().install(pins.conda, asked.channels, str(Path("prefix").absolute()))


@pytest.mark.parametrize("over", ["file", "http"])
def test_a_package_that_is_not_the_one_that_was_locked_is_refused(
    conda_channel: Path, server: Server, over: str
) -> None:
    asked = request(conda_channel if over == "file" else server.url, "python=3.10", "pt-brook")
    pins = conda().solve(asked, where=WHERE)
    for _ in range(2):  # with an empty cache and with a full one
        with pytest.raises(BuildFailed, match=r"pt-brook-0\.3-0\.conda is not the package that was locked"):
            conda().install(tampered(pins.conda, "pt-brook"), asked.channels, str(Path("prefix").absolute()))
        conda().install(pins.conda, asked.channels, str(Path("prefix").absolute()))


def tampered(records: list[CondaRecord], name: str) -> list[CondaRecord]:
    return [msgspec.structs.replace(each, sha256="0" * 64) if each.name == name else each for each in records]


def test_without_rattler_the_cure_is_told(tmp_path: Path, conda_channel: Path) -> None:
    (tmp_path / "rattler.py").write_text("raise ModuleNotFoundError('gone', name='rattler')\n")
    with pytest.raises(EnvironmentFault, match=r"pip install 'penstock\[conda\]'"):
        conda(PYTHONPATH=str(tmp_path)).solve(request(conda_channel, "python"), where=WHERE)


def test_a_fault_in_native_code_ends_nothing_but_the_answer(tmp_path: Path, conda_channel: Path) -> None:
    (tmp_path / "rattler.py").write_text("import os; os.write(2, b'torn apart\\n'); os.abort()\n")
    with pytest.raises(BuildFailed, match="ended with -6: torn apart"):
        conda(PYTHONPATH=str(tmp_path)).solve(request(conda_channel, "python"), where=WHERE)


def test_one_that_ends_before_it_has_read_its_question_is_told(tmp_path: Path, conda_channel: Path) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit('half an installation')\n")
    asked = request(conda_channel, "python")
    long = CondaRecord(name="x" * 1_000_000, version="1", build="0", subdir="noarch", channel="c", fn="x")
    with pytest.raises(BuildFailed, match="ended with 1: half an installation"):
        conda(PYTHONPATH=str(tmp_path)).solve(asked, [long], where=WHERE)


def test_a_module_of_the_current_directory_is_not_taken_for_one_of_its_own(
    tmp_path: Path, conda_channel: Path
) -> None:
    (tmp_path / "rattler.py").write_text("raise SystemExit('not me')\n")
    assert conda().solve(request(conda_channel, "python=3.10"), where=WHERE).conda


# ------------------------------------------------------------------------------------- network and secrets


def test_what_was_fetched_once_is_solved_and_installed_without_a_network(conda_channel: Path) -> None:
    with served(conda_channel) as server:
        asked = request(server.url, "python=3.10", "pt-brook")
        pins = conda().solve(asked, where=WHERE)
        with pytest.raises(
            SourceAway, match=r"pt-brook-0\.3-0\.conda, .* conda is to stay offline|not in the cache"
        ):
            conda(offline=True).install(pins.conda, asked.channels, str(Path("none").absolute()))
        asked_before = len(server.asked)
        conda().install(pins.conda, asked.channels, str(Path("one").absolute()))
        assert len(server.asked) == asked_before + 3
    assert conda(offline=True).solve(asked, where=WHERE) == pins
    conda(offline=True).install(pins.conda, asked.channels, str(Path("two").absolute()))
    assert said(Path("two/bin/python"), "import pt_brook; print(pt_brook.__version__)") == "0.3"
    with pytest.raises(
        SourceAway, match=f"what {server.url}.* is not in the cache, and conda is to stay offline"
    ):
        Conda(os.environ, "other", offline=True).solve(asked, where=WHERE)


def test_credentials_come_from_netrc(conda_channel: Path, home: Path) -> None:
    with served(conda_channel, credentials="Basic bWU6aDNtbTNy") as server:
        asked = request(server.url, "python=3.10")
        with pytest.raises(SourceAway, match=r"refuses us; write it into ~/\.netrc"):
            conda().solve(asked, where=WHERE)
        (home / ".netrc").write_text("machine 127.0.0.1 login me password h3mm3r\n")
        pins = conda().solve(asked, where=WHERE)
        conda().install(pins.conda, asked.channels, str(Path("prefix").absolute()))
    assert "h3mm3r" not in f"{pins}{without_noise('prefix')}"


def test_the_token_of_a_channel_is_on_the_wire_and_nowhere_else(
    conda_channel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "S3CRET")
    private = tmp_path / "site" / "t" / "S3CRET"
    private.mkdir(parents=True)
    (private / "chan").symlink_to(conda_channel)
    with served(tmp_path / "site") as server:
        asked = request(f"{server.url}/t/${{TOKEN}}/chan", "python=3.10", "pt-brook")
        pins = conda().solve(asked, where=WHERE)
        conda().install(pins.conda, asked.channels, str(Path("prefix").absolute()))
        assert server.asked
        assert all(each.startswith("/t/S3CRET/chan/") for each in server.asked)
        nothing = request(f"{server.url}/t/${{TOKEN}}/nothing", "python")
        with pytest.raises(PenstockError, match="/nothing") as caught:
            conda().solve(nothing, where=WHERE)
        assert "S3CRET" not in str(caught.value)
    assert {each.channel for each in pins.conda} == {f"{server.url}/t/${{TOKEN}}/chan"}
    assert "S3CRET" not in f"{pins}{without_noise('prefix')}"


def test_a_mirror_serves_what_the_lock_names_by_its_channel(server: Server, home: Path) -> None:
    (home / ".penstock").mkdir()
    (home / ".penstock" / "config.toml").write_text(
        f'[mirrors]\n"https://conda.invalid/forge" = ["{server.url}"]\n'
    )
    asked = request("https://conda.invalid/forge", "python=3.10")
    pins = conda().solve(asked, where=WHERE)
    assert {each.channel for each in pins.conda} == {"https://conda.invalid/forge"}
    conda().install(pins.conda, asked.channels, str(Path("prefix").absolute()))
    assert server.url not in without_noise("prefix")


# ------------------------------------------------------------------------------------ locks of other tools


def test_an_explicit_list_installs_what_it_lists(conda_channel: Path) -> None:
    records = conda().solve(request(conda_channel, "python=3.10", "pt-brook"), where=WHERE).conda
    address = conda_channel.as_uri()
    lines = [f"{address}/{each.subdir}/{each.fn}#{each.md5}\n" for each in records]
    Path("explicit.txt").write_text(f"# platform: linux-64\n@EXPLICIT\n{''.join(lines)}")
    pinned = conda().read_lock("explicit.txt", HERE, "", where=WHERE)
    assert [(each.name, each.version, each.md5) for each in pinned.records] == [
        (each.name, each.version, each.md5) for each in records
    ]
    conda().install(pinned.records, [], str(Path("prefix").absolute()))
    assert said(Path("prefix/bin/python"), "import pt_pebble; print(pt_pebble.__version__)") == "2.0"
    wrong = [msgspec.structs.replace(each, md5="0" * 32) for each in pinned.records]
    with pytest.raises(BuildFailed, match="its md5 is"):
        conda().install(wrong, [], str(Path("other").absolute()))


def from_url(records: list[CondaRecord], address: str) -> list[dict[str, str]]:
    return [{"url": f"{address}/{each.subdir}/{each.fn}", "sha256": each.sha256 or ""} for each in records]


def test_a_conda_lock_and_a_pixi_lock_are_taken_as_they_are(conda_channel: Path) -> None:
    records = conda().solve(request(conda_channel, "python=3.10", "pt-brook"), where=WHERE).conda
    Path("conda-lock.yml").write_text(json.dumps(conda_lock(records, conda_channel.as_uri())))
    Path("pixi.lock").write_text(json.dumps(pixi_lock(records, conda_channel.as_uri())))
    for file in ("conda-lock.yml", "pixi.lock"):
        pinned = conda().read_lock(file, HERE, "", where=WHERE)
        assert {(each.name, each.sha256) for each in pinned.records} == {
            (each.name, each.sha256) for each in records
        }
        assert pinned.pip == f"left-turn==1.0 --hash=sha256:{'ab' * 32}\n"
        conda().install(pinned.records, [], str(Path(file).with_suffix("").absolute()))
    assert said(Path("pixi/bin/python"), "import pt_brook; print(pt_brook.__version__)") == "0.3"


def conda_lock(records: list[CondaRecord], address: str) -> dict[str, object]:
    packages = [
        {
            "name": each.name,
            "version": each.version,
            "manager": "conda",
            "platform": HERE,
            "dependencies": {},
            "url": f"{address}/{each.subdir}/{each.fn}",
            "hash": {"md5": each.md5, "sha256": each.sha256},
            "category": "main",
            "optional": False,
        }
        for each in records
    ]
    wheel = {
        "name": "left-turn",
        "version": "1.0",
        "manager": "pip",
        "platform": HERE,
        "dependencies": {},
        "url": "https://files.invalid/left_turn-1.0-py3-none-any.whl",
        "hash": {"sha256": "ab" * 32},
        "category": "main",
        "optional": False,
    }
    head = {
        "content_hash": {HERE: "0" * 64},
        "channels": [{"url": address, "used_env_vars": []}],
        "platforms": [HERE],
        "sources": ["environment.yml"],
    }
    return {"version": 1, "metadata": head, "package": [*packages, wheel]}


def of_address(record: CondaRecord) -> dict[str, str]:
    """What pixi leaves out where the address says it."""
    found = {"name": record.name, "version": record.version, "build": record.build, "subdir": record.subdir}
    return found | ({"noarch": record.noarch} if record.noarch else {})


def pixi_lock(records: list[CondaRecord], address: str) -> dict[str, object]:
    urls = [f"{address}/{each.subdir}/{each.fn}" for each in records]
    wheel = "https://files.invalid/left_turn-1.0-py3-none-any.whl"
    packages = [
        {"conda": url, "sha256": each.sha256, "md5": each.md5, "depends": each.depends, **of_address(each)}
        for url, each in zip(urls, records, strict=True)
    ]
    return {
        "version": 6,
        "environments": {
            "default": {
                "channels": [{"url": f"{address}/"}],
                "indexes": ["https://index.invalid/simple"],
                "packages": {HERE: [*({"conda": url} for url in urls), {"pypi": wheel}]},
            }
        },
        "packages": [
            *packages,
            {"pypi": wheel, "name": "left-turn", "version": "1.0", "sha256": "ab" * 32},
        ],
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the lock file explicit.txt does not exist"),
        ("https://x/y-1-0.conda", "explicit.txt is no lock file: the @EXPLICIT tag is missing"),
        ("@EXPLICIT\nnonsense", "explicit.txt is no lock file: failed to parse url 'nonsense': relative URL"),
        (
            "@EXPLICIT\nhttps://x/noarch/y",
            "explicit.txt is no lock file: https://x/noarch/y is not the address of a",
        ),
    ],
)
def test_an_explicit_list_that_is_none_is_told(text: str, sentence: str) -> None:
    if text:
        Path("explicit.txt").write_text(text)
    with pytest.raises(BadSpec) as caught:
        conda().read_lock("explicit.txt", HERE, "", where=WHERE)
    assert str(caught.value).startswith(f"{WHERE}: {sentence}")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "platform", "environment", "sentence"),
    [
        (None, HERE, "defualt", "pixi.lock has no environment 'defualt'; did you mean 'default'?"),
        (None, ELSEWHERE, "", "pixi.lock has nothing for osx-arm64, only for linux-64"),
        ("version: 99\n", HERE, "", "pixi.lock is no lock file: found newer lockfile format version 99"),
        ("- nonsense\n", HERE, "", "pixi.lock is no lock file: "),
    ],
)
def test_a_lock_that_does_not_say_it_is_told(
    text: str | None, platform: str, environment: str, sentence: str
) -> None:
    Path("pixi.lock").write_text(text or json.dumps(pixi_lock([], "https://conda.invalid/forge")))
    with pytest.raises(BadSpec) as caught:
        conda().read_lock("pixi.lock", platform, environment, where=WHERE)
    assert str(caught.value).startswith(f"{WHERE}: {sentence}")


# ----------------------------------------------------------------------------------------------- its process

ASKER = """
import fcntl, os, sys
from penstock.environments import condafile
from penstock.environments.conda import Conda
held = os.open("held", os.O_CREAT | os.O_RDWR)
fcntl.flock(held, fcntl.LOCK_EX)
file = condafile.read("environment.yml", "x")
request = file.request("linux-64", file.sources(os.environ))
Conda(os.environ, "cache", holding=[held]).solve(request, where="x")
"""


def test_it_ends_with_whoever_has_asked_and_holds_the_lock_until_then() -> None:
    """A channel that never answers keeps it waiting; its asker is killed."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        request(f"http://127.0.0.1:{silent.getsockname()[1]}", "python")
        asker = subprocess.Popen([sys.executable, "-c", ASKER])
        connection, _ = silent.accept()  # so the helper is there, and waits
        with connection, open("held", "rb") as held:
            helper = int(Path(f"/proc/{asker.pid}/task/{asker.pid}/children").read_text().split()[0])
            ended = os.pidfd_open(helper)
            asker.kill()
            asker.wait()
            assert select.select([ended], [], [], 60)[0], "the helper lives on"
            os.close(ended)
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
