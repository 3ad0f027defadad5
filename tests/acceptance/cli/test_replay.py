"""`penstock replay`: what was recorded runs again, and what has changed is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock import Recording
from tests.acceptance.cli.terminal import Terminal

APP = """
import numpy
from penstock import Context, Pipeline, sink, source, stage

@source
def frames():
    for number in range(60):
        yield {"number": number, "frame": numpy.full((100, 200), float(number))}

@stage(replicas=2, ports=("odd",))
def mean(item: dict, ctx: Context):
    value = item["frame"] + CHANGE
    if item["number"] % 2:
        ctx.emit("odd", value)
        return None
    return float(value.mean())

@sink
class keep:
    def setup(self):
        self.file = open("out.txt", "a")
    def __call__(self, value, ctx: Context):
        print(ctx.id, value if isinstance(value, float) else value.mean(), file=self.file, flush=True)

@stage
def shrink(frame: numpy.ndarray) -> numpy.ndarray:
    return frame[10:90]  # passed on where it lies, in the shared memory of another

pipeline = Pipeline("arrays", frames >> mean >> keep, mean["odd"] >> shrink >> keep)
"""


@pytest.fixture
def recorded(terminal: Terminal) -> Terminal:
    terminal.write("app.py", APP.replace("CHANGE", "0"))
    terminal.type("run", "app.py", "--record", "rec.pst")
    return terminal


def change(terminal: Terminal, by: str) -> None:
    path = terminal.directory / "app.py"
    path.write_text(path.read_text().replace("+ 0", f"+ {by}"))


def out(terminal: Terminal) -> list[str]:
    path = Path(terminal.directory, "out.txt")
    lines = sorted(path.read_text().splitlines())
    path.unlink()
    return lines


def test_a_replay_has_the_same_ids_values_and_sink_content(recorded: Terminal) -> None:
    before = out(recorded)
    assert len(before) == 60
    shown = recorded.ask("replay", "rec.pst", "--list")
    assert {link["link"]: link["items"] for link in shown["links"]} == {
        "frames→mean": 60, "mean→keep": 30, "mean[odd]→shrink": 30, "shrink→keep": 30,
    }  # fmt: skip
    recorded.type("replay", "rec.pst")
    assert out(recorded) == before
    recorded.type("replay", "rec.pst", "--into", "keep", "--speed", "50")
    assert out(recorded) == before
    recorded.type("replay", "rec.pst", "--into", "shrink")
    assert out(recorded) == before, "what comes to keep from elsewhere is played, too"


def test_compare_runs_no_sink_and_says_what_is_not_as_it_was(recorded: Terminal) -> None:
    out(recorded)
    assert recorded.ask("replay", "rec.pst", "--compare")["same"] is True
    change(recorded, "(item['number'] == 31) * 0.25")
    said = recorded.ask("replay", "rec.pst", "--compare", code=1)
    assert said["schema"] == "penstock.comparison/1" and said["complete"] and not said["same"]
    links: dict[str, Any] = {link["link"]: link for link in said["links"]}
    assert {name: (link["equal"], link["different"]) for name, link in links.items()} == {
        "mean→keep": (30, 0), "mean[odd]→shrink": (29, 1), "shrink→keep": (29, 1),
    }  # fmt: skip
    what = "20,000 of 20,000 elements differ, by 0.25 at most"
    assert links["mean[odd]→shrink"]["first"] == [{"id": "frames/0:31:0", "what": what}]
    assert recorded.ask("replay", "rec.pst", "--compare", "--atol", "0.3")["same"] is True
    assert recorded.ask("replay", "rec.pst", "--compare", "--into", "shrink")["same"] is True
    shown = recorded.type("replay", "rec.pst", "--compare", code=1).stdout
    assert "frames/0:31:0" in shown and what in shown
    assert not (recorded.directory / "out.txt").exists()


def test_items_that_are_missing_or_new_are_found(recorded: Terminal) -> None:
    path = recorded.directory / "app.py"
    path.write_text(path.read_text().replace("% 2:", "% 2 and item['number'] != 5:"))
    links = {link["link"]: link for link in recorded.ask("replay", "rec.pst", "--compare", code=1)["links"]}
    assert (links["mean→keep"]["new"], links["mean[odd]→shrink"]["missing"]) == (1, 1)
    assert links["mean[odd]→shrink"]["first"] == [{"id": "frames/0:5:0", "what": "is missing"}]


def test_a_recording_that_is_not_complete_says_so_everywhere(recorded: Terminal) -> None:
    manifest = recorded.directory / "rec.pst" / "recording.json"
    told = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**told, "failure": "No space left on device"}))
    word = "is not complete: No space left on device"
    assert word in recorded.type("replay", "rec.pst", "--list", code=1).stderr
    assert word in recorded.type("replay", "rec.pst").stderr
    assert recorded.ask("replay", "rec.pst", "--compare")["missing"] == "No space left on device"
    assert not Recording(recorded.directory / "rec.pst").complete


def test_what_does_not_go_together_is_refused(recorded: Terminal) -> None:
    for words, sentence in (
        (("--loop", "--compare"), "--compare has nothing to do"),
        (("--rtol", "1"), "are about --compare"),
        (("--speed", "fast"), "a number like 1 or 0.5"),
        (("--into", "shrik"), "did you mean 'shrink'?"),
        (("--into", "frames"), "nothing goes into frames, a source"),
    ):
        code = 2 if "--speed" in words else 4
        assert sentence in recorded.type("replay", "rec.pst", *words, code=code).stderr
    assert "there is no recording" in recorded.type("replay", "app.py", "--list", code=4).stderr
    recording = Recording(recorded.directory / "rec.pst")
    assert np.array_equal(next(iter(recording["frames->mean"])).value["frame"], np.zeros((100, 200)))


ORDERED = """
import time
from penstock import Context, Pipeline, route, sink, source, stage

