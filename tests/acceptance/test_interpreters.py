"""One pipeline, several Pythons: the supervisor on this one, a stage each on 3.9, 3.10 and 3.13."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import WorkerPython

APP = """
from __future__ import annotations

import datetime
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional

import numpy as np

from penstock import Pipeline, sink, source, stage

OUT = Path(__file__).with_name("out.jsonl")


@dataclass
class Frame:
    number: int
    pixels: np.ndarray
    taken: datetime.datetime
    pythons: List[str]
    note: Optional[str] = None


def here() -> str:
    return "%d.%d" % sys.version_info[:2]


@source
def camera() -> Iterator[Frame]:
    for number in range(40):
        # Odd frames are larger than 64 KiB and travel by shared memory, even ones in the message.
        side = 200 if number % 2 else 10
        dtype, order = (">f8" if number % 3 else "f4"), ("F" if number % 5 else "C")
        pixels = np.full((side, side), number, dtype=dtype, order=order)
        yield Frame(number, pixels, datetime.datetime(2026, 1, 1, number % 24), [])


def step(frame: Frame) -> Frame:
    assert not frame.pixels.flags.writeable
    return Frame(frame.number, frame.pixels + 1, frame.taken, [*frame.pythons, here()], frame.note)


@stage(interpreter=PYTHONS[0])
def first(frame: Frame) -> Frame:
    return step(frame)


@stage(interpreter=PYTHONS[1])
def second(frame: Frame) -> Frame:
    return step(frame)


@stage(interpreter=PYTHONS[2])
def third(frame: Frame) -> Frame:
    return step(frame)


@sink
def collect(frame: Frame) -> None:
    low, high = float(frame.pixels.min()), float(frame.pixels.max())
    line = [frame.number, low, high, frame.taken.hour, frame.pythons]
    with OUT.open("a") as file:
        file.write(json.dumps(line) + chr(10))


pipeline = Pipeline("pythons", camera >> first >> second >> third >> collect)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
"""


def test_stages_on_three_other_pythons_pass_arrays_and_dataclasses_both_ways(
    worker_python: WorkerPython, tmp_path: Path
) -> None:
    versions = ["3.9", "3.10", "3.13"]
    pythons = [worker_python(version) for version in versions]
    app = tmp_path / "app.py"
    app.write_text(APP.replace("\nOUT = ", f"\nPYTHONS = {pythons!r}\nOUT = ", 1))

    done = subprocess.run(
        [sys.executable, str(app)],
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    lines = sorted(json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
    assert lines == [[n, n + 3.0, n + 3.0, n % 24, versions] for n in range(40)]


FUSED = """
import penstock
from penstock import Pipeline, sink, source, stage
from dataclasses import dataclass
from typing import List, Optional
from pathlib import Path
import sys

@dataclass
class Frame:
    number: int
    note: Optional[str] = None

@source
def camera():
    for number in range(20):
        yield Frame(number)

def even(frame: Frame) -> bool:
    return frame.number % 2 == 0

def noted(frame: Frame) -> Frame:
    return Frame(frame.number, "%d.%d" % sys.version_info[:2])

@stage(interpreter=PYTHON)
def same(frame: Frame) -> Frame:
    return frame

def twice(frame: Frame) -> List[Frame]:
    return [frame, frame]

@sink
def collect(frame: Frame) -> None:
    with Path(__file__).with_name("out").open("a") as file:
        file.write("%d %s\\n" % (frame.number, frame.note))

steps = penstock.filter(even, interpreter=PYTHON) >> penstock.map(noted, interpreter=PYTHON)
halves = penstock.split(twice, interpreter=PYTHON)
pipeline = Pipeline("fused", camera >> steps >> same >> halves >> collect)

if __name__ == "__main__":
    print([stage.title for stage in pipeline.plan().stages])
    raise SystemExit(pipeline.run())
"""


def test_small_steps_share_the_process_of_a_stage_on_another_python(
    worker_python: WorkerPython, tmp_path: Path
) -> None:
    app = tmp_path / "app.py"
    app.write_text(f"PYTHON = {worker_python('3.9')!r}\n{FUSED}")
    done = subprocess.run([sys.executable, str(app)], capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['camera', '[even + noted + same + twice]', 'collect']\n"
    lines = sorted((tmp_path / "out").read_text().splitlines())
    assert lines == sorted(f"{number} 3.9" for number in range(0, 20, 2) for _ in range(2))
