"""Services: calls from stages, threads, loops and other processes; deaths, deadlines, batches, ends."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import penstock
from penstock import (
    Context,
    NotRunning,
    Pipeline,
    RemoteError,
    ServiceBusy,
    ServiceError,
    TimedOut,
    UserError,
    WiringError,
    service,
    sink,
    source,
    stage,
)
from penstock.errors import EnvironmentFault
from penstock.link import crate
from penstock.runtime.calls.directory import Directory
from penstock.testing import Running

ITEMS = 50


@dataclass
class Point:
    x: int
    y: int


@service(replicas=2, max_failures=1)
def judge(value: Any, ctx: Context) -> Any:
    """Does as it is told."""
    if isinstance(value, dict):
        return _obey(value, ctx)
    if isinstance(value, str):
        return _act(value)
    return [value, ctx.attempt]


def _act(word: str) -> int:
    if word == "raise":
        raise ValueError("not that")
    if word == "die":
        time.sleep(0.1)  # so long others can come and wait behind it
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def _obey(value: dict[str, str], ctx: Context) -> Any:
    desk = Path(os.environ["DESK"])
    (desk / f"{value['name']}.begun{ctx.attempt}").write_text(str(os.getpid()))
    until = time.monotonic() + 30
    while time.monotonic() < until and not (desk / value["name"]).exists():
        if ctx.cancelled:
            (desk / f"{value['name']}.cancelled").touch()
            return None
        time.sleep(0.005)
    return _act(value.get("then", "")) and ctx.attempt


@service(max_failures=0)
def fragile(value: Any, ctx: Context) -> Any:
    """The same, and a call that kills it is not tried again."""
    return judge(value, ctx)


class Norm:
    def setup(self) -> None:
        self.seen = 0

    async def __call__(self, point: Point) -> dict[str, Any]:
        await asyncio.sleep(0)
        self.seen += 1
        return {"sum": point.x + point.y, "seen": self.seen}


@service(batch=8, batch_wait="200ms")
def double(numbers: list[int], ctx: Context) -> list[tuple[int, int]]:
    if 13 in numbers:
        raise ValueError("bad luck")
    return [(2 * number, len(numbers) * ctx.attempt) for number in numbers if not ctx.cancelled]


@service(batch=4)
def halve(rows: np.ndarray) -> np.ndarray:
    return rows / 2


@source
def count() -> Iterator[int]:
    yield from range(ITEMS)


@stage(replicas=2)
def ask(number: int) -> Any:
    return judge.call(number)


@sink
def save(answer: Any) -> None:
    with Path(os.environ["DESK"], "saved").open("a") as file:
        file.write(f"{answer[0]}\n")


@source
def never() -> Iterator[int]:
    while not Path(os.environ["DESK"], "go").exists():
        time.sleep(0.01)
    yield 1


called = Pipeline("called", count >> ask >> save, judge)
norm = service(Norm)
served = Pipeline("served", judge, norm, double, halve)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DESK", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One run of all services, for the tests that break nothing."""
    place = tmp_path_factory.mktemp("desk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DESK", str(place))
        with served.running() as run:
            run.wait_ready()
            yield place


def _until(look: Any, what: str) -> None:
    end = time.monotonic() + 30
    while not look():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def test_stages_call_a_service_and_the_run_ends_when_they_are_through(desk: Path) -> None:
    with called.running() as run:
        run.wait_ended()
        assert run.totals.lost == 0
    assert sorted(map(int, (desk / "saved").read_text().split())) == list(range(ITEMS))


def test_what_is_sent_is_what_arrives_and_what_returns(shared: Path) -> None:
    image = np.arange(40_000, dtype="f4").reshape(200, 200)
    told, attempt = judge.call(image)
    assert attempt == 1 and told.dtype == image.dtype and (told == image).all()
    kept = [judge.call(np.full(100_000, number, np.uint8))[0][1:] for number in range(5)]
    assert [set(each.tolist()) for each in kept] == [{number} for number in range(5)]
    assert judge.call((1, "two", None, b"\0" * 2_000_000)) == [(1, "two", None, b"\0" * 2_000_000), 1]
    assert norm.call(Point(3, 4))["sum"] == 7


