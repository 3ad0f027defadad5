from __future__ import annotations

import json

from penstock.observe.events import Noticed, RunEnded, WorkerDied


def test_an_event_is_named_by_its_class_and_is_plain_data() -> None:
    event = WorkerDied(stage="work", replica=1, number=7, cause="exit code 3", restart_after=None)
    assert json.loads(json.dumps(event.document())) == {
        "event": "worker_died",
        "stage": "work",
        "replica": 1,
        "number": 7,
        "cause": "exit code 3",
        "restart_after": None,
        "details": "",
    }
    assert RunEnded(failed=False, cut_short=False).document()["event"] == "run_ended"


def test_a_workers_event_says_which_worker_as_people_do() -> None:
    assert Noticed(stage="work", replica=1, number=7, kind="pool", text="full").label == "work/1"
