"""`penstock env` with conda's packages, from a channel that tests have made: solved, locked, built, used."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.channel import served
from tests.conftest import WorkerPython
from tests.wheels import repacked, wheel

LIMIT = 120.0
PENSTOCK = [sys.executable, "-m", "penstock"]
YML = """\
name: vision
channels: ["{channel}"]
dependencies:
  - python={python}
  - pt-brook
  - pt-gauge
  - pip
  - pip:
      - alpha
      - pt-pebble
variables:
  MODEL: "a$(touch pwned)`id`$HOME"
"""
PIP = "  - pip:\n      - alpha\n      - pt-pebble\n"
LOOK = (
    "import os, sys, alpha, pt_brook, pt_pebble as p;"
    "print(sys.prefix, sys.version[:4].strip('.'), p.__version__, alpha.__version__,"
    " os.environ['GAUGE_DATA'], os.environ['MODEL'])"
)
MODEL = "a$(touch pwned)`id`$HOME"
"""As it is written: no shell has read it."""
NO_NETWORK = ["unshare", "--map-root-user", "--net"]


class Project:
    """A directory with a penstock.toml, and a cache that is empty."""

    def __init__(self, folder: Path, needs: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        wheels, nothing = folder / "wheels", folder / "nothing"
        nothing.mkdir()
        wheel(wheels, "alpha", "1.0", requires=["beta"])
        wheel(wheels, "beta", "1.5")
        mine = ("UV_", "CONDA_", "PENSTOCK_", "XDG_", "NETRC", "PYTHON", "VIRTUAL_ENV")
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        self.environ |= {
            "UV_FIND_LINKS": f"{wheels},{needs}",
            "UV_DEFAULT_INDEX": nothing.as_uri(),
            "UV_CACHE_DIR": str(folder / "uv-cache"),
            "PENSTOCK_CACHE_DIR": str(self.cache),
            "COLUMNS": "200",
        }

    def write(
        self, text: str, file: str = "environment.yml", table: str = 'conda = "environment.yml"'
    ) -> None:
        (self.folder / "penstock.toml").write_text(f"[envs.vision]\n{table}\n")
        (self.folder / file).write_text(text)

    @property
    def lock(self) -> Path:
        return self.folder / "penstock.lock"

    @property
    def built(self) -> list[Path]:
        """The environments that are there, finished or not."""
        return [each for each in (self.cache / "envs").glob("*") if each.is_dir()]

    def start(self, *words: str, through: tuple[str, ...] | list[str] = ()) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*through, *PENSTOCK, "env", *words],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def env(self, *words: str, exit: int = 0, through: tuple[str, ...] | list[str] = ()) -> str:
        """What `penstock env` prints; where it is to fail, what it says of that."""
        process = self.start(*words, through=through)
        out, err = process.communicate(timeout=LIMIT)
        assert process.returncode == exit, out + err
        return (err if exit else out).strip()


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Where nobody may make one, what needs it is skipped on a desk, and fails where CI=true."""
    for through in (NO_NETWORK, ["unshare", "--map-root-user", "--mount"]):
        if shutil.which("unshare") is None or subprocess.run([*through, "true"], check=False).returncode:
            sentence = f"{' '.join(through)} is not allowed here"
            pytest.fail(sentence) if os.environ.get("CI") == "true" else pytest.skip(sentence)


@pytest.fixture
def project(tmp_path: Path, needs: Path) -> Project:
    return Project(tmp_path, needs)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, conda_channel: Path, needs: Path) -> Project:
    """One that is locked and built over HTTP. The server is gone by now."""
    project = Project(tmp_path_factory.mktemp("built"), needs)
    with served(conda_channel) as server:
        project.write(YML.format(channel=server.url, python="3.10"))
        project.env("lock")
        project.env("build")
    return project


@pytest.fixture
def again(built: Project, tmp_path: Path, needs: Path) -> Project:
    """The same in a directory of its own, with what the caches have, and without the environment."""
    project = Project(tmp_path, needs)
    for name in ("penstock.toml", "environment.yml", "penstock.lock"):
        shutil.copy(built.folder / name, tmp_path)
    for name in ("cache", "uv-cache"):
        without = shutil.ignore_patterns("envs")
        shutil.copytree(built.folder / name, tmp_path / name, symlinks=True, ignore=without)
    return project


# ---------------------------------------------------------------------------------------------- as it should


