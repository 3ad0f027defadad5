"""`penstock env`, as it is typed: one project from its first environment to none."""

from __future__ import annotations

import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.acceptance.cli.terminal import Terminal
from tests.acceptance.cli.test_surface import frozen, shape
from tests.wheels import wheel

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def project(terminal: Terminal, tmp_path: Path, needs: Path) -> Terminal:
    """A project with one environment of a package `alpha`, of which there are two versions in a folder."""
    wheels = tmp_path / "wheels"
    for version in ("1.0", "2.0"):
        wheel(wheels, "alpha", version)
    terminal.environment |= {
        "UV_FIND_LINKS": f"{wheels},{needs}",
        "UV_DEFAULT_INDEX": wheels.as_uri(),  # no index: none of the packages is found there
        "PENSTOCK_CACHE_DIR": str(tmp_path / "cache"),
    }
    terminal.write("envs/torch.txt", "alpha<2\n")
    terminal.write("penstock.toml", '[envs.torch]\nrequirements = "envs/torch.txt"\n')
    return terminal


def test_an_environment_is_locked_built_looked_at_and_removed(project: Terminal) -> None:
    assert project.ask("env", "list")["environments"][0]["state"] == "not locked"
    assert f"torch   Python {HERE}   1 package" in project.type("env", "lock").stdout
    assert project.ask("env", "list")["environments"][0]["state"] == "not built"
    assert project.type("env", "build").stdout.startswith(f"torch   Python {HERE}.")
    [row] = project.ask("env", "list")["environments"]
    assert (row["state"], row["kind"], row["users"]) == ("ready", "requirements", [str(project.directory)])
    assert row["bytes"] > 0
    header, line = project.type("env", "list").stdout.splitlines()
    assert header.split() == ["NAME", "KIND", "PYTHON", "STATE", "SIZE", "AGE", "USED", "BY", "KEY"]
    age = line[header.index("AGE") : header.index("USED")].strip()
    assert re.fullmatch(r"[\d.]+ ?(ms|s|min)", age), line
    told = project.ask("env", "show", "torch")
    assert told["packages"] == {"alpha": "1.0"}
    assert os.path.isdir(told["path"])
    ran = project.type(
        "env", "shell", "torch", "--", "python", "-c", "import alpha, sys; sys.exit(7)", code=7
    )
    assert ran.stderr == ""  # it is there: nothing is done, nothing is said
    exported = project.type("env", "export", "torch").stdout
    assert "      - alpha==1.0" in exported.splitlines()
    [purelib] = Path(told["path"]).glob("lib/python*/site-packages")
    purelib.chmod(0o700)
    (purelib / "more.py").touch()
    assert project.ask("env", "list")["environments"][0]["state"] == "changed"
    assert project.ask("env", "clean")["removed"] == []
    gone, layer = project.ask("env", "clean", "--all")["removed"]
    assert gone["key"] == row["key"]
    assert layer["name"] == "what workers need"
    assert project.ask("env", "list")["environments"][0]["state"] == "not built"


def test_a_shell_is_the_command_itself_and_keeps_its_environment(project: Terminal) -> None:
    project.type("env", "lock")
    code = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
    shell = project.start("env", "shell", "torch", "--", "python", "-c", code)
    assert shell.stdout is not None
    assert int(shell.stdout.readline()) == shell.pid  # so Ctrl-C and kill -9 meet it, and nothing around it
    assert project.ask("env", "clean", "--all")["removed"] == []
    shell.kill()
    shell.communicate()
    refused = project.type("env", "shell", "torch", "--", "nosuchcmd", code=4).stderr
    assert "nosuchcmd cannot be started in torch: No such file" in refused
    assert len(project.ask("env", "clean", "--all")["removed"]) == 2
    assert project.type("env", "clean", "--all").stdout == "there is nothing to remove\n"


def test_what_has_changed_is_told_with_the_command_that_cures_it(project: Terminal) -> None:
    project.type("env", "lock")
    project.write("envs/torch.txt", "alpha\n")
    [row] = project.ask("env", "list")["environments"]
    assert row["state"] == "stale"
    checked = project.type("env", "check", code=1).stdout
    assert "has changed since it was locked" in checked
    assert "penstock env lock torch" in checked
    refused = project.type("env", "build", code=4)
    assert "has changed since it was locked; run `penstock env lock torch`" in refused.stderr
    assert project.type("env", "build", "--frozen").stdout.startswith("torch   Python")
    assert project.type("env", "lock").stdout == f"torch   Python {HERE}   1 package\n"
    assert "alpha 1.0 → 2.0" in project.type("env", "lock", "--upgrade").stdout
    assert project.type("env", "check").returncode == 0


