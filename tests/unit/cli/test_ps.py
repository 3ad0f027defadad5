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
        "idle": 0.016,
        "waiting": 0.0,
        "rate": 171.4,
        "p50": 0.0051,
        "p99": 0.0000382,
        "in_flight": 8,
        "cpu": 1.02,
        "rss_bytes": 51_000_000,
        **told,
    }


LINK = {"link": "camera→detect", "sent": 22901, "settled": 22890, "in_flight": 11, "waiting": 3}
FLOW = {"rate": 171.0, "bytes_rate": 3.6e9, "fill": 0.75, "oldest": 0.061, "transport": "shared memory"}
BOTTLENECK = {"stage": "detect", "sentence": "detect is the bottleneck: 98 % busy"}
TOTALS = {"entered": 22901, "through": 22890, "in_flight": 11, "unfinished": 0, "lost": 0, "dead": 0}


def answer(*replicas: dict[str, Any], state: str = "running") -> dict[str, Any]:
    return {
        "run": "demo-3fa91c",
        "pipeline": "demo",
        "pid": 4241,
        "state": state,
        "uptime": 133.0,
        "stages": [
            {"name": "camera", "kind": "source", "steps": [], "replicas": []},
            {"name": "detect", "kind": "stage", "steps": ["shrink", "detect"], "replicas": list(replicas)},
        ],
        "links": [{**LINK, **FLOW, "again": 0, "dead": 0}],
        "bottleneck": BOTTLENECK,
        "totals": TOTALS,
    }


WAITING = {"worker": "detect/1", "state": "restarting", "restarts": 3, "restart_in": 0.42}


def test_what_was_dropped_has_a_column_where_something_was() -> None:
    told = answer(worker("detect/0"))
    told["links"] = [
        {**told["links"][0], "dropped_full": 7213, "dropped_too_old": 12},
        {**told["links"][0], "link": "detect→save"},
    ]
    shown = click.unstyle(about(told)).splitlines()
    heading, *rows = [line for line in shown if line.startswith("LINK") or "→" in line]
    assert heading.endswith("DROPPED")
    assert [row.endswith("shared memory   7,213 full, 12 too old") for row in rows] == [True, False]


def test_what_became_of_items_otherwise_has_a_column_where_there_is_some_and_a_link_adds_up() -> None:
    told = answer(worker("detect/0"))
    (link,) = told["links"]
    told["links"] = [{**link, "sent": 22941, "given_back": 30, "unfinished": 10, "unmatched": 7}, link]
    shown = click.unstyle(about(told)).splitlines()
    heading, row, other = (" ".join(line.split()) for line in shown if line.startswith("LINK") or "→" in line)
    assert "AGAIN DEAD GIVEN BACK UNFINISHED UNMATCHED ITEMS/S" in heading
    assert "22,941 22,890 11 3 0 0 30 10 7 171" in row
    assert 22941 == 22890 + 11 + 0 + 30 + 10
    assert "22,901 22,890 11 3 0 0 0 0 0 171" in other


def test_how_far_an_item_is_has_a_column_where_somebody_says_so() -> None:
    notes = [
        {"item": "a", "part": 0.4, "numbers": {"loss": 0.125}},
        {"item": "b", "part": 0.1, "numbers": {}},
    ]
    told = answer(worker("detect/0", progress=notes), worker("detect/1", progress=[]), WAITING)
    shown = click.unstyle(about(told)).splitlines()
    heading, *rows = [line for line in shown if line.startswith(("WORKER", "detect/"))]
    assert heading.endswith("PROGRESS")
    assert rows[0].endswith("40%  loss 0.125  (+1)")
    assert rows[1].endswith("4242")


def test_a_pipeline_is_its_workers_its_links_and_the_line_that_adds_up() -> None:
    shown = click.unstyle(about(answer(worker("detect/0"), WAITING))).splitlines()
    assert [" ".join(line.split()) for line in shown] == [
        "demo running up 2 min 13 s demo-3fa91c pid 4241",
        "",
        "WORKER STATE BUSY IDLE WAIT ITEMS/S P50 P99 HOLDS CPU RSS FAILED RESTARTS PID",
        "camera finished",
        "detect/0 ready 98% 2% 0% 171 5.1 ms 38 µs 8 102% 51 MB 2 1 4242",
        "detect/1 restarting in 0.4 s 3",
        "detect runs shrink + detect",
        "",
        "LINK SENT DONE IN FLIGHT WAITING AGAIN DEAD ITEMS/S DATA/S FILL OLDEST BY",
        "camera→detect 22,901 22,890 11 3 0 0 171 3.6 GB 75% 61 ms shared memory",
        "",
        "detect is the bottleneck: 98 % busy",
        "",
        "22,901 in, 22,890 out, 0 lost, 0 dead, 11 in flight",
    ]
    assert shown[5].index("3", 30) == shown[2].index("RESTARTS") + len("RESTARTS") - 1


def test_where_there_is_room_each_worker_tells_more() -> None:
    lines = click.unstyle(about(answer(worker("detect/0")), wide=True)).splitlines()
    assert lines[2].endswith("PID    ITEMS   PYTHON")
    assert lines[4].endswith("4242   22,901   3.9.18")


def test_nobody_is_called_a_bottleneck_where_nobody_is_one() -> None:
    assert "bottleneck" not in about({**answer(worker("detect/0")), "bottleneck": None})


def test_how_busy_a_source_is_nobody_knows() -> None:
    told = answer()
    told["stages"][0]["replicas"] = [worker("camera/0")]
    shown = about(told)
    assert "98%" not in shown
    assert "0%" in shown  # how much it waits is known


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
