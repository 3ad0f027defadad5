"""A source that can go on: whatever is killed, every item is made at least once, and none is skipped."""

from __future__ import annotations

import signal

import pytest

from tests.faults.rig import PENSTOCK, Rig, Run

pytestmark = pytest.mark.fault

RESUME = (*PENSTOCK, "run", "--resume")


def more(run: Run, items: int) -> None:
    """Wait until so many more have arrived."""
    run.until_noted("record", run.noted("record") + items)


def beyond(run: Run) -> None:
    """Wait until the last source is through with all that those before it have made: drained earlier, it
    leaves the rest to the next run."""
    more(run, 200)
    known = set(range(max(run.tape("record"))))
    run.until(lambda: known <= set(run.tape("record")), "what came before is made again")


def kept_anew(run: Run) -> None:
    """Wait until a position is written that is not the one of now; some items are settled before it."""
    path = run.state / "positions" / "count.0"
    before = path.read_bytes() if path.exists() else b""
    run.until(lambda: path.exists() and path.read_bytes() != before, "a position is kept")


def test_a_killed_source_goes_on_from_where_all_before_is_settled(rig: Rig) -> None:
    run = rig.start("resumable", PACE=0.00002)
    run.open("count")
    run.until_whole()
    for _ in range(3):
        more(run, 200)
        run.kill(run.worker("count"))
    beyond(run)
    run.type("drain", "--timeout", "30s")
    run.end()
    made = run.tape("record")
    assert set(made) == set(range(max(made) + 1)), "none is skipped"
    starts = run.tape("starts")
    assert starts == sorted(starts)
    assert starts[0] == 0 < starts[1] < starts[-1]
    assert len(run.lines("goes on from position")) == 3
    assert not run.lines("from its beginning")


def test_after_a_kill_of_everything_at_once_a_resumed_run_skips_nothing(rig: Rig) -> None:
    run = rig.start("resumable", PACE=0.00002)
    run.open("count")
    for _ in range(3):
        run.until_whole()
        more(run, 200)
        kept_anew(run)
        run.signal(signal.SIGKILL)
        run.process.wait()
        run = rig.start("resumable", command=RESUME, PACE=0.00002)
    run.until_whole()
    beyond(run)
    run.type("drain", "--timeout", "30s")
    run.end()
    made = run.tape("record")
    assert set(made) == set(range(max(made) + 1)), "none is skipped"
    starts = run.tape("starts")
    assert starts == sorted(starts)
    assert starts[0] == 0 < starts[1] < starts[-1]


def test_a_killed_receiver_holds_the_position_back_until_its_items_are_through(rig: Rig) -> None:
    run = rig.start("resumable", PACE=0.00002)
    run.open("count")
    run.until_whole()
    for _ in range(3):
        more(run, 200)
        run.kill(run.workers("work")[0])
        run.kill(run.worker("count"))
    beyond(run)
    run.type("drain", "--timeout", "30s")
    run.end()
    made = run.tape("record")
    assert set(made) == set(range(max(made) + 1))


def test_after_a_drain_a_resumed_run_makes_only_what_is_new_and_another_begins_anew(rig: Rig) -> None:
    run = rig.start("resumable", END=100)
    run.open("count")
    run.end()
    run = rig.start("resumable", command=RESUME, END=150)
    run.end()
    assert run.lines("count/0 goes on from position 100")
    assert sorted(run.tape("record")) == list(range(150))
    run = rig.start("resumable", END=10)
    run.end()
    assert run.tape("starts") == [0, 100, 0]
    assert len(run.tape("record")) == 160


def test_a_restarted_source_repeats_nothing(rig: Rig) -> None:
    run = rig.start("resumable")
    run.open("count")
    run.until_whole()
    more(run, 200)
    run.type("restart", "count", "--timeout", "30s")
    more(run, 200)
    run.type("drain", "--timeout", "30s")
    account = run.end()
    assert sorted(run.tape("record")) == list(range(account["totals"]["entered"]))
    assert not run.lines("from its beginning")
