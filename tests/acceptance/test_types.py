"""Frames, tables and images through real processes, beside a stage whose Python has none of the libraries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from penstock.tasks import letters
from penstock.tasks.home import beside
from tests.conftest import WorkerPython

APP = """
import json
from pathlib import Path

from penstock import Pipeline, sink, source, stage

OUT = Path(__file__).with_name("out.jsonl")


@source
def mixed():
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from PIL import Image

    for number in range(12):
        side = 200 if number % 2 else 5  # by shared memory, and in the message
        numbers = np.full((side, side), number, "f4")
        frame = pd.DataFrame(numbers).add_prefix("c")
        frame = frame.assign(text=str(number), when=pd.Timestamp(number, tz="Asia/Kolkata"))
        yield {
            "frame": frame,
            "table": pa.Table.from_pandas(frame),
            "image": Image.fromarray(numbers.astype("u1")),
        }
    yield {"plain": "text"}


@stage
def pass_on(item):
    yield item  # as it came: copied into this one's shared memory
    if "frame" in item:
        yield {"rows": item["frame"].iloc[1:3]}


@sink(interpreter=BARE)
def bare(item):
    assert item == {"plain": "text"}, item


@sink
def collect(item):
    import pandas as pd

    kinds = sorted(type(part).__module__.partition(".")[0] for part in item.values())
    if "table" in item:
        pd.testing.assert_frame_equal(item["table"].to_pandas(), item["frame"])
        assert item["image"].getpixel((0, 0)) == item["frame"].iloc[0, 0]
    with OUT.open("a") as file:
        file.write(json.dumps(kinds) + chr(10))


pipeline = Pipeline("types", mixed >> pass_on >> (bare, collect))

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
"""


def test_they_arrive_where_the_libraries_are_and_are_dead_letters_where_not(
    worker_python: WorkerPython, tmp_path: Path
) -> None:
    app = tmp_path / "app.py"
    app.write_text(APP.replace("BARE", repr(worker_python("3.13"))))
    done = subprocess.run(
        [sys.executable, str(app)], capture_output=True, text=True, timeout=90, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert sorted(lines) == sorted(
        [["PIL", "pandas", "pyarrow"]] * 12 + [["pandas"]] * 12 + [["builtins"]]
    ), done.stderr
    assert (
        "bare: mixed/0:0:1 failed once, the last: EnvironmentFault: a value of pandas arrived" in done.stderr
    )
    state = tmp_path / ".penstock" / "types"
    found = letters.of(beside(str(state), os.environ), state / "dead", "types")
    assert [each.stage for each in found] == ["bare"] * 24
