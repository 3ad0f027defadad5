from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from penstock.cli import main, statedir
from penstock.message import letter
from penstock.message.codec import Encoder
from penstock.message.letter import Letter
from penstock.tasks import letters
from penstock.tasks.freight import packed
from penstock.tasks.home import Home
from penstock.tasks.job import JobRow, NewJob
from penstock.tasks.settle import Closing, Failed
from penstock.tasks.store import Store

STATE = Path(".penstock/demo")
HOME = Home(".penstock/jobs.db")


@pytest.fixture(autouse=True)
def ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A pipeline that ran in this directory and has ended."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PENSTOCK_STATE_DIR", raising=False)
    monkeypatch.delenv("PENSTOCK_JOBS", raising=False)
    monkeypatch.setattr(statedir, "_running", lambda name: {})
    (STATE / "dead").mkdir(parents=True)


def died(
    id: str,
    stage: str = "detect",
    value: object = 1,
    *,
    cause: str = "ValueError: bad jpeg",
    when: float = 1_800_000_000.0,
    allow_pickle: bool = False,
) -> Path:
    made = Letter(
        id=id,
        pipeline="demo",
        stage=stage,
        link=f"camera→{stage}",
        attempts=4,
        failures=4,
        cause=cause,
        traceback='Traceback:\n  File "app.py", line 3, in detect\nValueError: bad jpeg\n',
        when=when,
        payload=b"\x91" + Encoder(None, allow_pickle=allow_pickle).encode(value),
    )
    return letter.write(STATE / "dead", made)