@source(replicas=2)
def numbers():
    yield from range(300)

@stage(replicas=2)
def small(number: int):
    time.sleep(0.0005 * (number % 3))
    return number if number % 5 else None

@stage(replicas=2)
def large(number: int):
    for part in range(number % 4):
        yield number

def kind(number: int) -> int:
    return int(number * 7 % 3 == 0)

@sink(ordered=True)
class keep:
    def setup(self):
        self.file = open("out.txt", "a")
    def __call__(self, number: int, ctx: Context):
        print(ctx.id, number, file=self.file, flush=True)

flow = numbers >> route(small, large, by=kind)
pipeline = Pipeline("ordered", (flow, (small, large) >> keep))
"""


def by_root(lines: list[str]) -> dict[str, list[str]]:
    """What each source made, in the order in which it came."""
    found: dict[str, list[str]] = {}
    for line in lines:
        found.setdefault(line.split(":")[0], []).append(line)
    return found


def taken(terminal: Terminal) -> dict[str, list[str]]:
    """And away with it."""
    path = Path(terminal.directory, "out.txt")
    lines = path.read_text().splitlines()
    path.unlink()
    return by_root(lines)


def test_an_ordered_sink_gets_the_same_in_the_same_order_from_one_player_and_from_two(
    terminal: Terminal,
) -> None:
    terminal.write("app.py", ORDERED)
    terminal.type("run", "app.py", "--record", "rec.pst")
    before = taken(terminal)
    assert set(before) == {"numbers/0", "numbers/1"}
    for more in ([], ["--into", "small"], ["--into", "keep"]):
        terminal.type("replay", "rec.pst", "app.py", *more)
        assert taken(terminal) == before


def test_each_round_of_a_loop_is_in_order(terminal: Terminal) -> None:
    terminal.write("app.py", ORDERED)
    terminal.type("run", "app.py", "--record", "rec.pst")
    before = taken(terminal)
    said = terminal.type("replay", "rec.pst", "app.py", "--into", "keep", "--loop", code=4).stderr
    assert "keep is ordered, and small and large are played: with --loop they" in said
    terminal.type("replay", "rec.pst", "app.py", "--loop", "--for", "4s")
    again = taken(terminal)
    assert again["numbers/0"] == before["numbers/0"]
    assert again["2~numbers/1"] == [f"2~{line}" for line in before["numbers/1"]]


JOINED = """
import os
import time
from penstock import Pipeline, join, sink, source, stage, tumbling

@source
def numbers():
    yield from ({"id": number} for number in range(600))

@stage(replicas=2)
def left(item: dict) -> dict:
    time.sleep(0.0005 * (item["id"] % 3))
    return item

@stage(replicas=2)
def right(item: dict) -> dict:
    return item

@stage(replicas=2)
def total(pair: tuple) -> int:
    return pair[0]["id"] + pair[1]["id"] + int(os.environ.get("CHANGE", "0"))

@stage
def mean(totals: list) -> float:
    return sum(totals) / len(totals)

@sink
def save(value: float) -> None: ...

pairs = join(numbers >> left, numbers >> right, on="id", within="60s")
pipeline = Pipeline("pairs", pairs >> total >> tumbling(count=10) >> mean >> save)
"""


def test_a_comparison_is_not_misled_by_what_came_when_to_a_join_or_a_window(terminal: Terminal) -> None:
    terminal.write("app.py", JOINED)
    terminal.type("run", "app.py", "--record", "rec.pst")
    said = terminal.ask("replay", "rec.pst", "app.py", "--compare")
    assert said["same"] and said["uncompared"] == ["join→total", "tumbling→mean"]
    assert {link["link"]: link["equal"] for link in said["links"]} == {
        "left→join": 600, "right→join": 600, "total→tumbling": 600, "mean→save": 60,
    }  # fmt: skip
    terminal.environment["CHANGE"] = "1"
    changed = terminal.type("replay", "rec.pst", "app.py", "--compare", code=1)
    assert "join→total is not compared: what a window or a join puts out" in changed.stderr
    assert "total→tumbling       0         600" in changed.stdout
    assert "mean→save           60           0" in changed.stdout, "it got what it had got then"
