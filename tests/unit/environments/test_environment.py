"""From a file of requirements to an environment: locked, built once, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import msgspec
import pytest

from penstock.environments import interpreters, lock, platforms
from penstock.environments import project as projects
from penstock.environments.environment import Environment, Provider
from penstock.environments.layer import layer
from penstock.environments.lock import Lock, Locked
from penstock.environments.locker import Locker
from penstock.environments.progress import Progress, Silent
from penstock.environments.spec import Project as ProjectSpec
from penstock.environments.spec import Requirements, Spec, spec_from
from penstock.environments.store import Store
from penstock.environments.uv import program
from penstock.errors import (
    BadSpec,
    BuildFailed,
    EnvironmentFault,
    PenstockError,
    SourceAway,
    StaleLock,
    Unsatisfiable,
)
from tests.conftest import find_interpreter
from tests.wheels import wheel

HERE = platforms.here()


class Project:
    """A folder with environments, as the command line has it."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        self.environ = environ
        self.store = Store.of(environ)
        self.locks = Lock()
        self.phases: list[str] = []

    def requirements(self, text: str, name: str = "torch", **said: str | list[str]) -> Requirements:
        (self.folder / f"{name}.txt").write_text(text)
        spec = self.spec({"requirements": f"{name}.txt", **said}, name)
        assert isinstance(spec, Requirements)
        return spec

    def spec(self, table: dict[str, object], name: str = "torch") -> Spec:
        return spec_from(name, table, lambda _: "penstock.toml:1", str(self.folder))

    def lock(self, spec: Spec, *, upgrade: bool = False, offline: bool = False) -> Locked:
        locker = Locker(self.store, environ=self.environ, platform=HERE, offline=offline, upgrade=upgrade)
        found = locker.locked(spec, self.locks.envs.get(spec.name), Silent())  # type: ignore[arg-type]
        self.locks = Lock(envs={**self.locks.envs, spec.name: found})
        return found

    def provide(self, *specs: Spec, **how: bool) -> dict[str, Environment]:
        found = self.provider(**how).provide(specs, self.progress)
        for each in found.values():
            each.release()
        return found

    def provider(self, **how: bool) -> Provider:
        return Provider(
            self.locks, self.store, folder=str(self.folder), environ=self.environ, platform=HERE, **how
        )

    def progress(self, name: str) -> Progress:
        told = self.phases

        class Told(Silent):
            def phase(self, name: str) -> None:
                told.append(name)

        return Told()


@pytest.fixture
def project(tmp_path: Path, environ: dict[str, str]) -> Project:
    (tmp_path / "app").mkdir()
    return Project(tmp_path / "app", environ)


def say(environment: Environment, code: str) -> str:
    return subprocess.run(
        [environment.python, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


# ------------------------------------------------------------------------------------------------- locking


def test_what_is_locked_has_versions_hashes_and_nothing_of_this_machine(project: Project) -> None:
    locked = project.lock(project.requirements("alpha\n"))
    assert [line.split(" ")[0] for line in locked.pip.splitlines() if "==" in line] == [
        "alpha==2.0",
        "beta==1.5",
    ]
    assert locked.pip.count("--hash=sha256:") == 2
    text = lock.as_text(project.locks)
    assert str(project.folder.parent) not in text
    assert "/" not in text.replace("`penstock env lock`", "")


def test_versions_stay_until_newer_ones_are_asked_for(project: Project) -> None:
    assert "alpha==1.0" in project.lock(project.requirements("alpha<2\n")).pip
    spec = project.requirements("alpha\n")
    assert "alpha==1.0" in project.lock(spec).pip
    assert "alpha==2.0" in project.lock(spec, upgrade=True).pip


def test_locking_the_same_again_changes_nothing(project: Project) -> None:
    spec = project.requirements("alpha\n")
    assert project.lock(spec) == project.lock(spec)


def test_options_of_the_file_are_locked_with_what_came_from_there(project: Project) -> None:
    wheel(project.folder / "here", "gamma", "3.0")
    locked = project.lock(project.requirements("--find-links here\ngamma\n"))
    assert locked.pip.startswith("--find-links here\ngamma==3.0")
    spec = project.requirements("--find-links here\ngamma\n")
    assert say(project.provide(spec)["torch"], "import gamma; print(gamma.__version__)") == "3.0"


@pytest.mark.parametrize("links", ["here", "${WH}"])
def test_a_folder_of_wheels_is_found_whenever_it_is_locked(project: Project, links: str) -> None:
    wheel(project.folder / "here", "gamma", "3.0")
    project.environ["WH"] = str(project.folder / "here")
    spec = project.requirements(f"--find-links {links}\ngamma\n")
    first = project.lock(spec)
    wheel(project.folder / "here", "gamma", "4.0")
    assert project.lock(spec) == first
    assert "gamma==4.0" in project.lock(spec, upgrade=True).pip


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ('[[tool.uv.index]]\nurl = "https://bob:hunter2@host/simple"\n', "a user name or password"),
        ('[[tool.uv.index]]\nurl = "https://host/t/hunter2/simple"\n', "a token"),
        ('[tool.uv]\nfind-links = ["https://host/x?key=hunter2"]\n', "a query"),
        ('[tool.uv]\nextra-index-url = ["https://bob:hunter2@host/simple"]\n', "a user name or password"),
    ],
)
def test_an_index_of_a_project_has_no_secret(project: Project, table: str, what: str) -> None:
    (project.folder / "pyproject.toml").write_text(PROJECT + table)
    with pytest.raises(BadSpec, match=rf"pyproject\.toml: {what}.*\*\*\*.*~/\.netrc") as refused:
        project.lock(project.spec({"project": "."}))
    assert "hunter2" not in str(refused.value)


