"""Every code block of README and docs is run, and prints what the page says."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import BUILT, find_interpreter
from tests.house.desk import ROOT, Desk
from tests.house.pages import KINDS, RUNNABLE, Command, blocks, commands, differences
from tests.wheels import repacked

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
HELP = ROOT / "docs" / "reference" / "cli.md"
"""Is held against the verbs by test_reference, without a process for each."""
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture
def desk(tmp_path: Path, own_runs: Path) -> Iterator[Desk]:
    folder, programs, runs = tmp_path / "page", tmp_path / "programs", own_runs / "page"
    folder.mkdir()
    programs.mkdir()
    runs.mkdir(mode=0o700, exist_ok=True)
    desk = Desk(folder, programs, runs)
    yield desk
    desk.clear()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page) and page != HELP], ids=_name)
def test_a_reader_who_follows_the_page_sees_what_it_shows(
    page: Path, desk: Desk, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    _provide(page, desk, tmp_path, request)
    found: list[str] = []
    waiting: dict[str, str] = {}
    for block in blocks(page):
        if block.kind == "console":
            for command in commands(block):
                waiting = {name: text for name, text in waiting.items() if name not in command.text}
                found += desk.do(command)
        elif block.kind == "toml":
            assert block.name, f"{_name(page)}:{block.line}: a block of toml begins with the name of its file"
            desk.write(block.name, block.body)
        elif block.kind == "python" and block.name:
            desk.write(block.name, block.body)
            waiting[block.name] = block.body
        elif block.kind == "python":
            desk.write("block.py", block.body)
            found += desk.do(Command("python block.py", block.line))
    everything = page.read_text()
    for name, text in waiting.items():
        if everything.count(name.rpartition("/")[2].removesuffix(".py")) < 2:
            found += desk.do(_alone(name, text))
    found += desk.leave()
    assert not found, "\n".join([_name(page), *found])


def _alone(name: str, text: str) -> Command:
    """How a file is tried that no command of its page names."""
    return Command(f"penstock check {name}" if "Pipeline(" in text else f"python {name}", 0)


def _provide_packages(desk: Desk, folder: Path, needs: Path) -> None:
    """What a page installs comes from a folder, and is kept in another: no network, and none of ours."""
    repacked(sys.executable, "numpy", folder / "wheels")
    desk.set("UV_FIND_LINKS", f"{folder / 'wheels'},{needs}")
    desk.set("UV_DEFAULT_INDEX", (folder / "wheels").as_uri())  # no index: nothing is found there
    desk.set("PENSTOCK_CACHE_DIR", str(folder / "cache"))


def _provide(page: Path, desk: Desk, folder: Path, request: pytest.FixtureRequest) -> None:
    """What its reader is taken to have."""
    _provide_interpreters(page, folder / "programs")
    text = page.read_text()
    if "$PENSTOCK_BROKER" in text:
        desk.set("PENSTOCK_BROKER", request.getfixturevalue("broker"))
    if "$ make demo" in text:
        desk.set("PENSTOCK_CACHE_DIR", str(BUILT))
    if "$ penstock env" in text and page.parent.name == "howto":
        _provide_packages(desk, folder, request.getfixturevalue("needs"))


def _provide_interpreters(page: Path, programs: Path) -> None:
    """`python3.9` on a page means that interpreter, wherever this machine keeps it."""
    for version in sorted(set(re.findall(r"\bpython(3\.\d+) ", page.read_text()))):
        (programs / f"python{version}").symlink_to(find_interpreter(version))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_there_is_no_kind_of_block_that_is_not_run(page: Path) -> None:
    for block in blocks(page):
        assert block.kind in KINDS, f"{_name(page)}:{block.line}: a block of kind {block.kind!r}"
        if block.kind == "text":
            assert not RUNNABLE.search(block.body), f"{_name(page)}:{block.line}: code in a drawing"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    for target, _ in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{_name(page)} links to {target}"


def test_shapes_forgive_numbers_and_nothing_else() -> None:
    said = ["  train  1/1 ready   0.2 s", "^C draining ..."]
    assert not differences([said[0]], ["train 1/1 ready 350 ms\n"])
    assert differences([said[0]], ["train 1/1 failed 350 ms\n"]) == [
        "never printed:   train  1/1 ready   0.2 s",
        "not in the page: train 1/1 failed 350 ms",
    ]
    assert not differences(["0 lost", "..."], ["0 lost\n", "and more\n"])
    assert not differences(["sent  again ..."], ["sent again\n", "sent again given back\n"])
    assert differences(["12 in, 0 lost"], ["12 in, 3 lost\n"])
    assert not differences(["ready"], ["ready\n", "12:01:07   1,912 items/s   in flight 24   dead 0\n"])


@pytest.mark.parametrize(
    ("printed", "right"), [("print('one')", True), ("print('two')", False), ("raise SystemExit(3)", False)]
)
def test_a_page_that_shows_something_else_is_found_out(desk: Desk, printed: str, right: bool) -> None:
    desk.write("app.py", printed)
    command = Command(f"{Path(sys.executable).name} app.py", 1, ["one"])
    assert (not desk.do(command)) is right
