from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock import stage
from penstock.errors import EnvironmentFault, WiringError
from penstock.pipeline import reference
from penstock.pipeline.reference import Reference
from penstock.pipeline.stage import Stage

HERE = Path(__file__)
SOURCE = str(Path(reference.__file__).parents[2])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to write modules in; what was imported from it is forgotten afterwards."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def write(folder: Path, **files: str) -> None:
    """`steps__clean="..."` writes `steps/clean.py`."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


# ------------------------------------------------------------------------- from an object to its name


def clean(item: int) -> int:
    return item


class Tools:
    @staticmethod
    def clean(item: int) -> int:
        return item


named_anew = lambda item: item  # noqa: E731
decorated = stage(clean)


def lost(item: int) -> int:
    return item


found_again, lost = lost, functools.partial(lost)


def make() -> Any:
    def inner(item: int) -> int:
        return item

    return inner


def test_code_is_known_by_its_module_and_name() -> None:
    found = reference.of(clean)
    assert (found.module, found.name) == (__name__, "clean")
    assert Path(found.root, *found.module.split(".")).with_suffix(".py") == HERE


def test_code_inside_a_class_is_known_by_its_qualified_name() -> None:
    assert reference.of(Tools.clean).name == "Tools.clean"


def test_a_lambda_is_known_by_the_variable_that_holds_it() -> None:
    assert reference.of(named_anew).name == "named_anew"
    assert reference.load(reference.of(named_anew)) is named_anew


def test_installed_code_has_no_root_because_another_python_has_its_own() -> None:
    assert reference.of(json.dumps) == Reference("", "json", "dumps")
    assert reference.of(len) == Reference("", "builtins", "len")
    assert reference.of(pytest.fixture).root == ""


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (lambda item: item, "a lambda has no name .*; give it one at the top level of its file"),
        (make(), "'inner' is defined inside 'make'"),
        (functools.partial(clean), "neither a function nor a class"),
        (found_again, "the name 'lost' in .* is something else by now"),
    ],
)
def test_code_that_no_other_process_could_import_is_refused(target: Any, sentence: str) -> None:
    with pytest.raises(WiringError, match=sentence):
        reference.of(target)


def test_a_name_that_became_a_stage_still_leads_to_its_code(project: Path) -> None:
    write(project, app="from penstock import stage\n@stage\ndef clean(item): ...\n")
    found = reference.load(Reference(str(project), "app", "clean"))
    assert isinstance(found, Stage)
    assert reference.of(found.target) == Reference(str(project), "app", "clean")


PRINTS_REFERENCE = """
from penstock.pipeline import reference
def clean(item): ...
if __name__ == "__main__":
    found = reference.of(clean)
    print(found.root, found.module, found.name)
