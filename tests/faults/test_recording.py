"""What went by a link is in its recording, whoever is killed and wherever the disk ends."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from penstock import Recording
from tests.faults.rig import PENSTOCK, Rig

pytestmark = pytest.mark.fault


def numbers(recording: Recording, link: str) -> list[int]:
    return [item.value for item in recording[link]]


@pytest.mark.timeout(900)
def test_a_recording_has_every_item_once_though_random_workers_are_killed(rig: Rig, long_form: bool) -> None:
    items, kills = (500_000, 20) if long_form else (20_000, 4)
    luck = random.Random(7)
    kept = rig.desk / "rec.pst"
    run = rig.start("doubling", ITEMS=items, command=[*PENSTOCK, "run", "--record", str(kept)])
    part = items // (kills + 1)
    for kill in range(kills):
        victim = luck.choice([each for each in run.until_whole() if each.stage != "count"])
        beyond = run.noted("record") + luck.randrange(part // 2)
        run.open("count", (kill + 1) * part)
        run.until_noted("record", beyond)
        run.kill(victim)
    run.open("count")
    run.end(within=600)
    recording = Recording(kept)
    assert recording.complete, recording.missing
    assert numbers(recording, "count->double") == list(range(items))
    assert sorted(numbers(recording, "double->Record")) == [2 * number for number in range(items)]
    assert {item.id for item in recording["double->Record"]} == {f"count/0:{n}" for n in range(items)}


def test_what_arrived_while_it_was_recorded_is_in_it_though_the_sender_was_killed(rig: Rig) -> None:
    run = rig.start("doubling", ITEMS=1_000_000)
    run.open("count", 1_000)
    run.until(lambda: run.noted("record") == 1_000, "the first are through")
    kept = rig.desk / "rec.pst"
    recorder = rig.beside("record", "-o", str(kept), "--links", "double")
    run.until(lambda: len(list(kept.glob("*.segment"))) == 3, "all three have begun to record")
    run.open("count", 5_000)
    run.until_noted("record", 2_000)
    for worker in run.workers("double"):
        run.kill(worker)
    run.until(lambda: len(set(run.tape("record"))) == 5_000, "the rest of them arrive")  # some came twice
    run.type("record", "--stop")
    assert recorder.wait(60) == 0
    run.open("count", 6_000)
    run.until(lambda: len(set(run.tape("record"))) == 6_000, "it goes on")
    recording = Recording(kept)
    assert recording.complete, recording.missing
    assert set(numbers(recording, "double->Record")) == {2 * number for number in range(1_000, 5_000)}
    run.type("drain")
    run.end()


def test_a_replay_of_a_recording_gives_the_same_sink_content_though_workers_are_killed(rig: Rig) -> None:
    items = 20_000
    kept = rig.desk / "rec.pst"
    run = rig.start("doubling", ITEMS=items, command=[*PENSTOCK, "run", "--record", str(kept)])
    run.open("count", items // 2)
    run.until_noted("record", items // 10)
    run.kill(run.workers("double")[0])
    run.open("count")
    run.end()
    before = set(run.tape("record"))
    for path in rig.desk.glob("*.tape"):
        path.unlink()
    again = rig.start("doubling", ITEMS=0, command=[*PENSTOCK, "replay", str(kept)])
    again.until_noted("record", items // 10)
    for worker in again.workers():
        worker.kill()
    account = again.end()
    assert set(again.tape("record")) == before == set(range(items))
    assert account["totals"]["dead"] == 0
    assert len(again.lines("killed (SIGKILL)")) >= 1
    shutil.rmtree(rig.desk / "state")
    compared = rig.start("doubling", ITEMS=0, command=[*PENSTOCK, "replay", str(kept), "--compare"])
    noted = again.noted("record")
    compared.end()
    assert again.noted("record") == noted, "no sink is run"
    assert "double→Record   20,000           0         0     0         0" in compared.said


@pytest.mark.usefixtures("namespace")
def test_a_full_disk_ends_the_recording_with_one_word_and_the_pipeline_goes_on(rig: Rig) -> None:
    items, folder = 200_000, rig.desk / "small"
    line = [*PENSTOCK, "run", "--record", str(folder / "rec.pst")]
    run = rig.start("doubling", ITEMS=items, command=line, mount={folder: "300k"})
    run.until_whole()
    held = run.hold(folder)
    run.open("count")
    account = run.end()
    assert account["totals"]["through"] == items
    assert set(run.tape("record")) == set(range(items))
    (told,) = run.lines("the recording in")
    assert "not complete: No space left on device" in told
    recording = Recording(Path(held, "rec.pst"))
    assert not recording.complete
    kept = numbers(recording, "count->double")
    assert kept == list(range(len(kept))) and 0 < len(kept) < items