def test_a_new_environment_is_written_where_the_others_are(project: Terminal) -> None:
    project.type("env", "init", "vision", "--python", HERE)
    text = (project.directory / "penstock.toml").read_text()
    assert text.endswith(f'\n\n[envs.vision]\nrequirements = "envs/vision.txt"\npython = "{HERE}"\n')
    assert (project.directory / "envs" / "vision.txt").exists()
    project.write("environment.yml", "dependencies: [python]\n")
    project.type("env", "init", "sea", "environment.yml")
    assert 'conda = "environment.yml"' in (project.directory / "penstock.toml").read_text()
    assert "already" in project.type("env", "init", "sea", "environment.yml", code=1).stderr
    assert "no such file" in project.type("env", "init", "air", "gone.yml", code=4).stderr


def test_a_new_environment_may_have_any_name_and_file(project: Terminal) -> None:
    project.write("🌊.txt", "alpha\n")
    project.type("env", "init", "größe")
    project.type("env", "init", "sea", "🌊.txt")
    assert {row["name"] for row in project.ask("env", "list")["environments"]} == {"torch", "größe", "sea"}
    assert 'requirements = "🌊.txt"' in (project.directory / "penstock.toml").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_made_is_a_sentence(project: Terminal) -> None:
    (project.directory / "envs" / "torch.txt").unlink()
    (project.directory / "envs").rmdir()
    project.write("envs", "")
    said = project.type("env", "init", "foo", code=4).stderr
    assert "envs/foo.txt cannot be made: " in said


def test_two_that_lock_at_once_both_do(project: Terminal) -> None:
    project.write(
        "penstock.toml", "".join(f'[envs.{each}]\nrequirements = "envs/torch.txt"\n' for each in "ab")
    )
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda name: project.type("env", "lock", name), "ab"))
    assert [row["state"] for row in project.ask("env", "list")["environments"]] == ["not built", "not built"]


def test_slips_are_told_with_their_line(project: Terminal) -> None:
    assert "did you mean 'torch'?" in project.type("env", "lock", "torh", code=4).stderr
    project.write("penstock.toml", '[envs.torch]\nrequirement = "envs/torch.txt"\n[envs.x]\n')
    said = project.type("env", "lock", code=4).stderr
    assert "penstock.toml:2: envs.torch: there is no key 'requirement'; did you mean 'requirements'?" in said
    assert "penstock.toml:3: envs.x does not say what it is made from" in said
    project.write("penstock.toml", '[env.torch]\nrequirements = "envs/torch.txt"\n')
    assert "did you mean 'envs'?" in project.type("env", "build", code=4).stderr
    project.write("penstock.toml", "")
    assert "`penstock env init NAME` writes one" in project.type("env", "build", code=4).stderr


def test_what_is_there_already_is_shown_and_not_locked(project: Terminal) -> None:
    project.write("penstock.toml", f'[envs.old]\npython = "{sys.executable}"\n')
    assert "nothing to lock" in project.type("env", "lock").stdout
    assert not (project.directory / "penstock.lock").exists()
    [row] = project.ask("env", "list")["environments"]
    assert (row["kind"], row["state"]) == ("python", "ready")
    project.write("old", f'#!/bin/sh\n{sys.executable} "$@" | sed \'s/"CPython"/"PyPy"/\'\n')
    (project.directory / "old").chmod(0o755)
    project.write("penstock.toml", '[envs.old]\npython = "./old"\n')
    assert project.ask("env", "list")["environments"][0]["state"] == "unfit"
    project.write("penstock.toml", f'[envs.old]\npython = "{sys.executable}"\n')
    assert "others may have another" in project.type("env", "check").stdout
    assert "nothing to export" in project.type("env", "export", "old", code=4).stderr


def test_documents_about_environments_have_the_fields_written_down(project: Terminal) -> None:
    project.type("env", "lock")
    project.type("env", "build")
    words = (("env", "list"), ("env", "show", "torch"), ("env", "check"), ("env", "clean", "--all"))
    documents = {" ".join(each): shape(project.ask(*each)) for each in words}
    documents["env show torch"]["packages"] = "map"
    frozen("environments.json", json.dumps(documents, indent=1, sort_keys=True) + "\n")