@pytest.mark.parametrize(("python", "pebble"), [("3.9", "1.0"), ("3.10", "2.0"), ("3.13", "2.0")])
def test_what_conda_and_pip_bring_together_is_locked_built_and_used(
    project: Project, conda_channel: Path, python: str, pebble: str
) -> None:
    (project.folder / "channel").symlink_to(conda_channel)
    project.write(YML.format(channel="./channel", python=python))
    project.env("lock")
    text = project.lock.read_text()
    assert str(project.folder) not in text
    assert str(conda_channel) not in text
    assert 'channel = "./channel"' in text
    project.env("build")
    [prefix] = project.built
    assert not (project.folder / "pwned").exists()
    said = project.env("shell", "vision", "--", "python", "-c", LOOK)
    assert said == f"{prefix} {python} {pebble} 1.0 {prefix}/share/gauge {MODEL}"
    project.env("lock")
    assert project.lock.read_text() == text


def test_nothing_stays_locked_from_a_channel_that_is_taken_out(project: Project, conda_channel: Path) -> None:
    for name in ("first", "second"):
        (project.folder / name).symlink_to(conda_channel)
    text = 'channels: ["./first", "./second"]\ndependencies: [python=3.10, pt-brook]\n'
    project.write(text)
    project.env("lock")
    assert 'channel = "./first"' in project.lock.read_text()
    project.write(text.replace('"./first", ', ""))
    project.env("lock")
    assert "first" not in project.lock.read_text()


def test_markers_under_pip_are_about_the_python_that_conda_brings(
    project: Project, conda_channel: Path
) -> None:
    """We run on another one: there neither of both would be contrary to what conda brings."""
    text = "channels: [{}]\ndependencies:\n  - python=3.9\n  - pt-brook\n  - pip:\n    - {}\n"
    for version, code in (("3.9", 4), ("3.99", 0)):
        asked = f"pt-pebble==7; python_version=='{version}'"
        project.write(text.format(conda_channel, asked))
        said = project.env("lock", exit=code)
        assert ("conda brings pt-pebble 1.0" in said) == bool(code)


def test_selectors_under_pip_are_refused_where_there_are_several_platforms(project: Project) -> None:
    text = "platforms: [{}]\ndependencies:\n  - python\n  - pip:\n    - alpha  # [osx]\n"
    project.write(text.format("linux-64, osx-arm64"))
    said = project.env("lock", exit=4)
    assert "environment.yml:5:7: a selector under 'pip:'" in said
    assert 'alpha; sys_platform == "linux"' in said


def test_a_channel_whose_variable_is_not_set_is_a_sentence_to_export(again: Project) -> None:
    text = again.lock.read_text()
    channel = next(line.split('"')[1] for line in text.splitlines() if line.startswith("channel = "))
    again.lock.write_text(text.replace(channel, "https://host/t/${TOKEN}/chan"))
    said = again.env("export", "vision", "--format", "explicit", exit=4)
    assert "needs the variable TOKEN, which is not set" in said


@pytest.mark.parametrize("address", ["https://host/t/S3CRET/chan", "https://me:S3CRET@host/chan"])
def test_a_secret_in_the_lock_of_another_tool_is_not_taken_over(project: Project, address: str) -> None:
    listed = f"@EXPLICIT\n{address}/linux-64/python-3.10.13-0.conda#{'a' * 32}\n"
    project.write(listed, "explicit.txt", 'lockfile = "explicit.txt"')
    said = project.env("lock", exit=4)
    assert "~/.netrc" in said
    assert "S3CRET" not in said
    assert not project.lock.exists()


def test_over_http_the_lock_has_no_address_but_the_channels(built: Project) -> None:
    text = built.lock.read_text()
    channel = next(line.split('"')[1] for line in text.splitlines() if line.startswith("channel = "))
    assert text.count("http") == text.count(f'"{channel}"')
    assert text.count('\nname = "') == text.count("\nsha256 = ") == 5


@pytest.mark.usefixtures("namespaces")
def test_what_was_fetched_once_is_locked_and_built_where_there_is_no_network(again: Project) -> None:
    before = again.lock.read_text()
    again.env("lock", "--offline", through=NO_NETWORK)
    assert again.lock.read_text() == before
    again.env("build", "--offline", through=NO_NETWORK)
    [prefix] = again.built
    said = again.env("shell", "vision", "--", "python", "-c", LOOK, through=NO_NETWORK)
    assert said == f"{prefix} 3.10 2.0 1.0 {prefix}/share/gauge {MODEL}"


def test_four_builders_at_once_make_one_environment(project: Project, conda_channel: Path) -> None:
    """Each package is fetched once, and it is the same environment for all."""
    with served(conda_channel) as server:
        project.write(YML.format(channel=server.url, python="3.10"))
        project.env("lock")
        shutil.rmtree(project.cache)
        server.asked.clear()
        builders = [project.start("build") for _ in range(4)]
        said = {each.communicate(timeout=LIMIT)[0] for each in builders}
        fetched = [each for each in server.asked if each.endswith(".conda")]
    assert [each.returncode for each in builders] == [0, 0, 0, 0]
    assert len(said) == len(project.built) == 1
    assert len(fetched) == len(set(fetched)) == 5


