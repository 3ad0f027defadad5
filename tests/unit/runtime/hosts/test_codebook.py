"""Code as trees of files: what belongs to it, and what is refused of an offer."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec
import pytest

from penstock.errors import UserError
from penstock.pipeline.plan import Plan, StagePlan
from penstock.pipeline.reference import Reference
from penstock.runtime.agent.larder import AT_ONCE, Larder, matched
from penstock.runtime.hosts import codebook
from penstock.runtime.hostwire import PART, Manifest


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "steps").mkdir(parents=True)
    (folder / "app.py").write_text("x = 1\n")
    (folder / "steps/big.json").write_bytes(os.urandom(PART + 7))
    for left_out in (".git/config.txt", "__pycache__/app.py", ".env.py", "kept"):
        (folder / left_out).parent.mkdir(exist_ok=True)
        (folder / left_out).write_text("no")
    (folder / "out.py").symlink_to("/etc/passwd")
    return folder


def test_a_tree_is_fetched_once_and_again_only_what_has_changed(app: Path, tmp_path: Path) -> None:
    asked: list[str] = []

    async def fetch(path: str, at: int) -> bytes:
        asked.append(path)
        await asyncio.sleep(0)
        data = (app / path.partition("/")[2]).read_bytes()
        return data[at : at + PART]

    larder = Larder(str(tmp_path / "cache"))
    manifest = codebook.survey([str(app)])
    assert sorted(manifest.files) == ["0/app.py", "0/steps/big.json"]
    (tree,) = asyncio.run(larder.trees(manifest, 1, fetch))
    assert (Path(tree) / "steps/big.json").read_bytes() == (app / "steps/big.json").read_bytes()
    asked.clear()
    (app / "app.py").write_text("x = 2\n")
    (tree,) = asyncio.run(larder.trees(codebook.survey([str(app)]), 1, fetch))
    assert asked == ["0/app.py"]
    assert matched(tree, codebook.survey([str(app)])) == tree
    with pytest.raises(UserError, match=r"app\.py is another"):
        matched(tree, manifest)


def test_small_files_are_asked_for_together_and_not_all_at_once(app: Path, tmp_path: Path) -> None:
    for number in range(200):
        (app / f"s{number}.py").write_text(f"x = {number}\n")
    waiting: list[str] = []
    most = 0

    async def fetch(path: str, at: int) -> bytes:
        nonlocal most
        waiting.append(path)
        most = max(most, len(waiting))
        await asyncio.sleep(0)
        waiting.remove(path)
        return (app / path.partition("/")[2]).read_bytes()[at : at + PART]

    (tree,) = asyncio.run(Larder(str(tmp_path / "cache")).trees(codebook.survey([str(app)]), 1, fetch))
    assert matched(tree, codebook.survey([str(app)])) == tree
    assert most == AT_ONCE


def test_a_tree_that_was_changed_is_made_anew_and_left_to_those_who_run_from_it(
    app: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"

    async def fetch(path: str, at: int) -> bytes:
        await asyncio.sleep(0)
        return (app / path.partition("/")[2]).read_bytes()[at : at + PART]

    manifest = codebook.survey([str(app)])
    (tree,) = asyncio.run(Larder(str(cache)).trees(manifest, 1, fetch))
    (Path(tree) / "app.py").write_text("x = 7\n")
    left = [cache / "code/trees/draft-1", cache / "code/blobs/draft-2"]
    left[0].mkdir()
    left[1].touch()
    for path in left:
        os.utime(path, (0, 0))
    found = [asyncio.run(Larder(str(cache)).trees(manifest, 1, fetch)) for _ in range(2)]
    assert found[0] == found[1] != [tree]
    assert (Path(found[0][0]) / "app.py").read_text() == "x = 1\n"
    assert (Path(tree) / "app.py").read_text() == "x = 7\n"
    assert not [path for path in left if path.exists()]


def test_what_nobody_runs_from_goes_when_there_is_too_much(app: Path, tmp_path: Path) -> None:
    async def fetch(path: str, at: int) -> bytes:
        await asyncio.sleep(0)
        return (app / path.partition("/")[2]).read_bytes()[at : at + PART]

    one, other = (Larder(str(tmp_path / "cache"), most=3 * PART) for _ in range(2))
    found = []
    for version, larder in enumerate((one, other, other)):
        (app / "app.py").write_text(f"x = {version}\n")
        found += asyncio.run(larder.trees(codebook.survey([str(app)]), 1, fetch))
    assert [os.path.exists(each) for each in found] == [True, False, True]


def test_what_is_not_as_it_was_announced_is_not_kept(app: Path, tmp_path: Path) -> None:
    async def fetch(path: str, at: int) -> bytes:
        await asyncio.sleep(0)
        return b"" if at else b"x = 3\n"

    with pytest.raises(UserError, match="changed while it was fetched"):
        asyncio.run(Larder(str(tmp_path / "cache")).trees(codebook.survey([str(app)]), 1, fetch))
    assert not list((tmp_path / "cache/code/blobs").iterdir())


@pytest.mark.parametrize(
    "path", ["0/../app.py", "/etc/passwd", "app.py", "0//a", "0/a/../../b", "0/./a", "x/a", "0/a\0b", "0/"]
)
def test_no_path_leads_out_of_its_tree(path: str) -> None:
    with pytest.raises(UserError):
        codebook.checked(Manifest({path: "0" * 64}, {path: 1}))


def test_too_much_is_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="too much"):
        codebook.checked(Manifest({"0/a": "0" * 64}, {"0/a": codebook.MOST_BYTES + 1}))
    monkeypatch.setattr(codebook, "MOST_FILES", 1)
    for name in ("a.py", "b.py"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match="more than 1 files"):
        codebook.survey([str(tmp_path)])


def test_references_lead_to_the_trees_of_the_other_host(tmp_path: Path) -> None:
    root = str(tmp_path / "app")
    plan = Plan(
        "p", [StagePlan("a", "stage", Reference(root + "/steps", "m", "f"))], [], config={"root": root}
    )
    (tmp_path / "app/steps").mkdir(parents=True)
    assert codebook.trees(plan, root) == [root]
    moved = codebook.moved(plan, [root], ["/there/0"])
    assert moved.stages[0].code.root == "/there/0/steps"
    assert moved.config == {"root": root}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(moved), type=Plan) == moved
