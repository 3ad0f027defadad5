"""What the ready-made sinks write is there once, and whole, however often their worker is killed."""

from __future__ import annotations

import json
import random

import pytest

from tests.faults.rig import Rig

pytestmark = pytest.mark.fault


@pytest.mark.timeout(900)
def test_lines_and_files_are_there_once_and_whole_though_the_sink_is_killed(
    rig: Rig, long_form: bool
) -> None:
    items, kills = (20_000, 20) if long_form else (2_000, 4)
    luck = random.Random(3)
    run = rig.start("written", ITEMS=items)
    for kill in range(1, kills + 1):
        beyond = run.noted("record") + luck.randrange(items // kills // 2)
        run.open("count", kill * items // kills)
        run.until_noted("record", beyond)
        run.kill(run.worker("Write"))
    run.end()
    lines = [json.loads(line) for line in (rig.desk / "out.jsonl").read_text().splitlines()]
    assert sorted(line["value"] for line in lines) == list(range(items))
    assert {line["id"] for line in lines} == {f"count/0:{number}" for number in range(items)}
    made = {path.name: path.stat().st_size for path in (rig.desk / "out").iterdir()}
    assert made == {f"count-0.{number}.txt": number for number in range(items)}
    assert len(run.lines("died: killed (SIGKILL)")) == kills