def test_indexes_and_folders_of_a_project_are_locked_with_it(project: Project) -> None:
    wheel(project.folder / "here", "gamma", "3.0")
    wheel(project.folder / "there", "delta", "4.0")
    old = '[tool.uv]\nindex-url = "here"\nextra-index-url = ["there"]\n'
    (project.folder / "pyproject.toml").write_text(PROJECT + old)
    spec = project.spec({"project": "."})
    assert isinstance(spec, ProjectSpec)
    found = projects.read(spec)
    assert found.options == ("--index-url here", "--extra-index-url there")
    (project.folder / "pyproject.toml").write_text(PROJECT + '[tool.uv]\nfind-links = ["/srv/wheels"]\n')
    with pytest.raises(BadSpec, match=r"pyproject\.toml: /srv/wheels: a path of this machine"):
        project.lock(project.spec({"project": "."}))


def test_code_beside_a_project_is_not_locked_by_its_path(project: Project) -> None:
    lib = project.folder.parent / "lib"
    lib.mkdir()
    (lib / "pyproject.toml").write_text('[project]\nname = "lib"\nversion = "1"\n')
    for depends, source in (
        ('"lib"', '[tool.uv.sources]\nlib = { path = "../lib" }\n'),
        (f'"lib @ {lib.as_uri()}"', ""),
        (f'"beta @ {(project.folder.parent / "wheels/beta-1.5-py3-none-any.whl").as_uri()}"', ""),
    ):
        text = PROJECT.replace('"alpha<2"', depends)
        (project.folder / "pyproject.toml").write_text(text + source)
        with pytest.raises(BadSpec, match="what lies on this machine cannot be locked"):
            project.lock(project.spec({"project": "."}))


def test_a_hash_that_is_said_is_held_to(project: Project) -> None:
    plain = project.lock(project.requirements("beta\n"))
    for files in ({}, {"beta/more.py": ""}):
        made = wheel(project.folder.parent / "wheels", "beta", "1.5", files=files)
        said = f"sha256:{hashlib.sha256(made.read_bytes()).hexdigest()}"
        spec = project.requirements(f"beta==1.5 --hash={said}\n")
        assert "has changed since it was locked" in project.provider().stale(spec)
        assert re.findall(r"--hash=(\S+)", project.lock(spec).pip) == [said]
        assert project.provider().stale(spec) == ""
    assert said not in plain.pip
    with pytest.raises(BadSpec, match=r"torch\.txt: beta==1\.5 has none of the hashes that are said of it"):
        project.lock(project.requirements(f"beta==1.5 --hash=sha256:{'0' * 64}\n"))


def test_to_ask_for_versions_that_are_not_out_yet_makes_a_lock_stale(project: Project) -> None:
    project.lock(project.requirements("beta\n"))
    assert "has changed since it was locked" in project.provider().stale(
        project.requirements("--pre\nbeta\n")
    )