def shown(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main.answer(["dead", *arguments]) == code
    said = capsys.readouterr()
    return said.err if code else said.out


def names() -> list[str]:
    """Of the dead letters that are in the store, oldest first; none lies in a file any more."""
    assert letter.list_letters(STATE / "dead") == []
    with letters.opened(HOME) as found:
        return [each.name for each in found.all()][::-1]


def test_the_list_names_the_item_the_stage_and_the_cause(capsys: pytest.CaptureFixture[str]) -> None:
    died("camera/0:17")
    [header, row] = shown(capsys, "list").splitlines()
    assert header.split() == ["KIND", "ITEM", "STAGE", "FAILURES", "DIED", "CAUSE"]
    assert row.split()[:4] == ["item", "camera/0:17", "detect", "4"]
    assert row.endswith("ValueError: bad jpeg")


def test_the_newest_stand_last_and_older_ones_are_mentioned(capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(5):
        died(f"camera/0:{number}")
    assert main.answer(["dead", "list", "-n", "2"]) == 0
    said = capsys.readouterr()
    assert [line.split()[1] for line in said.out.splitlines()[1:]] == ["camera/0:3", "camera/0:4"]
    assert "there are older ones" in said.err
    assert len(shown(capsys, "list", "-n", "0").splitlines()) == 6


def test_one_stage_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    died("camera/0:1", "detect")
    died("camera/0:2", "save")
    document = json.loads(shown(capsys, "list", "--stage", "save", "--json"))
    assert document["schema"] == "penstock.dead/1"
    assert [each["id"] for each in document["letters"]] == ["camera/0:2"]


def test_quiet_gives_names_that_show_takes(capsys: pytest.CaptureFixture[str]) -> None:
    path = died("camera/0:1")
    assert shown(capsys, "list", "-q") == f"{path.stem}\n"
    assert "camera/0:1" in shown(capsys, "show", path.stem)


def test_no_dead_letters_is_talk_and_no_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.answer(["dead", "list"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "no dead letters in .penstock/jobs.db\n")


def test_a_letter_is_shown_with_cause_traceback_and_value(capsys: pytest.CaptureFixture[str]) -> None:
    died("camera/0:17", value={"name": "a.jpg"})
    text = shown(capsys, "show", "camera/0:17")
    for part in ("camera→detect", "4 failures in 4 deliveries", 'File "app.py", line 3', "{'name': 'a.jpg'}"):
        assert part in text


def test_without_a_name_the_newest_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    died("camera/0:1")
    died("camera/0:2")
    document = json.loads(shown(capsys, "show", "--json"))
    assert (document["schema"], document["id"], document["value"]) == ("penstock.letter/1", "camera/0:2", "1")


def test_an_unknown_item_is_not_found(capsys: pytest.CaptureFixture[str]) -> None:
    died("camera/0:1")
    assert "there is no dead letter of camera/0:9 in .penstock/jobs.db" in shown(
        capsys, "show", "camera/0:9", code=3
    )


def test_filters_are_all_of_them_meant(capsys: pytest.CaptureFixture[str]) -> None:
    died("camera/0:1", "detect")
    died("camera/0:2", "save")
    path = died("camera/0:3", "save", cause="OSError: disk full", when=1_900_000_000.0)

    def ids(*filters: str) -> list[str]:
        found = json.loads(shown(capsys, "list", "--json", *filters))["letters"]
        return [each["id"] for each in found]

    assert ids("--cause", "DISK") == ids("--since", "2030-01-01") == ids("--id", path.stem) == ["camera/0:3"]
    assert ids("--stage", "save", "--cause", "jpeg") == ["camera/0:2"]
    assert ids("--id", "camera/0:1", "--id", "camera/0:2") == ["camera/0:1", "camera/0:2"]
    assert ids("--id", "camera/0") == []
    assert ids("--limit", "1") == ["camera/0:3"]


def test_a_time_that_is_none_is_refused_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert "write how long ago, like 30m or 2h" in shown(capsys, "list", "--since", "yesterday", code=2)


def test_discarded_are_those_that_are_shown_and_no_others(capsys: pytest.CaptureFixture[str]) -> None:
    died("camera/0:1", "detect")
    kept = died("camera/0:2", "save")
    assert main.answer(["dead", "discard", "--stage", "detect", "--yes"]) == 0
    said = capsys.readouterr()
    assert "camera/0:1" in said.err
    assert "camera/0:2" not in said.err
    assert said.err.endswith("discarded 1 dead letter\n")
    assert names() == [kept.stem]


def ran(*links: str, pipeline: str = "demo") -> None:
    """How its last run ended, as far as that matters here."""
    account = {"pipeline": pipeline, "links": [{"link": link} for link in links]}
    (STATE / "run.json").write_text(json.dumps(account))


def test_requeued_are_those_that_are_shown_and_no_others(capsys: pytest.CaptureFixture[str]) -> None:
    ran("camera→detect", "camera→save")
    path = died("camera/0:1", "detect")
    kept = died("camera/0:2", "save")
    assert main.answer(["dead", "requeue", "--stage", "detect", "--yes"]) == 0
    said = capsys.readouterr().err
    assert said.endswith("requeued 1 dead letter; they wait for the next run of demo\n")
    assert "camera/0:2" not in said
    assert names() == [kept.stem]
    assert letter.list_requeued(STATE / "dead") == [path.with_suffix(".requeued")]


def test_what_was_put_back_is_listed_as_such_and_can_be_shown_and_discarded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    died("camera/0:1")
    assert main.answer(["dead", "requeue", "--yes"]) == 0
    died("camera/0:2")
    capsys.readouterr()
    assert [line.split()[-4] for line in shown(capsys, "list").splitlines()[1:]] == ["requeued", "dead"]
    assert json.loads(shown(capsys, "show", "camera/0:1", "--json"))["requeued"] is True
    assert "no dead letters like that" in shown(capsys, "requeue", "--id", "camera/0:1", "--yes", code=3)
    assert main.answer(["dead", "discard", "--id", "camera/0:1", "--yes"]) == 0
    assert letter.list_requeued(STATE / "dead") == []


def test_what_cannot_go_back_is_refused_with_its_reason_and_nothing_is_touched(
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths = [died("camera/0:1", "detect"), died("camera/0:2", "gone"), died("camera/0:3", "gone")]
    ran("camera→detect")
    said = shown(capsys, "requeue", "--yes", code=4)
    assert "2 dead letters came by camera→gone, and demo has no such link any more. None was put back" in said
    ran("camera→detect", "camera→gone", pipeline="other")
    assert "3 dead letters of the pipeline 'demo', and here is 'other'" in shown(
        capsys, "requeue", "--yes", code=4
    )
    assert names() == [path.stem for path in paths]


def test_requeue_tells_scripts_what_it_has_moved(capsys: pytest.CaptureFixture[str]) -> None:
    died("camera/0:1")
    assert "--yes is missing" in shown(capsys, "requeue", code=4)
    document = json.loads(shown(capsys, "requeue", "--yes", "--json"))
    assert document["schema"] == "penstock.requeue/1"
    ((moved,),) = [document["letters"]]
    assert (moved["id"], moved["now"], moved["requeued"]) == ("camera/0:1", False, True)
    assert [path.stem for path in letter.list_requeued(STATE / "dead")] == [moved["name"]]


def test_what_is_for_good_is_not_done_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    path = died("camera/0:1")
    assert "--yes is missing" in shown(capsys, "discard", code=4)
    assert names() == [path.stem]
    assert "no dead letters like that" in shown(capsys, "discard", "--id", "x", "--yes", code=3)


def test_exported_letters_are_json_lines_and_their_arrays_npz(capsys: pytest.CaptureFixture[str]) -> None:
    image = np.arange(6, dtype="f4").reshape(2, 3)
    path = died("camera/0:1", value={"image": image, "tags": ("a", b"\x00"), 3: None})
    died("camera/0:2", value="plain")
    assert main.answer(["dead", "export", "out"]) == 0
    one, two = map(json.loads, Path("out/letters.jsonl").read_text().splitlines())
    assert (two["id"], two["cause"], two["value"]) == ("camera/0:2", "ValueError: bad jpeg", "plain")
    assert one["value"] == {
        "image": {"$array": "a0", "dtype": "float32", "shape": [2, 3]},
        "tags": ["a", {"$bytes": "AA=="}],
        "3": None,
    }
    assert one["arrays"] == f"{path.stem}.npz"
    with np.load(f"out/{path.stem}.npz") as arrays:
        assert np.array_equal(arrays["a0"], image)
    assert path.stem in names()
    assert "out/letters.jsonl is there already" in shown(capsys, "export", "out", code=4)


def test_a_pickle_is_not_opened_to_be_exported(capsys: pytest.CaptureFixture[str]) -> None:
    died("camera/0:1", value=Path("x"), allow_pickle=True)
    assert main.answer(["dead", "export", "out"]) == 0
    exported = json.loads(Path("out/letters.jsonl").read_text())
    assert exported["value"] is None
    assert "a pickle arrived" in exported["unread"]


def a_dead_job(model: str = "resnet50") -> JobRow:
    """One of the app in this directory."""
    store = Store(HOME.store)
    (id,) = store.submit([NewJob(group="gpu", task="train", args=packed([[], {"model": model}]))])
    (claim,) = store.claim("w", "gpu")
    store.close_attempts([Closing(id, claim.fence, Failed("rejected", "no such model", traceback="here\n"))])
    row = store.job(id)
    store.close()
    assert row is not None
    return row


def test_dead_jobs_stand_in_the_same_list_and_say_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    died("camera/0:17")
    job = a_dead_job()
    rows = [line.split() for line in shown(capsys, "list").splitlines()[1:]]
    kinds = {row[0]: row[1:4] for row in rows}
    assert kinds == {"item": ["camera/0:17", "detect", "4"], "job": ["1", "gpu/train", "1"]}
    found = json.loads(shown(capsys, "list", "--stage", "gpu", "--json"))["letters"]
    assert [(each["kind"], each["id"], each["name"]) for each in found] == [("job", job.id, "1")]
    assert "camera/0:17" not in shown(capsys, "list", "--cause", "no such model")
    assert "gpu" not in shown(capsys, "list", "-p", "demo")


def test_a_dead_job_is_shown_with_its_attempts_and_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    a_dead_job()
    text = shown(capsys, "show", "1")
    for part in ("gpu", "rejected: no such model", "here", "model='resnet50'"):
        assert part in text


def test_items_and_jobs_are_put_back_discarded_and_exported_alike(capsys: pytest.CaptureFixture[str]) -> None:
    died("camera/0:1")
    first, second = a_dead_job(), a_dead_job("vgg")
    assert main.answer(["dead", "export", "out"]) == 0
    lines = [json.loads(line) for line in Path("out/letters.jsonl").read_text().splitlines()]
    values = {line["kind"]: line["value"] for line in lines if line["id"] != second.id}
    assert values == {"item": 1, "job": {"args": [], "named": {"model": "resnet50"}}}
    capsys.readouterr()
    assert main.answer(["dead", "requeue", "--id", first.id, "--id", "camera/0:1", "--yes"]) == 0
    said = capsys.readouterr().err
    assert "requeued 2 dead letters; gpu gets them again now; the others wait for" in said
    assert main.answer(["dead", "discard", "--stage", "train", "--yes"]) == 0
    store = Store(HOME.store)
    assert [(row.id, row.state) for row in store.jobs()] == [(first.id, "ready")]
    store.close()


def test_jobs_alone_have_dead_letters_too(capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted(STATE.rglob("*"), reverse=True):
        path.rmdir()
    STATE.rmdir()
    a_dead_job()
    assert "gpu/train" in shown(capsys, "list")