def test_without_descriptors_a_large_call_fails_alone(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise OSError(errno.EMFILE, "too many")

    with monkeypatch.context() as patch:
        patch.setattr(crate.stock, "take", none)
        with pytest.raises(EnvironmentFault, match=r"a call of judge cannot be sent: .*too many"):
            judge.call([np.zeros(100_000)])
        with pytest.raises(EnvironmentFault, match="too many"):
            asyncio.run(judge.acall([np.zeros(100_000)]))
        assert judge.call(1) == [1, 1]


def test_an_exception_comes_with_its_kind_and_its_traceback(shared: Path) -> None:
    with pytest.raises(RemoteError, match="ValueError: not that") as caught:
        judge.call("raise")
    assert caught.value.kind == "ValueError"
    frames = [line for line in caught.value.traceback.splitlines() if line.startswith("  File")]
    assert len(frames) == 2 and frames[0].endswith("in judge")
    with pytest.raises(penstock.UnsupportedType):
        judge.call(object())
    assert judge.call(1) == [1, 1]


def test_values_are_called_many_at_a_time_and_answered_in_order(shared: Path) -> None:
    assert [value for value, _ in judge.map(range(200))] == list(range(200))
    assert len({judge.call("who") for _ in range(8)}) == 2


def test_who_is_slow_to_look_gets_the_answers_that_were_there_in_time(shared: Path) -> None:
    found = []
    for answer in judge.map(range(6), timeout="300ms"):
        found.append(answer[0])
        time.sleep(0.2)  # of the reader, who has no hurry
    assert found == list(range(6))


INTERRUPTED = """
import _thread, penstock, threading, time
far = penstock.connect_service("served", "judge")
found = []
thread = threading.Thread(target=lambda: found.append(far.call({"name": "other"})))
thread.start()
while not found:
    threading.Timer(0.05, _thread.interrupt_main).start()
    try:
        far.call({"name": "mine"})
    except KeyboardInterrupt:
        open(f"{sys.argv[1]}/other", "w").close()
        break
thread.join(30)
print(found, far.call(5)[0])
"""


def test_ctrl_c_ends_one_call_and_no_other(shared: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", f"import sys{INTERRUPTED}", str(shared)]
    told = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (told.stdout, told.stderr) == ("[1] 5\n", "")


def test_a_loop_that_was_closed_takes_no_other_call_with_it(shared: Path) -> None:
    loop = asyncio.new_event_loop()
    left = loop.create_task(judge.acall({"name": "left"}))
    loop.run_until_complete(asyncio.to_thread(_until, (shared / "left.begun1").exists, "it never came"))
    left._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    (shared / "left").touch()
    assert list(judge.map(range(9))) == [[number, 1] for number in range(9)]


def test_threads_and_coroutines_share_one_connection(shared: Path) -> None:
    found: list[Any] = []

    def work(first: int) -> None:
        found.extend(judge.call(number)[0] for number in range(first, first + 50))

    async def gather() -> list[Any]:
        return await asyncio.gather(*(judge.acall(number) for number in range(200)))

    threads = [threading.Thread(target=work, args=(1000 * k,)) for k in range(1, 5)]
    for thread in threads:
        thread.start()
    assert [value for value, _ in asyncio.run(gather())] == list(range(200))
    for thread in threads:
        thread.join(30)
    assert sorted(found) == [1000 * k + n for k in range(1, 5) for n in range(50)]


def test_a_batch_is_one_call_of_the_code_and_only_the_bad_one_fails(shared: Path) -> None:
    async def gather(numbers: list[int]) -> list[Any]:
        return await asyncio.gather(*(double.acall(each) for each in numbers), return_exceptions=True)

    answers = asyncio.run(gather([1, 2, 3, 13]))
    assert [each[0] for each in answers[:3]] == [2, 4, 6]
    assert isinstance(answers[3], RemoteError)
    assert asyncio.run(gather([1, 2, 3, 4])) == [(2, 4), (4, 4), (6, 4), (8, 4)]
    rows = list(halve.map(np.full(3, number) for number in range(6)))
    assert [row.tolist() for row in rows] == [[number / 2] * 3 for number in range(6)]


def test_a_call_that_takes_too_long_ends_and_the_code_is_told(shared: Path) -> None:
    with pytest.raises(TimedOut, match="judge has not answered"):
        judge.call({"name": "late"}, timeout="300ms")
    _until((shared / "late.cancelled").exists, "the code was not told")

    async def cancel() -> None:
        task = asyncio.ensure_future(judge.acall({"name": "dropped"}))
        await asyncio.to_thread(_until, (shared / "dropped.begun1").exists, "the call never came")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    _until((shared / "dropped.cancelled").exists, "the code was not told")


def test_without_room_a_call_waits_and_then_says_how_full_it_is(shared: Path) -> None:
    async def fill() -> None:
        calls = [asyncio.ensure_future(judge.acall({"name": "full"})) for _ in range(4)]
        try:
            await asyncio.sleep(0)  # they begin first
            with pytest.raises(ServiceBusy, match="its 2 replicas hold 4 calls"):
                await judge.acall(1, timeout="200ms")
        finally:
            (shared / "full").touch()
        assert await asyncio.gather(*calls) == [1, 1, 1, 1]

    asyncio.run(fill())


@dataclass
class Ender:
    """Ends a generator while it is made into what travels, as the garbage collector might."""

    answers: Any

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name == "answers":
            found.close()
            return 1
        return found


def test_answers_that_nobody_wants_may_be_forgotten_at_any_time(shared: Path) -> None:
    answers = judge.map([1, {"name": "forgotten"}, 2])
    assert next(answers) == [1, 1]
    assert judge.call([Ender(answers)]) == [[{"answers": 1}], 1]
    _until((shared / "forgotten.cancelled").exists, "nobody was told")


ELSEWHERE = """
import os, penstock, sys
far = penstock.connect_service("served", "judge")
if sys.argv[1] == "hold":
    far.call(1)
    if not os.fork():  # a child that lives on has nothing of the connection
        os._exit(len(sys.stdin.read()))
    far.call({"name": "orphan"})
print(far.call(5), far, flush=True)
"""


def test_another_process_calls_by_name_and_its_death_is_seen(shared: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", ELSEWHERE]
    told = subprocess.run([*command, "once"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert told.stdout == "[5, 1] <service judge of served>\n"
    with subprocess.Popen([*command, "hold"], cwd=tmp_path, stdin=subprocess.PIPE) as child:
        _until((shared / "orphan.begun1").exists, "the call never came")
        child.kill()
        child.wait()
        _until((shared / "orphan.cancelled").exists, "nobody saw the caller's end")


FORKED = """
import os, penstock
far = penstock.connect_service("served", "judge")
far.call(1)
child = os.fork()
print(far.call(2 if child else 3), flush=True)
if not child:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(far.call(4), flush=True)
"""


def test_a_fork_of_a_caller_calls_by_a_connection_of_its_own(shared: Path, tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, check=True, cwd=tmp_path, timeout=60
    )
    assert sorted(told.stdout.splitlines()) == ["[2, 1]", "[3, 1]", "[4, 1]"]


def test_who_is_not_told_of_services_gets_one_sentence(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "control.sock"))
        door.listen()

        def refuse() -> None:
            with door.accept()[0] as line:
                line.recv(1000)
                line.sendall(b'{"ok": false, "error": "no"}\n')

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(NotRunning, match="strict does not tell of its services: no"):
            Directory(str(tmp_path), "strict")
        thread.join(30)


def test_a_run_that_has_ended_is_known_to_have_though_much_was_said_before(tmp_path: Path) -> None:
    listing = b'{"ok": true, "result": {"services": {}, "gone": {}, "curve": null}}\n'
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "control.sock"))
        door.listen()

        def tell() -> None:
            with door.accept()[0] as line:
                line.recv(1000)
                line.sendall(listing * 2000)

        thread = threading.Thread(target=tell)
        thread.start()
        directory = Directory(str(tmp_path), "short")
        _until(lambda: not directory.read()[1], "it never ended")
        thread.join(30)
        directory.close()


def test_what_is_not_there_is_said_in_one_sentence(shared: Path) -> None:
    with pytest.raises(UserError, match="the pipeline served has no service 'juge'; did you mean 'judge'"):
        penstock.connect_service("served", "juge").call(1)
    with pytest.raises(NotRunning, match="nowhere is not running here"):
        penstock.connect_service("nowhere", "judge").call(1)
    with pytest.raises(WiringError, match="'judge' is a service: it is called"):
        Pipeline("wrong", count >> judge >> save).plan()
    with pytest.raises(WiringError, match="key='x': a call goes to"):
        service(key="x")(_obey)


def _kill_holder(run: Running, desk: Path, name: str, attempt: int) -> None:
    begun = desk / f"{name}.begun{attempt}"
    _until(lambda: begun.exists() and begun.read_text(), f"attempt {attempt} never began")
    os.kill(int(begun.read_text()), signal.SIGKILL)


BOMB = """
import penstock
try:
    penstock.connect_service("dying", "fragile").call({"name": "bomb", "then": "die"})
except penstock.ServiceError as error:
    print(error)
"""


def _blame_who_it_was(desk: Path) -> None:
    """A call kills its replica: the first that another process has there is not taken for it."""
    far = penstock.connect_service("dying", "fragile")
    assert far.call(0) == [0, 1]
    with subprocess.Popen([sys.executable, "-c", BOMB], stdout=subprocess.PIPE, text=True, cwd=desk) as other:
        _until((desk / "bomb.begun1").exists, "it never began")

        async def behind_it() -> Any:
            call = asyncio.ensure_future(far.acall(5))
            await asyncio.sleep(0)  # sent
            (desk / "bomb").touch()
            return await call

        assert asyncio.run(behind_it()) == [5, 2]
        assert "its replica died, the last was killed (SIGKILL)" in other.communicate()[0]


def test_a_call_whose_replica_is_killed_is_answered_by_another(desk: Path) -> None:
    far = penstock.connect_service("dying", "judge")
    with Pipeline("dying", judge, fragile).running() as run:
        run.wait_ready()
        _blame_who_it_was(desk)
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(far.call({"name": "twice"})))
        thread.start()
        _kill_holder(run, desk, "twice", 1)
        (desk / "twice").touch()
        thread.join(30)
        assert found == [2]

        with pytest.raises(ServiceError, match=r"2 replicas died with it .* killed \(SIGKILL\)"):
            far.call("die")
        deadly = [threading.Thread(target=pytest.raises, args=(ServiceError, far.call, "die")) for _ in "ab"]
        for thread in deadly:
            thread.start()
        assert [value for value, _ in far.map(range(4))] == list(range(4))  # some of them waited behind it
        for thread in deadly:
            thread.join(30)
        run.scale("judge", 3)
        assert far.call(1) == [1, 1]
        calls = threading.Thread(target=lambda: found.append(list(far.map(range(300)))))
        calls.start()
        run.scale("judge", 1)
        calls.join(30)
        assert [value for value, _ in found[1]] == list(range(300))

        held: list[BaseException] = []

        def hold() -> None:
            try:
                far.call({"name": "held"})
            except NotRunning as error:
                held.append(error)

        waiting = threading.Thread(target=hold)
        waiting.start()
        _until((desk / "held.begun1").exists, "it never began")
    waiting.join(30)
    assert "dying has ended" in str(held[0])


@stage
def add(number: int) -> Any:
    return [*judge.call(number), double.call(number), norm.call(Point(number, 1))["sum"]]


@stage
def fail(number: int) -> str:
    try:
        return str(judge.call("raise"))
    except RemoteError as error:
        return error.kind


def test_in_a_test_of_a_pipeline_calls_are_answered_in_place() -> None:
    rehearsed = Pipeline("rehearsed", count >> (add, fail) >> save, judge, double, norm)
    result = rehearsed.test([2], replace={"save": lambda answer: None})
    assert len(result["save"]) == 2
    assert "ValueError" in result["save"] and [2, 1, (4, 1), 3] in result["save"]
    assert judge(5, Context()) == [5, 1]
