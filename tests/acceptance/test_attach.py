"""`penstock.attach`: a script that owns its loop is a stage of a pipeline that runs."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import penstock
from penstock import NotRunning, Pipeline, PipelineFailed, Reject, UserError, WiringError, sink, source
from penstock.runtime import client
from penstock.runtime.supervisor.account import Totals
from penstock.testing import Running
from tests.conftest import WorkerPython

ITEMS = 300


@source
def numbers() -> Iterator[int]:
    yield from range(ITEMS)


@sink
def save(number: int) -> None:
    with Path(os.environ["DESK"], "saved").open("a") as file:
        file.write(f"{number}\n")


@sink
def review(number: int) -> None:
    with Path(os.environ["DESK"], "reviewed").open("a") as file:
        file.write(f"{number}\n")


@dataclass
class Point:
    x: int
    y: int


@source
def points() -> Iterator[Point]:
    for number in range(3):
        yield Point(number, -number)


work = penstock.external("work", ports=("odd",), max_failures=1)
feed = penstock.external("feed", kind="source")
keep = penstock.external("keep", kind="sink", replicas=2)
through = Pipeline("through", numbers >> work >> save, work["odd"] >> review)
fed = Pipeline("fed", feed >> save)
kept = Pipeline("kept", points >> keep)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DESK", str(tmp_path))
    return tmp_path


def read(desk: Path, name: str = "saved") -> list[int]:
    return [int(line) for line in (desk / name).read_text().split()]


def state(run: Running, worker: str) -> str:
    rows = [each for stage in run.ps()["stages"] for each in stage["replicas"]]
    return str(next(row["state"] for row in rows if row["worker"] == worker))


def test_a_pipeline_waits_for_its_script_and_goes_on_with_it(desk: Path) -> None:
    with through.running() as run:
        run.wait_ready()  # as ready as it can be without one
        run.wait_until(lambda: run.ledger["numbers→work"].waiting, "have items for it")
        assert state(run, "work/0") == "waits for attach"
        assert "work waits for attach" in " ".join(run.said.split())
        sentence = run.ps()["bottleneck"]["sentence"]
        assert sentence.endswith(" until a script is attached to it")
        with penstock.attach("through", "work") as node:
            assert state(run, "work/0") == "ready"
            for message in node:
                assert message.id == f"numbers/0:{message.value}"
                assert message.attempt == 1
                node.emit(message.value, port="odd" if message.value % 2 else "")
                if message.value == ITEMS - 1:
                    break
        run.wait_ended()
        assert run.totals.lost == 0
        assert run.ledger["numbers→work"].again == 0, "who leaves has nothing done twice"
    assert read(desk) == list(range(0, ITEMS, 2))
    assert read(desk, "reviewed") == list(range(1, ITEMS, 2))


def test_what_is_not_begun_goes_back_and_waits_for_the_next(desk: Path) -> None:
    done = []
    with through.running() as run:
        for share in (1, 7, 50):
            with penstock.attach("through", "work") as node:
                for message in islice(node, share):
                    done.append(message.value)
                    node.emit(message.value)
        with penstock.attach("through", "work") as node:
            run._call("drain")
            for message in node:
                done.append(message.value)
                node.emit(message.value)
        run.wait_ended()
        assert run.totals.lost == run.totals.dead == 0
    assert sorted(done) == sorted(read(desk)) == list(range(len(done)))


def test_a_drain_for_which_no_script_comes_says_so_ends_and_its_ledger_adds_up(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_GRACE", "1s")
    with through.running() as run:
        with penstock.attach("through", "work") as node:
            for message in islice(node, 10):
                node.emit(message.value)
        assert run._call("drain")["awaited"] == ["work"]
        assert "for a script that attaches as 'work'; if none does" in run.said
        with pytest.raises(
            PipelineFailed, match=r"no script has attached to do what waits \(.* for 'work'\)"
        ):
            run.wait_ended()
        left = run.totals.entered - 10
        assert left > 0
        assert run.exit_code == 1
        assert run.totals == Totals(entered=10 + left, through=10, unfinished=left)


def test_a_drain_goes_on_where_a_script_comes_in_time_also_when_the_one_before_has_left(desk: Path) -> None:
    with through.running() as run:
        with penstock.attach("through", "work") as node:
            for message in islice(node, 10):
                node.emit(message.value)
        run._call("drain")
        run.wait_until(lambda: "attaches as 'work'" in run.said, "say what it waits for")
        with penstock.attach("through", "work") as node:
            for message in node:
                node.emit(message.value)
        run.wait_ended()
        made = run.totals.entered  # how many there were when it was told to make no more
        assert run.totals == Totals(entered=made, through=made)
        assert made > 10
    assert read(desk) == list(range(made))


def test_who_leaves_by_an_exception_fails_the_message_in_hand_and_no_other(desk: Path) -> None:
    with through.running() as run:
        for attempt in (1, 2):  # it may fail once
            with pytest.raises(ZeroDivisionError), penstock.attach("through", "work") as node:  # noqa: PT012
                for message in node:
                    if message.value == 5:
                        assert message.attempt >= attempt
                        message.value / 0
                    node.emit(message.value)
        with contextlib.suppress(NotRunning, UserError), penstock.attach("through", "work") as node:
            for message in node:  # what is left, if there is any
                node.emit(message.value)
        run.wait_ended()
        (letter,) = run.dead
        assert (letter.id, letter.failures) == ("numbers/0:5", 2)
        assert "ZeroDivisionError" in letter.cause
        assert "message.value / 0" in letter.traceback
        assert set(read(desk)) == set(range(ITEMS)) - {5}


def test_a_message_can_fail_while_the_loop_goes_on(desk: Path) -> None:
    with through.running() as run:
        with penstock.attach("through", "work") as node:
            for message in node:
                if message.value == 7:
                    node.fail(Reject("unlucky"))
                else:
                    node.emit(message.value)
                if message.value == ITEMS - 1:
                    break
            with pytest.raises(UserError, match="no message in hand that could fail"):  # noqa: PT012
                node.close()
                node.fail(ValueError())
        run.wait_ended()
        assert [(letter.id, letter.cause) for letter in run.dead] == [("numbers/0:7", "unlucky")]
    assert set(read(desk)) == set(range(ITEMS)) - {7}


def test_a_script_is_a_source_until_the_pipeline_drains(desk: Path) -> None:
    made = 0
    with fed.running() as run:
        run.wait_ready()
        with penstock.attach("fed", "feed") as node:
            node.emit(0)
            run.wait_idle(entered=1)
            client.call(client.find("fed"), "drain")
            for made in range(1, 1_000_000):
                node.emit(made)
            raise AssertionError("it goes on for ever")
        run.wait_ended()
        assert node.stopping
    assert read(desk) == list(range(max(1, made)))


def test_a_second_session_makes_other_items_not_the_same_again(desk: Path) -> None:
    with fed.running() as run:
        for value in (1, 2):
            with penstock.attach(None, "feed") as node:
                node.emit(value)
        run.drain()
        assert run.totals.entered == run.totals.through == 2
    assert read(desk) == [1, 2]


def test_values_are_built_as_what_the_script_takes() -> None:
    with kept.running(), penstock.attach(kept, "keep", takes=Point) as node:
        found = [message.value for message in islice(node, 3)]
    assert found == [Point(0, 0), Point(1, -1), Point(2, -2)]


def test_as_many_scripts_as_replicas_and_one_more_is_refused() -> None:
    with kept.running() as run:
        with penstock.attach(kept, "keep") as one, penstock.attach(kept, "keep") as two:
            assert (one.name, two.name) == ("keep/0", "keep/1")
            with pytest.raises(UserError, match=r"keep is taken: all its 2 seats are; end the script"):
                penstock.attach(kept, "keep")
            run.wait_ready()
        with penstock.attach(kept, "keep") as again:
            assert again.name == "keep/0"


@pytest.mark.parametrize(
    ("pipeline", "stage", "error", "sentence"),
    [
        ("nobody", "keep", NotRunning, "nobody is not running here; what runs is kept"),
        ("there/is/no.py", "keep", NotRunning, "no.py is not running here; start it with"),
        ("kept", "kep", UserError, "no stage is called kep; there are points, keep"),
        (
            "kept",
            "points",
            UserError,
            "points has code of its own, so no script can take part in it; external",
        ),
    ],
)
def test_one_sentence_says_why_there_is_no_seat(
    pipeline: str, stage: str, error: type[Exception], sentence: str
) -> None:
    with kept.running() as run:
        run.wait_until(run._find, "run")
        with pytest.raises(error, match=sentence):
            penstock.attach(pipeline, stage)


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with kept.running():
        monkeypatch.setattr("penstock.runtime.guest.attach.control.VERSION", 99)
        monkeypatch.setattr("penstock.runtime.guest.attach.__version__", "7.0")
        with pytest.raises(
            UserError, match=r"under Penstock .*, which whoever asks with 7.0 does not unders"
        ):
            penstock.attach("kept", "keep")


def test_what_a_script_cannot_do_is_said_in_one_sentence(desk: Path) -> None:
    with kept.running(), penstock.attach(kept, "keep") as node, pytest.raises(WiringError, match="is a sink"):
        node.emit(1)
    with fed.running():
        with penstock.attach("fed", "feed") as node:
            with pytest.raises(UserError, match="feed/0 is a source, so nothing comes to it"):
                next(node)
            with pytest.raises(WiringError, match="no port 'nowhere' here"):
                node.emit(1, port="nowhere")
            caught: list[BaseException] = []
            other = threading.Thread(target=lambda: caught.append(raised(node.emit, 1)))
            other.start()
            other.join()
            assert "belongs to the thread that attached it" in str(caught[0])
        with pytest.raises(NotRunning, match="this script is no part of fed any more"):
            node.emit(1)


def raised(call: Any, *arguments: Any) -> BaseException:
    with pytest.raises(BaseException) as caught:
        call(*arguments)
    return caught.value


@source
def signals() -> Iterator[int]:
    """Two items, and Ctrl-C for the script when it has the second one in hand."""
    yield from (1, 2)
    while not Path(os.environ["DESK"], "busy").exists():
        time.sleep(0.005)
    os.kill(int(os.environ["SCRIPT"]), signal.SIGINT)


signalling = Pipeline("signalling", signals >> work >> save, work["odd"] >> review)


@pytest.mark.parametrize("asks", [False, True], ids=["in hand", "waiting"])
def test_ctrl_c_ends_the_loop_and_blames_nobody(
    desk: Path, monkeypatch: pytest.MonkeyPatch, asks: bool
) -> None:
    monkeypatch.setenv("SCRIPT", str(os.getpid()))
    with signalling.running() as run:
        with pytest.raises(KeyboardInterrupt), penstock.attach("signalling", "work") as node:  # noqa: PT012
            for message in node:
                if message.value == 2:
                    (desk / "busy").touch()
                    (asks and next(node)) or threading.Event().wait()
        if not asks:
            with penstock.attach("signalling", "work") as node:
                assert [message.attempt for message in node] == [2], "it was not done, and has not failed"
        run.wait_ended()
        assert run.totals.lost == run.totals.dead == 0
        assert run.ledger["signals→work"].again == (not asks)


def test_a_script_that_has_left_leaves_no_thread_and_no_file_open() -> None:
    with fed.running() as run:
        run.wait_ready()
        counts = []
        for _ in range(4):
            with penstock.attach("fed", "feed"):
                pass
            run.wait_until(lambda: state(run, "feed/0") == "waits for attach", "have an empty seat")
            gc.collect()
            counts.append((threading.active_count(), len(os.listdir("/proc/self/fd"))))
        assert counts[1] >= counts[-1]


def test_a_stage_of_scripts_has_no_code_and_no_knobs_for_processes() -> None:
    with pytest.raises(
        WiringError, match=r"test_attach.py:\d+: .*'x' is an external stage, which has no batch"
    ):
        penstock.external("x", batch=3)  # type: ignore[call-overload]
    with pytest.raises(WiringError, match=r"test_attach.py:\d+: kind='sinc': .*did you mean 'sink'"):
        penstock.external("x", kind="sinc")  # type: ignore[call-overload]
    with pytest.raises(WiringError, match="'work' has no code of its own; a script takes part"):
        work(3)
    with pytest.raises(
        WiringError, match=r"'work' is taken by a script, and none is here; give test\(\) replace"
    ):
        through.test([1])


def test_in_a_rehearsal_a_function_stands_in_for_the_script(desk: Path) -> None:
    assert through.test([1, 2], replace={"work": lambda number: -number})["save"] == [-1, -2]
    assert fed.test([5])["save"] == [5]


OLD = """
import sys
sys.path.insert(0, sys.argv[1])
import penstock
with penstock.attach("kept", "keep") as node:
    for message in node:
        print(sys.version_info[:2], message.value)
        if message.value["x"] == 2:
            break
"""


@pytest.mark.parametrize("version", ["3.9", "3.13"])
def test_a_script_may_run_under_another_python(version: str, worker_python: WorkerPython) -> None:
    folder = str(Path(penstock.__file__).parent.parent)
    with kept.running():
        command = [worker_python(version), "-W", "error", "-c", OLD, folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 3