def test_what_cannot_be_had_is_the_solvers_words_behind_a_sentence(project: Project, here: str) -> None:
    with pytest.raises(Unsatisfiable) as refused:
        project.lock(project.requirements("alpha>=3\n"))
    first, *words = str(refused.value).splitlines()
    assert first.startswith("penstock.toml:1: ")
    assert first.endswith(f"for Python {here}: no set of packages is what is asked for:")
    assert any("alpha" in line for line in words)
    with pytest.raises(Unsatisfiable, match="nobody-has-this"):
        project.lock(project.requirements("nobody-has-this\n"))
    with pytest.raises(Unsatisfiable, match="connectorx"):
        project.lock(project.requirements("connectorx\n"))


def test_a_lock_for_other_platforms_says_so_here(project: Project) -> None:
    other = "linux-aarch64" if HERE == "linux-64" else "linux-64"
    spec = project.requirements("beta\n", platforms=[other])
    assert set(project.lock(spec).platforms) == {other}
    with pytest.raises(StaleLock, match=f"is locked for {other}, and this is {HERE}; say platforms"):
        project.provide(spec)
    both = project.requirements("beta\n", platforms=[other, HERE])
    assert set(project.lock(both).platforms) == {other, HERE}
    assert project.provide(both)["torch"].key


def test_a_network_that_is_not_there_is_no_missing_package(project: Project) -> None:
    project.environ.update(UV_DEFAULT_INDEX="http://127.0.0.1:9/simple", UV_HTTP_RETRIES="0")
    with pytest.raises(SourceAway):
        project.lock(project.requirements("gamma\n"))
    with pytest.raises(PenstockError, match="offline"):
        project.lock(project.requirements("gamma\n"), offline=True)


# ------------------------------------------------------------------------------------------------ projects


PROJECT = """
[project]
name = "trainer"
version = "1"
requires-python = ">=3.9"
dependencies = ["alpha<2"]
[project.optional-dependencies]
gpu = ["beta"]
[dependency-groups]
train = ["gamma"]
dev = ["delta"]
"""


def test_a_project_is_what_it_depends_on_with_the_extras_and_groups_that_are_named(project: Project) -> None:
    (project.folder / "pyproject.toml").write_text(PROJECT)
    wheel(project.folder.parent / "wheels", "gamma", "3.0")
    plain = project.lock(project.spec({"project": "."}))
    assert "alpha==1.0" in plain.pip
    assert "gamma" not in plain.pip
    more = project.lock(project.spec({"project": ".", "extras": ["gpu"], "groups": ["train"]}))
    assert "gamma==3.0" in more.pip
    assert "delta" not in more.pip
    assert "trainer" not in more.pip


def test_what_uv_has_locked_of_a_project_counts(project: Project) -> None:
    (project.folder / "pyproject.toml").write_text(PROJECT)
    for name in ("gamma", "delta"):
        wheel(project.folder.parent / "wheels", name, "3.0")
    uv = Path(sys.executable).parent / "uv"
    subprocess.run([uv, "lock", "-q"], cwd=project.folder, env=project.environ, check=True)
    spec = project.spec({"project": ".", "extras": ["gpu"]})
    locked = project.lock(spec)
    assert locked.platforms.keys() == {lock.ANY}
    assert "alpha==1.0" in locked.pip
    assert say(project.provide(spec)["torch"], "import alpha; print(alpha.__version__)") == "1.0"
    (project.folder / "pyproject.toml").write_text(PROJECT.replace("alpha<2", "alpha>=2"))
    assert "has changed since it was locked" in project.provider().stale(spec)
    with pytest.raises(StaleLock, match=r"uv\.lock is older than its pyproject\.toml; run `uv lock` there"):
        project.lock(spec)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"extras": ["gpus"]}, "has no extra 'gpus'; did you mean 'gpu'?"),
        ({"groups": ["trains"]}, "has no dependency group 'trains'; did you mean 'train'?"),
    ],
)
def test_a_slip_in_an_extra_or_group_is_told(
    project: Project, table: dict[str, object], sentence: str
) -> None:
    (project.folder / "pyproject.toml").write_text(PROJECT)
    with pytest.raises(BadSpec) as refused:
        project.lock(project.spec({"project": ".", **table}))
    assert sentence in str(refused.value)


def test_a_project_for_other_pythons_is_refused(project: Project) -> None:
    (project.folder / "pyproject.toml").write_text(PROJECT.replace(">=3.9", ">=3.99"))
    with pytest.raises(BadSpec, match=r"is for Python >=3\.99, and this would be 3"):
        project.lock(project.spec({"project": "."}))


