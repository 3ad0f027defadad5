"""What an agent that was killed has left is known again by the next one of its name, and by no other."""

from __future__ import annotations

import json
from pathlib import Path

from penstock.runtime.agent.quarters import STAY, left_behind
from penstock.runtime.rundir import RunDir

PLACE = "tcp://10.0.0.5:7788"


def test_only_a_dead_agent_of_the_same_name_at_the_same_run_is_followed(tmp_path: Path) -> None:
    def note(folder: str, text: str) -> None:
        Path(folder).mkdir(exist_ok=True)
        Path(folder, STAY).write_text(text)

    tmp_path.chmod(0o700)
    facts = {"endpoint": PLACE, "name": "h2", "token": "t"}
    assert left_behind(str(tmp_path / "none"), PLACE, "h2") == ""
    for number, damaged in enumerate(("", "[]", "{}", "7", '{"endpoint": 1}', "[" * 9999)):
        note(str(tmp_path / f"damaged-{number}"), damaged)
    living = RunDir(str(tmp_path), "p")
    note(living.path, json.dumps(facts))
    assert left_behind(str(tmp_path), PLACE, "h2") == "", "it lives"
    note(str(tmp_path / "dead"), json.dumps(facts))
    assert left_behind(str(tmp_path), PLACE, "h3") == ""
    assert left_behind(str(tmp_path), "tcp://10.0.0.6:7788", "h2") == ""
    assert left_behind(str(tmp_path), PLACE, "h2") == "t"
    living.remove()
