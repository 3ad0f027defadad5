from __future__ import annotations

from typing import Any

import click
import pytest

from penstock.cli.ps import about, in_trouble


def worker(label: str, **told: Any) -> dict[str, Any]:
    return {
        "worker": label,
        "state": "ready",
        "pid": 4242,
        "python": "3.9.18",
        "items": 22901,
        "failures": 2,
        "restarts": 1,
        "busy": 0.984,
        **told,
    }


LINK = {"link": "camera→detect", "sent": 22901, "settled": 22890, "in_flight": 11, "waiting": 3}
TOTALS = {"entered": 22901, "through": 22890, "in_flight": 11, "unfinished": 0, "lost": 0, "dead": 0}


def answer(*replicas: dict[str, Any], state: str = "running") -> dict[str, Any]:
    return {
        "run": "demo-3fa91c",
        "pipeline": "demo",
        "pid": 4241,
        "state": state,
        "uptime": 133.0,
        "stages": [
            {"name": "camera", "kind": "source", "replicas": []},
            {"name": "detect", "kind": "stage", "replicas": list(replicas)},
        ],
        "links": [{**LINK, "again": 0, "dead": 0}],
        "totals": TOTALS,
    }


WAITING = {"worker": "detect/1", "state": "restarting", "restarts": 3, "restart_in": 0.42}


def test_what_was_dropped_has_a_column_where_something_was() -> None:
    told = answer(worker("detect/0"))
    told["links"] = [{**told["links"][0], "dropped_full": 7213}, {**told["links"][0], "link": "detect→save"}]
    shown = click.unstyle(about(told)).splitlines()
    assert shown[-5:-2] == [
        "LINK              SENT     DONE   IN FLIGHT   WAITING   AGAIN   DEAD   DROPPED",
        "camera→detect   22,901   22,890          11         3       0      0   7,213 full",
        "detect→save     22,901   22,890          11         3       0      0",
    ]


def test_a_pipeline_is_its_workers_its_links_and_the_line_that_adds_up() -> None:
    assert click.unstyle(about(answer(worker("detect/0"), WAITING))).splitlines() == [
        "demo   running   up 2 min 13 s   demo-3fa91c   pid 4241",
        "",
        "WORKER     STATE                 BUSY    ITEMS   FAILED   RESTARTS    PID   PYTHON",
        "camera     finished",
        "detect/0   ready                  98%   22,901        2          1   4242   3.9.18",
        "detect/1   restarting in 0.4 s                                   3",
        "",
        "LINK              SENT     DONE   IN FLIGHT   WAITING   AGAIN   DEAD",
        "camera→detect   22,901   22,890          11         3       0      0",
        "",
        "22,901 in, 22,890 out, 0 lost, 0 dead, 11 in flight",
    ]


def test_how_busy_a_source_is_nobody_knows() -> None:
    told = answer()
    told["stages"][0]["replicas"] = [worker("camera/0")]
    assert "98%" not in about(told)


@pytest.mark.parametrize(
    ("told", "trouble"),
    [
        (answer(worker("detect/0")), False),
        (answer(worker("detect/0"), WAITING), True),
        (answer(worker("detect/0", state="dying")), True),
        (answer(worker("detect/0", state="setup", restarts=0), state="starting"), False),
        (answer(worker("detect/0", state="setup", restarts=1), state="starting"), True),
        (answer(worker("detect/0", state="draining"), state="draining"), False),
        (answer(state="failed"), True),
    ],
)
def test_what_is_on_its_way_to_something_good_is_no_trouble(told: dict[str, Any], *, trouble: bool) -> None:
    assert in_trouble(told) is trouble