"""


def run(*command: str, cwd: Path, code: str = "") -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={"PYTHONPATH": SOURCE},
        input=code,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr.strip()


def test_a_script_is_known_by_the_name_that_imports_it(project: Path) -> None:
    write(project, app=PRINTS_REFERENCE)
    assert run("app.py", cwd=project) == f"{project} app clean"
    assert run(str(project / "app.py"), cwd=project.parent) == f"{project} app clean"


def test_a_module_run_by_name_is_known_by_that_name(project: Path) -> None:
    write(project, package____init__="", package__app=PRINTS_REFERENCE)
    (project / "package" / "__init__.py").touch()
    assert run("-m", "package.app", cwd=project) == f"{project} package.app clean"


@pytest.mark.parametrize("file", ["my.app.py", "__main__.py"])
def test_a_script_that_cannot_be_imported_is_told_to_change_its_name(project: Path, file: str) -> None:
    (project / file).write_text(PRINTS_REFERENCE)
    assert "rename the file" in run(file, cwd=project)


def test_an_interactive_session_is_told_to_use_a_file(project: Path) -> None:
    assert "is defined in an interactive session" in run("-", cwd=project, code=PRINTS_REFERENCE)
    assert "is defined in an interactive session" in run("-c", PRINTS_REFERENCE, cwd=project)


# --------------------------------------------------------------------------- from text to a reference


def parse(text: str, project: Path) -> Reference:
    return reference.parse(text, str(project / "app.py"))


def test_a_file_is_seen_from_the_calling_one(project: Path) -> None:
    write(project, steps__clean="def clean(item): ...")
    assert parse("steps/clean.py:clean", project) == Reference(str(project), "steps.clean", "clean")
    assert parse("./steps/clean.py:clean", project) == Reference(str(project), "steps.clean", "clean")


def test_a_file_elsewhere_is_its_own_root(project: Path) -> None:
    write(project, elsewhere__clean="def clean(item): ...", sub__app="")
    expected = Reference(str(project / "elsewhere"), "clean", "clean")
    assert parse("../elsewhere/clean.py:clean", project / "sub") == expected
    assert parse(f"{project}/elsewhere/clean.py:clean", project / "sub") == expected


def test_a_file_of_a_package_is_imported_as_part_of_it(project: Path) -> None:
    write(project, package__steps__clean="def clean(item): ...", package__app="")
    (project / "package" / "__init__.py").touch()
    expected = Reference(str(project), "package.steps.clean", "clean")
    assert parse("steps/clean.py:clean", project / "package") == expected


def test_a_module_is_not_looked_for_as_another_python_may_have_it(project: Path) -> None:
    assert parse("vision.steps:Clean", project) == Reference(str(project), "vision.steps", "Clean")


def test_names_that_only_running_the_file_would_tell_are_not_refused(project: Path) -> None:
    write(project, star="from other import *", computed="globals()['cl' + 'ean'] = print")
    assert parse("star.py:clean", project).name == "clean"
    assert parse("computed.py:clean", project).name == "clean"


def test_a_file_for_another_python_is_not_read_as_ours(project: Path) -> None:
    write(project, newer="def clean(item): return <syntax of 2040>")
    assert parse("newer.py:clean", project).name == "clean"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("clean.py", "'clean.py' names no code; write"),
        (":clean", "names no code"),
        ("clean.py:not-a-name", "names no code"),
        ("claen.py:clean", "there is no file .*claen.py; did you mean 'clean.py'?"),
        ("steps/clean.py:clean", "there is no file .*steps/clean.py"),
        ("clean.py:claen", "clean.py defines no 'claen'; did you mean 'clean'?"),
        ("data/clean:clean", "is not a Python file"),
        ("two.words.py:clean", "rename the file"),
    ],
)
def test_text_that_names_nothing_is_refused_with_what_is_near(
    project: Path, text: str, sentence: str
) -> None:
    write(project, clean="def clean(item): ...")
    (project / "two.words.py").write_text("def clean(item): ...")
    (project / "data").mkdir()
    (project / "data" / "clean").touch()
    with pytest.raises(WiringError, match=sentence):
        parse(text, project)


# ------------------------------------------------------------------------- from a reference to the code


def test_code_is_loaded_under_its_own_name_with_its_root_first(project: Path) -> None:
    write(
        project,
        steps__clean="import beside\nwho = __name__\nclass Tools:\n    def clean(self): ...",
        beside="",
    )
    found = reference.load(Reference(str(project), "steps.clean", "Tools.clean"))
    assert found.__qualname__ == "Tools.clean"
    assert sys.modules["steps.clean"].who == "steps.clean"
    assert sys.path[0] == str(project)


def test_installed_code_is_loaded_without_touching_the_path() -> None:
    before = [*sys.path]
    assert reference.load(Reference("", "json", "dumps")) is json.dumps
    assert sys.path == before


def test_what_the_user_s_file_raises_passes_through(project: Path) -> None:
    write(project, broken="1 / 0")
    with pytest.raises(ZeroDivisionError):
        reference.load(Reference(str(project), "broken", "clean"))


def test_a_package_that_this_python_lacks_is_a_fault_of_the_environment(project: Path) -> None:
    write(project, app="import torch_of_another_world")
    with pytest.raises(
        EnvironmentFault, match="app:clean needs the package 'torch_of_another_world'"
    ) as caught:
        reference.load(Reference(str(project), "app", "clean"))
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize(
    ("module", "name", "sentence"),
    [
        ("app", "claen", "app.py defines no 'claen'; did you mean 'clean'?"),
        ("app", "Tools.claen", "app.py defines no 'Tools.claen'; did you mean 'clean'?"),
        ("appp", "clean", "there is no module 'appp' below .*; did you mean 'app'?"),
        ("steps.clean", "clean", "there is no module 'steps.clean'"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is_near(
    project: Path, module: str, name: str, sentence: str
) -> None:
    write(project, app="def clean(item): ...\nclass Tools:\n    def clean(self): ...\n")
    with pytest.raises(WiringError, match=sentence):
        reference.load(Reference(str(project), module, name))


def test_a_file_that_hides_behind_another_module_is_told_to_change_its_name(project: Path) -> None:
    write(project, json="def clean(item): ...")
    with pytest.raises(WiringError, match=r"`import json` finds .* instead of .*json.py; rename that file"):
        reference.load(Reference(str(project), "json", "clean"))
