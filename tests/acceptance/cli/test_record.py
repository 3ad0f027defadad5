"""`penstock record`: what flows is kept, and flows on as before."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import numpy as np

from penstock import Recording
from tests.acceptance.cli.terminal import Terminal, finish
from tests.acceptance.cli.test_tap import ARRAYS


def test_a_recording_of_a_live_pipeline_has_what_went_by_and_changed_nothing(terminal: Terminal) -> None:
    terminal.write("app.py", ARRAYS)
    terminal.run()
    said = terminal.ask("record", "-o", "rec.pst", "--links", "frames", "--for", "300ms")
    assert (said["schema"], said["complete"], said["missing"]) == ("penstock.recording/1", True, "")
    [link] = said["links"]
    recording = Recording(terminal.directory / "rec.pst")
    items = list(recording["frames->mean"])
    assert len(items) == link["items"] > 0
    assert link["bytes"] > len(items) * 800_000
    numbers = [int(item.id.rpartition(":")[2]) for item in items]
    assert numbers == list(range(numbers[0], numbers[0] + len(items)))
    for item, number in zip(items, numbers, strict=True):
        assert np.array_equal(item.value, np.full(100_000, number)) and not item.value.flags.writeable
    assert terminal.ask("ps")["pipelines"][0]["links"][0]["transport"] == "shared memory"
    terminal.type("drain", "--timeout", "30s")
    assert "0 lost, 0 dead" in finish(terminal.background[0])


def test_ctrl_c_ends_a_recording_and_only_that(terminal: Terminal) -> None:
    terminal.write("app.py", ARRAYS)
    terminal.run()
    recorder = terminal.start("record", "-o", "rec.pst")
    assert recorder.stderr is not None
    assert "recording arrays in" in recorder.stderr.readline()
    assert "is recorded already, in" in terminal.type("record", "-o", "other", code=4).stderr
    recorder.send_signal(signal.SIGINT)
    shown = finish(recorder)
    assert "frames→mean" in shown and "mean→keep" in shown and "not complete" not in shown
    assert "not being recorded" in terminal.type("record", "--stop", code=4).stderr
    assert "rec.pst is not empty" in terminal.type("record", "-o", "rec.pst", code=4).stderr
    terminal.type("drain", "--timeout", "30s")
    finish(terminal.background[0])


def test_a_recording_ends_with_its_run_and_with_who_asked_for_it(terminal: Terminal) -> None:
    terminal.write("app.py", ARRAYS)
    terminal.run()
    recorder = terminal.start("record", "-o", "one.pst")
    assert recorder.stderr is not None and recorder.stderr.readline()
    recorder.kill()
    recorder.wait()
    wait_closed(terminal.directory / "one.pst")
    recorder = terminal.start("record", "-o", "two.pst", "--json")
    assert recorder.stderr is not None and recorder.stderr.readline()
    terminal.type("drain", "--timeout", "30s")
    out, _ = recorder.communicate(timeout=60)
    assert recorder.returncode == 0 and json.loads(out)["complete"]
    finish(terminal.background[0])
    assert Recording(terminal.directory / "one.pst").complete


def wait_closed(path: Path) -> None:
    end = time.monotonic() + 30
    while Recording(path).ended is None:
        assert time.monotonic() < end


def test_what_cannot_be_recorded_is_refused_in_one_sentence(terminal: Terminal) -> None:
    terminal.write("app.py", ARRAYS)
    terminal.run()
    assert "say where to" in terminal.type("record", code=4).stderr
    said = terminal.type("record", "-o", "x", "--links", "meen", code=4).stderr
    assert "no link and no stage 'meen'; did you mean 'mean'?" in said
    (terminal.directory / "file").touch()
    assert "nothing can be recorded in" in terminal.type("record", "-o", "file/x", code=4).stderr
    terminal.type("drain", "--timeout", "30s")
    finish(terminal.background[0])
