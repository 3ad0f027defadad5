"""`pipeline.running()`: real processes that a test starts, breaks and leaves nothing of."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock import (
    Context,
    EnvironmentFault,
    NotRunning,
    Pipeline,
    PipelineFailed,
    Reject,
    TimedOut,
    UserError,
    sink,
    source,
    stage,
)
from penstock.testing import Running

ITEMS = 200


@source
def numbers() -> Iterator[int]:
    """Begins when it is let, so that a test can break things before."""
    while not Path(os.environ["DESK"], "go").exists():
        time.sleep(0.005)
    yield from range(ITEMS)


@stage(replicas=2, max_failures=1)
def judge(number: int, ctx: Context) -> int:
    if number == 13:
        raise Reject("bad luck")
    if number == 14:
        raise ValueError("fourteen")
    return number


@sink
def save(number: int) -> None:
    with Path(os.environ["DESK"], "saved").open("a") as file:
        file.write(f"{number}\n")


@sink
def tell(number: int, ctx: Context) -> None:
    if number < ctx.config["low"]:
        raise Reject("too low")
    save(number)


@stage(max_restarts=0)
class Unready:
    def setup(self) -> None:
        raise ValueError("no such model")

    def __call__(self, number: int) -> int:
        return number


pipeline = Pipeline("judged", numbers >> judge >> save)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DESK", str(tmp_path))
    return tmp_path


def saved(desk: Path) -> set[int]:
    return set(map(int, (desk / "saved").read_text().split()))


def test_a_killed_worker_loses_nothing(desk: Path) -> None:
    with pipeline.running() as run:
        run.wait_ready()
        run.kill("judge", 1)
        (desk / "go").touch()
        run.wait_idle(entered=ITEMS)
        run.drain()
        assert (run.totals.entered, run.totals.lost, run.totals.dead) == (ITEMS, 0, 2)
        assert run.ledger["numbers→judge"].settled == ITEMS - 2
        assert "judge/1 died: killed (SIGKILL)" in run.said
    assert saved(desk) == set(range(ITEMS)) - {13, 14}


def test_a_stalled_worker_is_there_and_does_nothing_until_it_is_resumed(desk: Path) -> None:
    with pipeline.running() as run:
        run.wait_ready()
        [pid] = [
            each["pid"] for one in run.ps()["stages"] for each in one["replicas"] if one["name"] == "save"
        ]

        def state() -> str:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

        run.stall("save")
        run.wait_until(lambda: state() == "T", "stop")
        (desk / "go").touch()
        run.wait_until(lambda: run.totals.entered, "make anything")
        assert run.totals.through == 0
        run.resume("save")
        run.wait_ended()
        assert run.totals.through == ITEMS - 2


def test_it_is_scaled(desk: Path) -> None:
    with pipeline.running() as run:
        run.scale("judge", 3)
        assert {each["worker"] for each in run.ps()["stages"][1]["replicas"]} == {
            "judge/0",
            "judge/1",
            "judge/2",
        }
        with pytest.raises(UserError, match="sources are not scaled"):
            run.scale("numbers", 2)


def test_in_one_process_and_in_many_the_same_becomes_of_every_item(desk: Path) -> None:
    (desk / "go").touch()
    with pipeline.running() as run:
        run.wait_ended()
        real = {(each.stage, each.id, each.cause, each.attempts, each.value) for each in run.dead}
        links = {name: (link.sent, link.settled, link.dead) for name, link in run.ledger.items()}
    (desk / "saved").unlink()
    result = pipeline.test()
    assert {(each.stage, each.id, each.cause, each.attempts, each.value) for each in result.dead} == real
    assert {name: (link.sent, link.settled, link.dead) for name, link in result.ledger.items()} == links
    assert set(result["save"]) == saved(desk) == set(range(ITEMS)) - {13, 14}


def test_a_wait_that_is_in_vain_shows_what_was_said_and_the_logs(desk: Path) -> None:
    with pipeline.running(timeout="50ms") as run:
        run.wait_ready("30s")
        with pytest.raises(TimedOut, match=r"judged did not settle all .* within 0.05 s") as late:
            run.wait_idle(entered=1)
        assert "judge     2/2 ready" in str(late.value)


def test_a_pipeline_that_fails_says_why_in_whatever_is_waited_for(desk: Path) -> None:
    with Pipeline("unready", numbers >> Unready >> save).running() as run:
        with pytest.raises(PipelineFailed, match="exit code 1") as failed:
            run.wait_idle(entered=1)
        assert "ValueError: no such model" in str(failed.value)
        assert "--- Unready.0.log" in str(failed.value)


def test_what_cannot_be_started_is_said_at_once(desk: Path) -> None:
    wired = Pipeline("nowhere", numbers >> judge.with_options(interpreter="/no/such/python") >> save)
    with pytest.raises(EnvironmentFault, match="/no/such/python does not exist"), wired.running():
        pass


def test_the_end_of_the_block_ends_it_and_nothing_is_left(desk: Path, own_runs: Path) -> None:
    with pipeline.running() as run:
        run.wait_ready()
        pids = [each["pid"] for one in run.ps()["stages"] for each in one["replicas"]]
        state = Path(run.state_dir)
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    assert [path.name for path in own_runs.iterdir() if path.name.startswith("judged")] == []
    assert not state.exists()
    with pytest.raises(NotRunning, match="judged has ended"):
        run.kill("judge")


def test_a_stalled_pipeline_is_ended_as_well(desk: Path) -> None:
    with pipeline.running() as run:
        run.wait_ready()
        run.stall("judge")
        pid = run.ps()["stages"][1]["replicas"][0]["pid"]
    assert not Path(f"/proc/{pid}").exists()


def test_a_worker_that_is_not_there_is_answered_with_the_nearest(desk: Path) -> None:
    with pipeline.running() as run:
        run.wait_ready()
        with pytest.raises(UserError, match="there is no worker jugde/0; did you mean 'judge/0'"):
            run.kill("jugde")


@pytest.mark.filterwarnings("error")
def test_those_who_ask_while_it_is_ended_get_an_answer_and_no_connection_stays_open(desk: Path) -> None:
    began, stop = threading.Barrier(5), threading.Event()

    def ask(run: Running) -> None:
        began.wait()
        with contextlib.suppress(NotRunning):
            while not stop.is_set():
                run.ps()

    with pipeline.running() as run:
        run.wait_ready()
        curious = [threading.Thread(target=ask, args=(run,)) for _ in range(4)]
        for thread in curious:
            thread.start()
        began.wait()
    stop.set()
    for thread in curious:
        thread.join(30)
        assert not thread.is_alive()
    del run
    gc.collect()  # an open transport warns when it is collected, and here warnings are errors


def test_what_is_configured_reaches_its_stages(desk: Path) -> None:
    (desk / "go").touch()
    with Pipeline("told", numbers >> tell).running(config={"low": 190}) as run:
        run.wait_ended()
        assert {each.value for each in run.dead} == set(range(190))
    assert saved(desk) == set(range(190, ITEMS))
