"""Files are edited while items flow: new workers take over, and nothing is lost or done twice."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.faults.rig import PATIENCE, PENSTOCK, Rig, Run

pytestmark = pytest.mark.fault

RELOADED = (*PENSTOCK, "run", "--reload")


def edit(desk: Path, edition: int) -> None:
    """The stage's code calls a module beside it: that one is edited."""
    folder = desk / "code"
    folder.mkdir(exist_ok=True)
    if not (folder / "edited.py").exists():
        (folder / "edited.py").write_text(
            "def work(number):\n    import edition\n    return number, edition.NUMBER\n"
        )
    draft = folder / "edition.draft"  # as editors do: nobody reads half a file
    draft.write_text(f"NUMBER = {edition}\n")
    draft.replace(folder / "edition.py")


def start(rig: Rig, items: int) -> Run:
    edit(rig.desk, 0)
    return rig.start("reloaded", command=RELOADED, ITEMS=items)


@pytest.mark.timeout(900)
def test_edits_under_load_lose_nothing_and_have_nothing_done_twice(rig: Rig, long_form: bool) -> None:
    items, edits = (1_000_000, 20) if long_form else (60_000, 3)
    run = start(rig, items)
    run.until_whole()
    for edition in range(1, edits + 1):
        run.open("count", edition * items // (edits + 1))
        run.until(lambda: run.noted("record") > 0, "items arrive")
        edit(rig.desk, edition)
        said = 2 * edition
        run.until(lambda said=said: len(run.lines("was restarted")) == said, f"edition {edition} works")  # type: ignore[misc]
    run.open("count")
    account = run.end(within=600)
    assert account["totals"]["dead"] == account["totals"]["lost"] == 0
    assert sorted(run.tape("record")) == list(range(items))
    assert set(run.tape("editions")) >= {0, edits}
    assert sum(link["again"] for link in account["links"]) == 0


def test_a_file_that_cannot_be_compiled_harms_nobody_and_is_said_with_its_line(rig: Rig) -> None:
    run = start(rig, 100)
    before = run.until_whole()
    (rig.desk / "code" / "edition.py").write_text("NUMBER = 1\nNUMBER = =\n")
    run.until_said("code/edition.py:2: invalid syntax; the old code goes on")
    assert run.workers() == before
    edit(rig.desk, 2)
    run.open("count")
    assert run.end()["totals"]["through"] == 100


def test_code_that_cannot_be_loaded_leaves_the_old_workers_in_place(rig: Rig) -> None:
    run = start(rig, 100)
    run.until_whole()
    run.open("count", 50)
    run.until(lambda: run.noted("record") == 50, "it works")
    (rig.desk / "code" / "edited.py").write_text("raise RuntimeError('half an edit')\n")
    run.until_said("is not restarted: the successor of work/0 did not get ready; work/0 goes on")
    run.open("count")
    assert run.process.wait(PATIENCE) == 0, run.said
    assert sorted(run.tape("record")) == list(range(100))
    assert "RuntimeError: half an edit" in run.said


def test_only_who_has_imported_the_file_is_renewed(rig: Rig) -> None:
    (rig.desk / "code").mkdir()
    both = "import edition\n\ndef work(number):\n    return number, edition.NUMBER\n"  # whoever gets an item
    (rig.desk / "code" / "edited.py").write_text(both)
    run = start(rig, 100)
    before = {worker.label: worker.pid for worker in run.until_whole()}
    run.open("count", 10)
    run.until(lambda: run.noted("record") == 10, "it works")
    edit(rig.desk, 1)
    run.until(lambda: len(run.lines("was restarted")) == 2, "both are renewed")
    assert run.lines("edition.py changed: new workers for work")
    after = {worker.label: worker.pid for worker in run.workers()}
    run.open("count")
    unchanged = {label for label, pid in after.items() if before[label] == pid}
    assert unchanged == {"count/0", "Record/0"}
    run.end()


def test_without_watchfiles_one_sentence_says_what_to_install(rig: Rig) -> None:
    blocked = rig.desk / "blocked"
    blocked.mkdir()
    (blocked / "watchfiles.py").write_text("raise ImportError\n")
    edit(rig.desk, 0)
    run = rig.start("reloaded", command=RELOADED, ITEMS=1, PYTHONPATH=blocked)
    run.process.wait(30)
    assert run.process.returncode == 5
    cure = f"{sys.executable} -m pip install 'penstock[reload]'"
    assert run.said == f"penstock: --reload needs watchfiles, which is not installed: {cure}\n"
