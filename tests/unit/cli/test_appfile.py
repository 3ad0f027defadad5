from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.cli.appfile import AppNotFound, BrokenApp, load
from penstock.errors import WiringError

APP = """\
from penstock import Pipeline, sink, source

@source
def numbers():
    yield 1

@sink
def save(number):
    pass

"""


@pytest.fixture(autouse=True)
def own_imports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Each test imports files of the same names: none may see another's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def write(name: str, text: str = "", app: str = APP) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(app + textwrap.dedent(text))


def test_the_only_pipeline_of_a_file_needs_no_name() -> None:
    write("app.py", "flow = Pipeline('demo', numbers >> save)")
    assert load("app.py").pipeline.name == "demo"


def test_a_second_name_for_the_same_pipeline_changes_nothing() -> None:
    write("app.py", "flow = main = Pipeline('demo', numbers >> save)")
    assert load("app.py").pipeline.name == "demo"


def test_stages_are_named_by_the_file_and_never_main() -> None:
    write("shop/app.py", "flow = Pipeline('demo', numbers >> save)")
    code = load("shop/app.py").pipeline.plan().stages[0].code
    assert (code.root, code.module) == (str(Path.cwd() / "shop"), "app")


def test_neighbours_of_the_file_can_be_imported() -> None:
    write("shop/sizes.py", "SIZE = 3", app="")
    write("shop/app.py", "import sizes\nflow = Pipeline(f'demo{sizes.SIZE}', numbers >> save)")
    assert load("shop/app.py").pipeline.name == "demo3"


def test_a_directory_means_its_app_file() -> None:
    write("shop/app.py", "flow = Pipeline('demo', numbers >> save)")
    assert load("shop").path == Path.cwd() / "shop" / "app.py"


@pytest.mark.parametrize("name", ["first", "a", "second", "b"])
def test_of_several_one_is_chosen_by_its_variable_or_its_own_name(name: str) -> None:
    write("app.py", "first = Pipeline('a', numbers >> save)\nsecond = Pipeline('b', numbers >> save)")
    assert load(f"app.py:{name}").pipeline.name == {"first": "a", "second": "b"}.get(name, name)


def test_without_a_name_several_are_listed_as_they_would_be_typed() -> None:
    write("app.py", "first = Pipeline('a', numbers >> save)\nsecond = Pipeline('b', numbers >> save)")
    with pytest.raises(AppNotFound, match=r"declares 2 pipelines; say which: app\.py:first, app\.py:second"):
        load("app.py")


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    write("app.py", "pipeline = Pipeline('a', numbers >> save)")
    with pytest.raises(AppNotFound, match="has no pipeline 'pipelin'; did you mean 'pipeline'"):
        load("app.py:pipelin")


def test_a_file_without_a_pipeline_is_told_what_it_needs() -> None:
    write("app.py")
    with pytest.raises(
        AppNotFound, match=r"declares no pipeline; it needs a line like `pipeline = Pipeline\("
    ):
        load("app.py")


def test_a_missing_file_is_answered_with_the_one_that_is_there() -> None:
    write("app.py")
    with pytest.raises(AppNotFound, match=r"there is no file apps\.py; did you mean app\.py\?"):
        load("apps.py")


def test_a_module_name_is_answered_with_its_file() -> None:
    write("app.py")
    with pytest.raises(AppNotFound, match=r"there is no file app:flow; did you mean app\.py:flow\?"):
        load("app:flow")


def test_an_empty_directory_is_told_how_to_begin() -> None:
    with pytest.raises(AppNotFound, match=r"there is no file app\.py; `penstock init` writes one"):
        load("app.py")


def test_an_import_error_shows_the_users_frames_only() -> None:
    write("steps.py", "import no_such_library", app="")
    write("app.py", "import steps", app="")
    with pytest.raises(
        BrokenApp, match=r"app\.py cannot be imported: ModuleNotFoundError: No module"
    ) as caught:
        load("app.py")
    files = [line.split('"')[1] for line in caught.value.traceback.splitlines() if line.startswith("  File")]
    assert [Path(file).name for file in files] == ["app.py", "steps.py"]


def test_a_cause_is_shown_and_cleaned_as_well() -> None:
    write(
        "app.py",
        "try:\n    import nothing\nexcept ImportError as e:\n    raise ValueError('why') from e",
        app="",
    )
    with pytest.raises(BrokenApp) as caught:
        load("app.py")
    assert "No module named 'nothing'" in caught.value.traceback
    assert "importlib" not in caught.value.traceback


def test_a_syntax_error_shows_its_line() -> None:
    write("app.py", "def f(:\n", app="")
    with pytest.raises(BrokenApp, match="SyntaxError: invalid syntax") as caught:
        load("app.py")
    assert "def f(:" in caught.value.traceback


def test_a_wrong_wire_is_one_sentence_with_its_place() -> None:
    write("app.py", "flow = Pipeline('demo', numbers >> save >> numbers)")
    with pytest.raises(WiringError, match=r"app\.py:11"):
        load("app.py")


def test_a_file_that_exits_is_told_about_the_main_guard() -> None:
    write("app.py", "raise SystemExit(3)", app="")
    with pytest.raises(
        BrokenApp, match=r"ended the program while it was imported \(exit 3\); put .* under `if __name__"
    ):
        load("app.py")


@pytest.mark.parametrize("name", ["queue.py", "numpy.py", "my.app.py"])
def test_a_name_that_would_find_something_else_in_a_worker_is_refused(name: str) -> None:
    write(name)
    with pytest.raises(BrokenApp, match="rename the file"):
        load(name)


def test_a_package_of_the_same_name_is_refused() -> None:
    write("shop.py")
    write("shop/__init__.py", app="")
    with pytest.raises(BrokenApp, match=r"finds the package .*shop, not this file"):
        load("shop.py")


def test_other_files_are_refused() -> None:
    write("app.toml")
    with pytest.raises(AppNotFound, match="is not a Python file"):
        load("app.toml")
