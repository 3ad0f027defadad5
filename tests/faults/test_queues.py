"""Two pipelines with a durable queue between them: whatever is killed, nothing is lost."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from penstock.runtime.jobs.feeds import MOST
from penstock.tasks.filter import Filter
from penstock.tasks.home import Home
from penstock.tasks.items import Queue
from penstock.tasks.local import LocalDesk
from penstock.tasks.store import Store
from tests.faults.rig import Rig, Run

pytestmark = pytest.mark.fault

ITEMS = 1_500


def start(rig: Rig, app: str, **variables: Any) -> Run:
    """One of the two; both have one store."""
    state, store = rig.desk / app, rig.desk / "jobs.db"
    run = rig.start(app, ITEMS=ITEMS, PENSTOCK_STATE_DIR=state, PENSTOCK_JOBS=store, **variables)
    run.state = state
    return run


def queued(desk: Path) -> dict[str, int]:
    """How many items of the queue there are, by state."""
    store = Store(str(desk / "jobs.db"))
    found = {state: count for state, count in store.depths().get("numbers", {}).items() if count}
    store.close()
    return found


def put(rig: Rig) -> None:
    """All items are in the queue."""
    desk = LocalDesk(Home(str(rig.desk / "jobs.db")))
    Queue("numbers", desk).put_many({"number": number, "array": [number]} for number in range(ITEMS))
    desk.close()


def finish(run: Run, totals: int) -> dict[str, Any]:
    """Drain it, once the queue is empty."""
    run.until(
        lambda: queued(run.desk).get("done", 0) + queued(run.desk).get("dead", 0) == totals, "all are through"
    )
    run.signal(signal.SIGINT)
    return run.end()


@pytest.mark.timeout(300)
def test_whatever_is_killed_on_either_side_nothing_is_lost(rig: Rig) -> None:
    putting, drawing = start(rig, "putting"), start(rig, "drawing")
    putting.open("count", 100)
    drawing.open("record")
    victims = [(putting, "count"), (putting, "numbers")]
    victims += [(drawing, stage) for stage in ("numbers", "double", "Record")]
    for killed, (run, stage) in enumerate(victims, 1):
        putting.open("count", 250 * killed)
        run.until(lambda: queued(rig.desk).get("done", 0) > 200 * killed, "some are through")  # noqa: B023
        run.kill(run.worker(stage))
    drawing.process.kill()
    drawing.process.wait()
    putting.open("count")
    putting.end()
    again = start(rig, "drawing")
    account = finish(again, ITEMS)
    assert set(again.tape("record")) == set(range(ITEMS))
    assert queued(rig.desk) == {"done": ITEMS}, "each is in the queue once, whatever came twice"
    assert account["totals"]["dead"] == account["totals"]["lost"] == 0


def test_what_cannot_be_taken_holds_back_and_stays_in_the_queue(rig: Rig) -> None:
    put(rig)
    drawing = start(rig, "drawing", REPLICAS=2)
    drawing.until(lambda: queued(rig.desk).get("running", 0) > MOST, "both have their hands full")
    assert queued(rig.desk)["running"] <= 2 * MOST
    drawing.open("record", 100)
    drawing.until_noted("record", 99)
    drawing.signal(signal.SIGINT)
    drawing.until_said("draining")
    drawing.open("record")
    drawing.end()
    taken = Counter(drawing.tape("record"))
    left = queued(rig.desk)
    assert max(taken.values()) == 1
    assert left == {"done": len(taken), "ready": ITEMS - len(taken)}, "what it had not begun is given back"
    assert len(taken) < ITEMS

    again = start(rig, "drawing")
    finish(again, ITEMS)
    assert sorted(again.tape("record")) == list(range(ITEMS))


def test_an_item_that_fails_is_a_dead_letter_of_its_stage_and_no_longer_in_the_queue(rig: Rig) -> None:
    put(rig)
    drawing = start(rig, "drawing", BAD=17)
    drawing.open("record")
    account = finish(drawing, ITEMS)
    assert account["totals"]["dead"] == 1
    assert set(drawing.tape("record")) == set(range(ITEMS)) - {17}
    store = Store(str(rig.desk / "jobs.db"))
    (dead,) = store.db.execute("SELECT stage, cause, item FROM letter").fetchall()
    (job,) = store.jobs(Filter(), limit=1)
    store.close()
    assert dead[:2] == ("double", "not what it says")
    assert job.state == "done"