def test_a_build_that_is_killed_leaves_nothing_that_looks_whole(
    project: Project, conda_channel: Path
) -> None:
    with served(conda_channel, stalled="pt-brook-0.3-0.conda") as server:
        project.write(YML.format(channel=server.url, python="3.10").replace(PIP, ""))
        project.env("lock")
        builder = project.start("build")
        assert server.stall.wait(LIMIT)  # so rattler is in the middle of it
        os.killpg(builder.pid, signal.SIGKILL)
        builder.communicate(timeout=LIMIT)
        assert "not built" in project.env("list")
        server.go_on.set()
        project.env("build")
    assert "ready" in project.env("list")
    look = "import pt_brook, sys; print(sys.prefix, pt_brook.__version__)"
    [prefix] = project.built
    assert project.env("shell", "vision", "--", "python", "-c", look) == f"{prefix} 0.3"


@pytest.mark.parametrize("written", ["S3CRET", "${TOKEN}"])
def test_the_token_of_a_channel_gets_packages_and_is_kept_nowhere(
    project: Project, conda_channel: Path, written: str
) -> None:
    (project.folder / "site" / "t" / "S3CRET").mkdir(parents=True)
    (project.folder / "site" / "t" / "S3CRET" / "chan").symlink_to(conda_channel)
    with served(project.folder / "site") as server:
        project.write(YML.format(channel=f"{server.url}/t/{written}/chan", python="3.10"))
        if written != "S3CRET":
            said = project.env("lock", exit=4)
            assert "environment.yml:2:12: the channel" in said
            assert "needs the variable TOKEN, which is not set" in said
            project.environ["TOKEN"] = "S3CRET"
        project.env("lock")
        shutil.rmtree(project.cache)
        project.env("build")
    assert "S3CRET" not in project.lock.read_text()
    [prefix] = project.built
    kept = [each for each in prefix.rglob("*") if each.is_file() and b"S3CRET" in each.read_bytes()]
    assert kept == []
    project.environ.pop("TOKEN", None)
    assert "3.10 2.0 1.0" in project.env("shell", "vision", "--", "python", "-c", LOOK)  # it is there already


def test_several_platforms_are_in_one_lock(project: Project, conda_channel: Path) -> None:
    yml = YML.format(channel=conda_channel, python="3.10") + "platforms: [osx-arm64, linux-64]\n"
    project.write(yml.replace(PIP, ""))
    project.env("lock")
    text = project.lock.read_text()
    assert "[envs.vision.platforms.linux-64]" in text
    assert "[envs.vision.platforms.osx-arm64]" in text
    project.env("build")
    project.write(yml.replace(", linux-64", "").replace(PIP, ""))
    project.env("lock")
    said = project.env("build", exit=4)
    assert "the environment 'vision' is locked for osx-arm64, and this is linux-64" in said


def test_what_is_exported_for_conda_makes_the_same(built: Project, again: Project) -> None:
    [prefix] = built.built
    explicit = built.env("export", "vision", "--format", "explicit")
    again.write(explicit, "explicit.txt", 'lockfile = "explicit.txt"')
    again.env("lock", "--offline")
    again.env("build", "--offline")
    [made] = again.built
    assert packages(made) == packages(prefix)
    again.write(built.env("export", "vision"))
    again.env("lock", "--offline")
    assert again.lock.read_text().count("\nsha256 = ") == 5


def packages(prefix: Path) -> set[str]:
    return {each.name for each in (prefix / "conda-meta").glob("*.json")}


def test_a_conda_environment_that_exists_is_taken_with_what_activates_it(
    built: Project, project: Project
) -> None:
    [prefix] = built.built
    project.write("", table=f'prefix = "{prefix}"')
    ran = project.folder / "ran"
    variables = {"MODEL": "$HOME `b`", "GONE": "***unset***", "RUNS": f"\\ $(touch '{ran}') \"it's\"\n"}
    state = {"version": 1, "env_vars": variables}
    (prefix / "conda-meta" / "state").write_text(json.dumps(state))
    look = LOOK + "; print(os.environ.get('GONE'), repr(os.environ['RUNS']))"
    said = project.env("shell", "vision", "--", "python", "-c", look)
    (prefix / "conda-meta" / "state").unlink()
    shown = f"{prefix} 3.10 2.0 1.0 {prefix}/share/gauge $HOME `b`"
    assert said == f"{shown}\nNone {variables['RUNS']!r}"
    assert not ran.exists(), "a value was run as a command"
    assert project.built == []


# ----------------------------------------------------------------------------------------- what is wrong