def test_a_member_of_a_workspace_is_not_locked_past_its_lock(project: Project) -> None:
    member = project.folder / "packages" / "trainer"
    member.mkdir(parents=True)
    (member / "pyproject.toml").write_text(PROJECT)
    (project.folder / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["packages/*"]\n')
    spec = project.spec({"project": "packages/trainer"})
    assert "alpha==1.0" in project.lock(spec).pip
    (project.folder / "uv.lock").write_text("version = 1\n")
    with pytest.raises(BadSpec, match=r"is a member of the workspace .* `uv export --package NAME"):
        project.lock(spec)


def test_a_folder_without_a_project_is_refused(project: Project) -> None:
    with pytest.raises(BadSpec, match=r"pyproject\.toml cannot be read: No such file"):
        project.lock(project.spec({"project": "."}))
    (project.folder / "pyproject.toml").write_text("[tool.x]\n")
    with pytest.raises(BadSpec, match=r"has no \[project\]"):
        project.lock(project.spec({"project": "."}))


# ------------------------------------------------------------------------------------------------ building


def test_an_environment_is_made_once_and_found_again(project: Project) -> None:
    spec = project.requirements("alpha\n")
    project.lock(spec)
    first = project.provide(spec)["torch"]
    assert "installing" in project.phases
    assert say(first, "import alpha, sys; print(alpha.__version__, sys.prefix)") == (
        f"2.0 {project.store.prefix(first.key)}"
    )
    project.phases.clear()
    second = project.provide(spec)["torch"]
    assert project.phases == []
    assert second[:6] == first[:6]
    [entry] = project.store.entries()
    assert entry.users == {str(project.folder): "torch"}


POWERLESS = ["setpriv", "--bounding-set=-all"] if os.getuid() == 0 else []
"""Before a command: root without the right to write where the modes of files forbid it."""


def test_an_environment_cannot_be_installed_into_and_is_built_anew_where_it_was(project: Project) -> None:
    spec = project.requirements("alpha<2\n")
    project.lock(spec)
    first = project.provider().provide([spec], project.progress)["torch"]
    uv = [program(), "pip", "install", "--quiet", "--no-deps", "--python", first.python, "alpha==2.0"]
    done = subprocess.run([*POWERLESS, *uv], env=project.environ, capture_output=True, text=True, check=False)
    assert "Permission denied" in done.stderr
    assert project.store.entries()[0].marker.changed() == []
    os.chmod(first.probe.purelib, 0o700)
    Path(first.probe.purelib, "more.py").touch()
    with pytest.raises(EnvironmentFault, match=r"'torch' was changed .* \(more\.py\).*in use"):
        project.provide(spec)
    first.release()
    project.phases.clear()
    again = project.provide(spec)["torch"]
    assert "installing" in project.phases
    assert say(again, "import alpha; print(alpha.__version__)") == "1.0"
    project.phases.clear()
    project.provide(spec)
    assert project.phases == []
    clean = [sys.executable, "-m", "penstock", "env", "clean", "--all"]
    subprocess.run([*POWERLESS, *clean], env=project.environ, check=True)
    assert not os.path.exists(again.probe.prefix)


def test_of_a_range_no_older_python_is_taken_than_is_asked_for(project: Project, here: str) -> None:
    asked = f">={here}.{sys.version_info.micro}"
    spec = project.requirements("beta\n", python=asked)
    project.lock(spec)
    assert project.provider().recipe(spec).base == sys.executable
    newer = project.requirements("beta\n", python=f">={here}.{sys.version_info.micro + 1},<{here}.999")
    with pytest.raises(EnvironmentFault, match=rf"there is no Python >={here}.*,=={here}\.\* here"):
        project.provider(frozen=True).recipe(newer)


def test_a_version_to_its_last_number_is_that_one(project: Project, here: str) -> None:
    project.lock(project.requirements("beta\n", python=here))
    spec = project.requirements("beta\n", python=f"{here}.99")
    with pytest.raises(EnvironmentFault, match=rf"{here}\.99"):
        project.provide(spec, frozen=True)


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.13"])
def test_each_python_gets_its_environment(project: Project, version: str) -> None:
    find_interpreter(version)
    spec = project.requirements("alpha\n", python=version)
    assert project.lock(spec).python == version
    found = project.provide(spec)["torch"]
    assert say(found, "import alpha, sys; print('%d.%d' % sys.version_info[:2])") == version
    assert os.path.isdir(os.path.join(found.layer, "msgspec"))
    assert not os.path.exists(os.path.join(found.probe.purelib, "msgspec"))


def test_what_a_worker_needs_is_mended_is_what_is_pinned_and_nothing_of_the_current_directory(
    project: Project, tmp_path: Path, needs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.uv.pip]\nno-binary = [':all:']\n")
    monkeypatch.chdir(tmp_path)
    project.environ["PENSTOCK_CACHE_DIR"] = str(tmp_path.parent / f"{tmp_path.name}-cache")
    bare = msgspec.structs.replace(interpreters.probe(sys.executable, os.environ), packages={})
    kept = Store.of(project.environ)

    def brought() -> str:
        return layer(kept, sys.executable, bare, environ=project.environ, offline=False)

    first = brought()
    os.unlink(os.path.join(first, "zmq", "__init__.py"))
    assert brought() == first
    assert os.path.exists(os.path.join(first, "zmq", "__init__.py"))
    shutil.copytree(needs, tmp_path / "others")
    for each in (tmp_path / "others").glob("msgspec*"):
        with zipfile.ZipFile(each, "a") as archive:
            archive.writestr("msgspec/more.py", "")
    project.environ["UV_FIND_LINKS"] = "others"  # as seen from where it is said
    shutil.rmtree(first)
    with pytest.raises(BuildFailed, match=r"which a worker needs.*not the one that was locked"):
        brought()
    assert not os.path.exists(first)


def test_what_the_user_has_of_a_workers_needs_is_not_brought(project: Project) -> None:
    spec = project.requirements("msgspec\npyzmq\n")
    project.lock(spec)
    assert project.provide(spec)["torch"].layer == ""


def test_two_names_of_the_same_are_one_environment(project: Project) -> None:
    one, other = project.requirements("alpha\n", "one"), project.requirements("# x\nalpha\n", "other")
    project.lock(one)
    project.lock(other)
    found = project.provide(one, other)
    assert found["one"].key == found["other"].key
    assert len(project.store.entries()) == 1


def test_a_lock_that_is_older_than_what_it_was_made_from_is_refused_with_the_cure(project: Project) -> None:
    spec = project.requirements("alpha<2\n")
    with pytest.raises(StaleLock, match=r"'torch' is not in penstock\.lock; run `penstock env lock torch`"):
        project.provide(spec)
    project.lock(spec)
    project.requirements("# only said\nalpha < 2\n")
    assert project.provider().stale(spec) == ""
    project.requirements("alpha\n")
    with pytest.raises(StaleLock, match="has changed since it was locked; run `penstock env lock torch`"):
        project.provide(spec)
    frozen = project.provide(spec, frozen=True)["torch"]
    assert say(frozen, "import alpha; print(alpha.__version__)") == "1.0"


def test_a_package_that_is_not_the_one_that_was_locked_is_refused(project: Project) -> None:
    spec = project.requirements("alpha\n")
    locked = project.lock(spec)
    false = msgspec.structs.replace(locked, pip=locked.pip.replace("sha256:", "sha256:00")[:-1])
    wrong = "\n".join(
        line[: line.index("sha256:") + 7] + "0" * 64 + (" \\" if line.endswith("\\") else "")
        if "sha256:" in line
        else line
        for line in locked.pip.splitlines()
    )
    project.locks = Lock(envs={"torch": msgspec.structs.replace(false, pip=wrong)})
    with pytest.raises(BuildFailed, match="a package is not the one that was locked"):
        project.provide(spec)
    assert project.store.entries() == []
    assert project.store.halves() == []


def test_packages_that_do_not_go_together_are_refused(project: Project) -> None:
    spec = project.requirements("alpha\n")
    locked = project.lock(spec)
    lines = locked.pip.splitlines()
    alone = "\n".join(lines[: next(n for n, line in enumerate(lines) if line.startswith("beta"))])
    project.locks = Lock(envs={"torch": msgspec.structs.replace(locked, pip=alone)})
    with pytest.raises(
        BuildFailed, match="what is locked does not go together: The package `alpha` requires"
    ):
        project.provide(spec)
    assert project.store.halves() == []


def test_what_cannot_be_had_now_is_told_and_leaves_nothing(project: Project) -> None:
    spec = project.requirements("alpha\n")
    project.lock(spec)
    for made in (project.folder.parent / "wheels").glob("alpha*"):
        made.unlink()
    (project.folder.parent / "uv-cache").rename(project.folder.parent / "gone")
    with pytest.raises(PenstockError):
        project.provide(spec)
    assert project.store.halves() == []


def test_what_is_cached_is_built_offline(project: Project) -> None:
    spec = project.requirements("alpha\n")
    project.lock(spec)
    first = project.provide(spec)["torch"]
    assert project.store.remove(first.key)
    assert project.provide(spec, offline=True)["torch"].key == first.key


def test_a_python_that_is_another_by_now_is_refused(project: Project) -> None:
    spec = project.requirements("alpha\n", python=sys.executable)
    locked = project.lock(spec)
    project.locks = Lock(envs={"torch": msgspec.structs.replace(locked, python="3.8")})
    with pytest.raises(EnvironmentFault, match=r"is Python 3\.\d+\.\d+, and envs\.torch is locked for 3\.8"):
        project.provide(spec)


# --------------------------------------------------------------------------------------- many, and deaths


BUILDER = """
import json, os, sys
from penstock.environments import lock, platforms
from penstock.environments.environment import Provider
from penstock.environments.progress import Silent
from penstock.environments.spec import spec_from
from penstock.environments.store import Store

class Told(Silent):
    def phase(self, name):
        print(name, flush=True)

folder = sys.argv[1]
locks = lock.read(os.path.join(folder, "penstock.lock"))
provider = Provider(locks, Store.of(os.environ), folder=folder, environ=os.environ, platform=platforms.here())
spec = spec_from("torch", {"requirements": "torch.txt"}, lambda _: "penstock.toml:1", folder)
[found] = provider.provide([spec], lambda _: Told()).values()
print(found.key, flush=True)
"""


def builder(project: Project) -> subprocess.Popen[str]:
    lock.write(str(project.folder / "penstock.lock"), project.locks)
    return subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(project.folder)],
        env=project.environ,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_four_builders_at_once_make_one_environment(project: Project) -> None:
    project.lock(project.requirements("alpha\n"))
    said = [each.communicate(timeout=120)[0].split() for each in [builder(project) for _ in range(4)]]
    assert sum("installing" in words for words in said) == 1
    assert len({words[-1] for words in said}) == 1
    assert len(project.store.entries()) == 1


