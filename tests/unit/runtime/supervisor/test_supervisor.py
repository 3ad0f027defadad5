"""The supervisor over processes that say what workers say: what it promises about life and death."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import time
from pathlib import Path

import pytest

from penstock.observe import events
from penstock.runtime.policy import stimulus
from penstock.runtime.policy.roster import Roster
from tests.unit.runtime.conftest import Stand, StandMaker


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int) -> None:
    """It was killed; dying takes a moment."""
    until = time.monotonic() + 5.0
    while alive(pid):
        assert time.monotonic() < until, f"{pid} is still there"


async def all_ready(run: Stand) -> None:
    workers = sum(stage.asked for stage in run.supervisor.roster.stages.values())
    await run.event(events.WorkerReady, workers)


def pid_of(run: Stand, label: str) -> int:
    return [event.pid for event in run.of(events.WorkerStarted) if event.label == label][-1]


def test_a_run_ends_when_its_source_has_finished_and_every_stage_was_drained(stand: StandMaker) -> None:
    run = stand(make="source_of_ten", work="well", save="well")

    async def scenario() -> Roster:
        async with run:
            return await run.end()

    roster = asyncio.run(scenario())
    assert roster.failure is None and not roster.cut_short
    assert [event.stage for event in run.of(events.StageDrained)] == ["work", "save"]
    totals = run.supervisor.totals()
    assert (totals.entered, totals.through, totals.lost) == (10, 10, 0)


def test_receivers_are_introduced_to_senders_when_these_can_be_reached(stand: StandMaker) -> None:
    run = stand(make="well", work="well", save="well", rules={"replicas": 2})

    async def scenario() -> None:
        async with run:
            await all_ready(run)
            run.supervisor.tell(stimulus.Drain())
            await run.end()

    asyncio.run(scenario())
    for worker in ("work/0", "work/1"):
        assert run.log(worker).count("Connect(link=0, peer=1, label='make/0'") == 1
    save = run.log("save/0")
    assert save.count("Connect(") == 2 and "work/0" in save and "work/1" in save


def test_a_killed_replica_is_announced_named_and_replaced(stand: StandMaker) -> None:
    run = stand(make="well", work="well", save="well", rules={"replicas": 2})

    async def scenario() -> None:
        async with run:
            await all_ready(run)
            os.kill(pid_of(run, "work/1"), signal.SIGKILL)
            await run.event(events.WorkerReady, 5)
            run.supervisor.tell(stimulus.Drain())
            await run.end()

    asyncio.run(scenario())
    [death] = run.of(events.WorkerDied)
    assert (death.label, death.cause, death.restart_after) == ("work/1", "killed (SIGKILL)", 0.05)
    gone = f"Gone(peer={death.number}, label='work/1', cause='killed (SIGKILL)', blame=None)"
    assert gone in run.log("make/0") and gone in run.log("save/0")
    assert run.log("save/0").count("label='work/1', endpoint") == 2  # the first, and the one that came after


def test_a_death_is_announced_within_milliseconds(stand: StandMaker) -> None:
    run = stand(make="well", work="well", save="well")

    async def scenario() -> float:
        async with run:
            await all_ready(run)
            best = 1.0
            for round in range(3):
                pid = pid_of(run, "work/0")
                killed = time.monotonic()
                os.kill(pid, signal.SIGKILL)
                await run.event(events.WorkerDied, round + 1)
                best = min(best, time.monotonic() - killed)
                await run.event(events.WorkerReady, 4 + round)
            return best

    assert asyncio.run(scenario()) < 0.2, "the kernel says so; a heartbeat would be later"


def test_the_item_a_dead_worker_had_in_hand_is_named_to_its_sender_only(stand: StandMaker) -> None:
    run = stand(make="well", work="crash_once", save="well")

    async def scenario() -> None:
        async with run:
            await run.event(events.WorkerReady, 4)
            run.supervisor.tell(stimulus.Drain())
            await run.end()

    asyncio.run(scenario())
    assert "cause='killed (SIGSEGV)', blame=Blame(sender=1, link=0, batch=5, index=2))" in run.log("make/0")
    assert "cause='killed (SIGSEGV)', blame=None)" in run.log("save/0")


def test_a_handler_that_hangs_is_killed_at_its_deadline(stand: StandMaker) -> None:
    run = stand(make="well", work="hang", save="well", rules={"timeout": 0.3})

    async def scenario() -> None:
        async with run:
            await run.event(events.WorkerDied)

    asyncio.run(scenario())
    assert run.of(events.WorkerDied)[0].cause == "timed out after 0.3 s"


def test_a_stage_that_never_gets_ready_fails_the_run_with_the_last_lines_of_its_log(
    stand: StandMaker,
) -> None:
    run = stand(make="well", work="never_ready", save="well", rules={"start_timeout": 3.0})

    async def scenario() -> Roster:
        async with run:
            return await run.end()

    failure = asyncio.run(scenario()).failure
    assert failure is not None
    assert "work/0 did not start in 3 s" in failure.cause
    assert failure.cause.endswith("loading a very large model")


def test_a_setup_that_raises_is_tried_three_times_and_then_told(stand: StandMaker) -> None:
    run = stand(make="well", work="setup_raises", save="well")

    async def scenario() -> Roster:
        async with run:
            return await run.end()

    failure = asyncio.run(scenario()).failure
    assert failure is not None
    assert failure.cause == "work/0 failed to start 3 times: ValueError: no model"
    assert len(run.of(events.WorkerFailed)) == 3


def test_a_worker_of_another_version_is_refused_in_one_sentence(stand: StandMaker) -> None:
    run = stand(make="well", work="of_another_version", save="well")

    async def scenario() -> Roster:
        async with run:
            return await run.end()

    failure = asyncio.run(scenario()).failure
    assert failure is not None
    assert "it speaks version 0 of what passes between supervisor and workers" in failure.cause
    assert "end that run, and start it again" in failure.cause
    assert len(run.of(events.WorkerFailed)) == 1


def test_a_worker_that_speaks_nonsense_is_replaced(stand: StandMaker) -> None:
    run = stand(make="well", work="nonsense", save="well")

    async def scenario() -> None:
        async with run:
            await run.event(events.WorkerDied, 2)

    asyncio.run(scenario())
    death = run.of(events.WorkerDied)[0]
    assert "no control message" in death.cause and death.restart_after is not None


def test_scaling_up_and_down_is_live(stand: StandMaker) -> None:
    run = stand(make="well", work="well", save="well")

    async def scenario() -> None:
        async with run:
            await all_ready(run)
            run.supervisor.tell(stimulus.Scale("work", 3))
            await run.event(events.WorkerReady, 5)
            run.supervisor.tell(stimulus.Scale("work", 1))
            await run.event(events.WorkerEnded, 2)
            run.supervisor.tell(stimulus.Drain())
            await run.end()

    asyncio.run(scenario())
    ended = [event.label for event in run.of(events.WorkerEnded)]
    assert set(ended[:2]) == {"work/1", "work/2"}
    assert "Gone(peer=4, label='work/1', cause='', blame=None)" in run.log("make/0")


def test_a_worker_that_does_not_stop_is_killed_after_the_grace(stand: StandMaker) -> None:
    run = stand(make="well", work="deaf", save="well", grace=0.3)

    async def scenario() -> Roster:
        async with run:
            await all_ready(run)
            run.supervisor.tell(stimulus.Stop())
            return await run.end()

    assert asyncio.run(scenario()).cut_short
    assert not run.of(events.WorkerDied)


def test_the_third_interrupt_kills_at_once(stand: StandMaker) -> None:
    run = stand(make="deaf", work="deaf", save="deaf", grace=60.0)

    async def scenario() -> Roster:
        async with run:
            await all_ready(run)
            for _ in range(3):
                run.supervisor.tell(stimulus.Interrupt())
            return await run.end()

    assert asyncio.run(scenario()).cut_short


def test_what_a_stopped_source_had_in_flight_is_called_unfinished(stand: StandMaker) -> None:
    run = stand(make="source_in_flight", work="well", save="well")

    async def scenario() -> None:
        async with run:
            await all_ready(run)
            assert run.supervisor.totals().in_flight == 3
            run.supervisor.tell(stimulus.Stop())
            await run.end()

    asyncio.run(scenario())
    totals = run.supervisor.totals()
    assert (totals.entered, totals.through, totals.unfinished, totals.lost) == (10, 7, 3, 0)


def test_what_a_worker_has_started_goes_with_it(stand: StandMaker, tmp_path: Path) -> None:
    run = stand(make="well", work="with_children", save="well")

    async def scenario() -> list[int]:
        async with run:
            await all_ready(run)
            os.kill(pid_of(run, "work/0"), signal.SIGKILL)
            await run.event(events.WorkerDied)
            first, *_ = children = [int(pid) for pid in (tmp_path / "state/children").read_text().split()]
            gone(first)  # with its group, before we heard of the death
            return children

    for pid in asyncio.run(scenario()):
        gone(pid)


def test_a_run_that_is_cancelled_leaves_no_process_and_no_file(stand: StandMaker) -> None:
    run = stand(make="well", work="deaf", save="well")

    async def scenario() -> list[int]:
        async with run:
            await all_ready(run)
            return [event.pid for event in run.of(events.WorkerStarted)]

    for pid in asyncio.run(scenario()):
        assert not alive(pid)


def test_the_files_of_a_dead_worker_are_removed(stand: StandMaker) -> None:
    run = stand(make="well", work="well", save="well")

    async def scenario() -> None:
        async with run:
            await all_ready(run)
            number = run.of(events.WorkerStarted)[1].number
            assert f"{number}.page" in os.listdir(run.run_dir.path)
            os.kill(pid_of(run, "work/0"), signal.SIGKILL)
            await run.event(events.WorkerReady, 4)
            assert not [name for name in os.listdir(run.run_dir.path) if name.startswith(f"{number}.")]

    asyncio.run(scenario())


def test_an_interpreter_that_cannot_be_executed_is_the_environments_fault(
    stand: StandMaker, tmp_path: Path
) -> None:
    garbled = tmp_path / "python"
    garbled.write_bytes(b"\x7fELF garbled")
    garbled.chmod(0o755)
    run = stand(
        make="well", work="well", save="well", rules={"interpreter": str(garbled), "where": "app.py:7"}
    )

    async def scenario() -> Roster:
        async with run:
            return await run.end()

    failure = asyncio.run(scenario()).failure
    assert failure is not None and failure.environment
    assert failure.cause.startswith("app.py:7: work cannot run: its interpreter")


@pytest.mark.parametrize("word", [stimulus.Drain(), stimulus.Stop()])
def test_an_end_that_is_asked_for_while_workers_start_is_obeyed(
    stand: StandMaker, word: stimulus.Stimulus
) -> None:
    run = stand(make="well", work="well", save="well")

    async def scenario() -> Roster:
        async with run:
            await run.event(events.WorkerStarted, 3)
            run.supervisor.tell(word)
            return await run.end()

    assert asyncio.run(scenario()).failure is None


def test_a_fault_of_our_own_ends_the_run_and_leaves_no_worker_behind(stand: StandMaker) -> None:
    run = stand(make="well", work="well", save="well")

    def stumble(event: events.Event) -> None:
        if isinstance(event, events.WorkerReady):
            raise ZeroDivisionError

    run.supervisor.listeners.append(stumble)

    async def scenario() -> None:
        async with run:
            await run.end()

    with pytest.raises(ZeroDivisionError):
        asyncio.run(scenario())
    for event in run.of(events.WorkerStarted):
        assert not alive(event.pid)


def test_when_no_process_can_be_made_the_reason_is_told(
    stand: StandMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stand(make="well", work="well", save="well")

    def refuse(pid: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pidfd_open", refuse)

    async def scenario() -> Roster:
        async with run:
            return await run.end()

    failure = asyncio.run(scenario()).failure
    assert failure is not None
    assert failure.cause.endswith("failed to start 3 times: no process could be made: Too many open files")