def test_a_lock_that_was_tampered_with_is_refused_and_nothing_is_left(
    project: Project, conda_channel: Path
) -> None:
    project.write(YML.format(channel=conda_channel, python="3.10"))
    project.env("lock")
    lines = project.lock.read_text().splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if line.startswith("sha256 = "))
    lines[at] = f'sha256 = "{"0" * 64}"\n'
    project.lock.write_text("".join(lines))
    said = project.env("build", exit=5)
    assert "is not the package that was locked: its sha256 is" in said
    assert project.built == []


def test_a_lock_is_stale_where_what_is_asked_for_is_another_and_for_no_comment(again: Project) -> None:
    yml = again.folder / "environment.yml"
    yml.write_text("# for the cluster\n" + yml.read_text())
    again.env("check")
    yml.write_text(yml.read_text().replace("- pt-gauge", "- pt-gauge=1"))
    said = again.env("build", exit=4)
    assert "what the environment 'vision' is made from has changed since it was locked" in said
    assert "`penstock env lock vision`" in said
    again.env("build", "--frozen", "--offline")


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (
            "- pt-pebble",
            "- pt-pebble>=3",
            "environment.yml:10:9: 'pip:' asks for 'pt-pebble>=3', but conda brings pt-pebble 2.0; change",
        ),
        (
            "- pt-brook",
            "- pt-broook",
            "environment.yml:5:5: there is no package 'pt-broook' for linux-64 in its channels; did you",
        ),
        (
            "- pt-brook",
            "- python: 3",
            "environment.yml:5:5: 'python: ...' is a mapping; write 'python=3', without a colon",
        ),
        ("      - alpha", "      - alphabet", "alphabet was not found in the package registry"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_changes_no_lock(
    project: Project, conda_channel: Path, before: str, after: str, sentence: str
) -> None:
    project.write(YML.format(channel=conda_channel, python="3.10").replace(before, after, 1))
    said = project.env("lock", exit=4)
    assert sentence in said
    assert "environment.yml" in said
    assert not project.lock.exists()


def test_a_python_that_is_too_old_is_told_when_it_is_locked(project: Project, conda_channel: Path) -> None:
    project.write(f"channels: [{conda_channel}]\ndependencies: [python=3.8]\n")
    said = project.env("lock", exit=4)
    assert "environment.yml: it comes to Python 3.8.20; stages need 3.9 or newer" in said


@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [("size=64k", "the disk is full"), ("ro", "nothing can be written in")],
)
def test_a_cache_that_takes_nothing_more_is_told(
    project: Project, conda_channel: Path, options: str, sentence: str
) -> None:
    project.write(YML.format(channel=conda_channel, python="3.10"))
    project.env("lock")
    shutil.rmtree(project.cache)
    project.cache.mkdir()
    mount = f'mount -t tmpfs -o {options} none {project.cache} && exec "$@"'
    said = project.env(
        "build", exit=5, through=["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    )
    assert sentence in said
    assert said.count("penstock: ") == 1


APP = """
import json
import os
import sys
from pathlib import Path

import numpy as np

from penstock import Pipeline, sink, source, stage


@source
def numbers():
    for number in range(20):
        yield np.full((200, 200), number, dtype="f4")  # large enough for shared memory


@stage(env="vision")
def look(image: np.ndarray) -> dict:
    import pt_pebble

    assert os.environ["CONDA_PREFIX"] == sys.prefix
    assert Path(os.environ["GAUGE_DATA"], "level.txt").read_text() == "7\\n"
    return {"python": sys.version[:3], "pebble": pt_pebble.__version__, "mean": float(image.mean())}


@sink
def save(found: dict) -> None:
    with open("out.jsonl", "a") as file:
        file.write(json.dumps(found) + chr(10))


pipeline = Pipeline("eyes", numbers >> look >> save)
"""


def test_a_stage_runs_in_an_environment_of_condas_with_what_activates_it(
    project: Project, conda_channel: Path, worker_python: WorkerPython
) -> None:
    """Its Python, packages and data, and NumPy from its `pip:` section; arrays reach it in shared memory."""
    repacked(worker_python("3.9"), "numpy", project.folder / "wheels")
    yml = YML.format(channel=conda_channel, python="3.9").replace("- alpha", "- numpy")
    project.write(yml)
    (project.folder / "app.py").write_text(APP)
    project.env("lock")
    done = subprocess.run(
        [*PENSTOCK, "run", "app.py"],
        cwd=project.folder,
        env={**project.environ, "PENSTOCK_RUN_DIR": os.environ["PENSTOCK_RUN_DIR"]},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert "20 in, 20 out, 0 lost, 0 dead" in done.stderr, done.stderr
    found = [json.loads(line) for line in (project.folder / "out.jsonl").read_text().splitlines()]
    assert found == [{"python": "3.9", "pebble": "1.0", "mean": float(number)} for number in range(20)]