@pytest.mark.parametrize("phase", ["installing", "compiling", "checking"])
def test_a_death_in_the_middle_leaves_nothing_that_looks_whole(project: Project, phase: str) -> None:
    spec = project.requirements("alpha\n")
    project.lock(spec)
    dying = builder(project)
    assert dying.stdout is not None
    for line in dying.stdout:
        if line.strip() == phase:
            dying.kill()
            break
    dying.stdout.close()
    assert dying.wait(60) == -signal.SIGKILL
    assert project.store.entries() == []
    found = project.provide(spec)["torch"]
    assert say(found, "import alpha; print(alpha.__version__)") == "2.0"
    assert project.store.halves() == []


# ------------------------------------------------------------------------------------------ what is there


def test_an_interpreter_that_exists_is_taken_as_it_is(project: Project, tmp_path: Path) -> None:
    find_interpreter("3.9")
    base = interpreters.find("3.9", os.environ)
    subprocess.run([base, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    before = sorted((tmp_path / "venv").rglob("*"))
    found = project.provide(project.spec({"python": str(tmp_path / "venv" / "bin" / "python")}))["torch"]
    assert found.python == str(tmp_path / "venv" / "bin" / "python")
    assert found.activation.set == {"VIRTUAL_ENV": str(tmp_path / "venv")}
    assert os.path.isdir(os.path.join(found.layer, "zmq"))
    assert sorted((tmp_path / "venv").rglob("*")) == before
    assert project.provide(project.spec({"python": "3.9"}))["torch"].probe.minor == "3.9"


def test_an_interpreter_that_is_not_there_is_told_with_its_line(project: Project) -> None:
    with pytest.raises(
        EnvironmentFault, match=r"^penstock\.toml:1: envs\.torch: there is no Python 3\.99 here"
    ):
        project.lock(project.requirements("alpha\n", python="3.99"))
    with pytest.raises(
        EnvironmentFault, match=r"penstock\.toml:1: envs\.torch: the interpreter /no/py does not"
    ):
        project.provide(project.spec({"python": "/no/py"}))


def test_a_conda_environment_is_found_by_its_name(project: Project) -> None:
    project.environ["HOME"] = str(project.folder)
    with pytest.raises(EnvironmentFault, match="there is no conda environment 'lab'; give its path"):
        project.provide(project.spec({"conda_env": "lab"}))
    (project.folder / "miniforge3" / "envs" / "labs" / "conda-meta").mkdir(parents=True)
    with pytest.raises(EnvironmentFault, match="there is no conda environment 'lab'; did you mean 'labs'"):
        project.provide(project.spec({"conda_env": "lab"}))
