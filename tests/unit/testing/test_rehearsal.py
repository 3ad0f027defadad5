"""`pipeline.test()`: the real rules in this process, and no time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock import (
    Context,
    Pipeline,
    PipelineFailed,
    Recording,
    Reject,
    Retry,
    UnsupportedType,
    UserError,
    WiringError,
    at,
    route,
    sink,
    source,
    stage,
)
from penstock.message.chunk import VERSION, About
from penstock.message.codec import Encoder
from penstock.message.recording import LinkFacts, Manifest, write
from penstock.message.segment import SUFFIX, Writer


@source
def numbers() -> Iterator[int]:
    yield from range(5)


@source
def anything() -> Iterator[Any]:
    yield from ()


@source
def letters() -> Iterator[str]:
    yield from "ab"


@stage(max_failures=2)
def invert(number: int) -> float:
    if number == 7:
        raise Reject("seven is not wanted")
    return 1 / number


@stage
def double(number: int) -> int:
    return number * 2


@stage
def repeat(number: int) -> Iterator[int]:
    for _ in range(number):
        yield number


@stage(replicas=3)
def shared(number: int) -> int:
    return number


@stage
def patient(number: int, ctx: Context) -> int:
    if ctx.attempt == 1:
        raise Retry("not yet", after="2h")
    return number


@stage
def unsendable(number: int) -> Any:
    return object()


@stage(ports=("odd",))
def sort(number: int, ctx: Context) -> int | None:
    if number % 2:
        ctx.emit("odd", number)
        return None
    return number


@stage
class Opened:
    def setup(self, ctx: Context) -> None:
        raise ValueError("no such model")

    def __call__(self, number: int) -> int:
        return number


@sink
def save(value: Any) -> None: ...


@sink
def show(value: Any) -> None: ...


@dataclass
class Point:
    x: int
    y: int


@sink
def plot(point: Point) -> None:
    assert isinstance(point, Point)


@sink
def spoil(value: dict[str, int]) -> None:
    value.clear()


@sink
def darken(image: npt.NDArray[Any]) -> None:
    assert not image.flags.writeable


@source(max_restarts=0)
def broken() -> Iterator[int]:
    yield 1
    raise OSError("unplugged")


@source
def endless() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


@stage(variables={"DEVICE": "gpu"})
def on_a_device(number: int) -> int:
    return number


@stage(batch=4, batch_wait="1m")
def invert_all(numbers: list[int]) -> list[float]:
    return [1 / number for number in numbers]


@sink(batch=3)
def save_all(points: list[Point]) -> None:
    assert all(isinstance(point, Point) for point in points)


@sink(batch=8)
def stacked(images: npt.NDArray[Any]) -> None: ...


@stage(on_full="drop_oldest")
def hurried(number: int) -> int:
    return number


@source
def lines(start: int = 0) -> Iterator[int]:
    for number in range(start, 5):
        yield at(number + 1, number)


def parity(number: int) -> int:
    return number % 2


def test_a_pipeline_runs_as_it_is_written() -> None:
    result = Pipeline("demo", numbers >> double >> save).test()
    assert result["save"] == [0, 2, 4, 6, 8]
    assert (result.totals.entered, result.totals.through, result.dead) == (5, 5, [])


def test_the_source_makes_what_the_test_gives() -> None:
    assert Pipeline("demo", numbers >> double >> save).test([3, 4])["save"] == [6, 8]


def test_what_raises_is_tried_again_and_then_given_up_by_the_real_rules() -> None:
    result = Pipeline("demo", numbers >> invert >> save).test([1, 0, 7, 2])
    assert result["save"] == [1.0, 0.5]
    rejected, failed = result.dead
    assert (rejected.id, rejected.stage, rejected.value) == ("numbers/0:2", "invert", 7)
    assert (rejected.cause, rejected.attempts) == ("seven is not wanted", 1)
    assert (failed.id, failed.value, failed.attempts, failed.failures) == ("numbers/0:1", 0, 3, 3)
    assert failed.cause == "ZeroDivisionError: division by zero"
    assert failed.traceback.splitlines()[1].endswith("in invert")
    assert result.attempts["invert"] == {f"numbers/0:{n}": 3 if n == 1 else 1 for n in range(4)}


def test_a_back_off_is_passed_over_and_not_slept() -> None:
    began = time.monotonic()
    result = Pipeline("demo", numbers >> patient >> save).test([1])
    assert [each.at for each in result.deliveries if each.stage == "patient"] == [0.0, 7200.0]
    assert result["save"] == [1]
    assert result.took >= 7200
    assert time.monotonic() - began < 3600


def test_the_ledger_adds_up_on_each_link() -> None:
    result = Pipeline("demo", numbers >> invert >> save).test([1, 0, 7, 2])
    link = result.ledger["numbers→invert"]
    assert (link.sent, link.settled, link.dead, link.again) == (4, 2, 2, 2)
    assert (result.ledger["invert→save"].sent, result.totals.dead, result.totals.lost) == (2, 2, 0)


def test_what_could_not_travel_fails() -> None:
    result = Pipeline("demo", numbers >> unsendable >> save).test([1])
    assert result["save"] == []
    assert "object cannot travel between processes" in result.dead[0].cause
    with pytest.raises(UnsupportedType, match="object cannot travel"):
        Pipeline("demo", numbers >> save).test([object()])


def test_values_arrive_as_they_would_in_another_process() -> None:
    given = [Point(1, 2)]
    [arrived] = Pipeline("demo", anything >> plot).test(given)["plot"]
    assert arrived == given[0]
    assert arrived is not given[0]
    assert Pipeline("demo", numbers >> save).test(given)["save"] == [{"x": 1, "y": 2}]


def test_large_arrays_go_through_shared_memory_and_arrive_read_only() -> None:
    images = [np.full((200, 200), n, "f4") for n in range(20)]
    result = Pipeline("demo", anything >> darken).test(images)
    assert result.dead == []
    assert [image.mean() for image in result["darken"]] == list(range(20))


def test_what_a_sink_does_to_its_item_does_not_change_what_it_got() -> None:
    assert Pipeline("demo", anything >> spoil).test([{"a": 1}])["spoil"] == [{"a": 1}]


def test_copies_routes_merges_and_ports_are_wired() -> None:
    pipeline = Pipeline("demo", numbers >> sort >> save, sort["odd"] >> show, letters >> (save, show))
    result = pipeline.test({"numbers": [1, 2, 3], "letters": "x"})
    assert (sorted(map(str, result["save"])), sorted(map(str, result["show"]))) == (
        ["2", "x"],
        ["1", "3", "x"],
    )
    routed = Pipeline("demo", numbers >> route(save, show, by=parity)).test([1, 2, 3])
    assert (routed["save"], routed["show"]) == ([2], [1, 3])


def test_many_outputs_of_one_item_have_ids_of_their_own() -> None:
    result = Pipeline("demo", numbers >> repeat >> save).test([2, 1])
    assert result["save"] == [2, 2, 1]
    assert set(result.attempts["save"]) == {"numbers/0:0:0", "numbers/0:0:1", "numbers/0:1:0"}


def test_replicas_share_the_work_and_none_of_it_is_lost() -> None:
    result = Pipeline("demo", numbers >> shared >> save).test(range(1000))
    assert sorted(result["save"]) == list(range(1000))


def test_a_replacement_may_be_what_only_the_test_can_see() -> None:
    seen: list[int] = []
    result = Pipeline("demo", numbers >> double >> save).test(
        [1, 2], replace={"double": lambda number: number + 100, "save": seen.append}
    )
    assert result["save"] == seen == [101, 102]


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"items": {"nubmers": [1]}}, "demo has no source 'nubmers'; did you mean 'numbers'?"),
        ({"items": {"save": [1]}}, "demo has no source 'save'"),
        ({"replace": {"duoble": abs}}, "demo has no stage 'duoble'; did you mean 'double'?"),
        ({"items": [1], "replace": {"numbers": abs}}, "both items and other code for 'numbers'"),
    ],
)
def test_a_name_that_is_not_there_is_refused(how: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence.replace("?", r"\?")):
        Pipeline("demo", numbers >> double >> save).test(**how)


def test_with_several_sources_one_list_is_not_enough() -> None:
    with pytest.raises(WiringError, match="2 sources; say which makes what"):
        Pipeline("demo", (numbers, letters) >> save).test([1])


def test_an_unknown_sink_of_the_result_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="there is no sink 'sav'; did you mean 'save'"):
        Pipeline("demo", numbers >> save).test([])["sav"]


@stage
def over(number: int, ctx: Context) -> int | None:
    return number if number > ctx.config["least"] else None


def test_the_context_has_the_settings_that_the_test_gives() -> None:
    result = Pipeline("demo", numbers >> over >> save).test([1, 2, 3], config={"least": 1})
    assert result["save"] == [2, 3]


def test_variables_that_are_not_set_here_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEVICE", raising=False)
    pipeline = Pipeline("demo", numbers >> on_a_device >> save)
    with pytest.raises(WiringError, match=r"test_rehearsal.py:\d+: 'on_a_device' runs with DEVICE=gpu"):
        pipeline.test([1])
    monkeypatch.setenv("DEVICE", "gpu")
    assert pipeline.test([1])["save"] == [1]


def test_a_setup_that_raises_fails_the_test_with_its_cause() -> None:
    with pytest.raises(PipelineFailed, match="Opened/0: ValueError: no such model") as failed:
        Pipeline("demo", numbers >> Opened >> save).test([1])
    assert isinstance(failed.value.__cause__, ValueError)


def test_a_source_that_raises_fails_the_test() -> None:
    with pytest.raises(PipelineFailed, match="broken/0: OSError: unplugged"):
        Pipeline("demo", broken >> save).test()


def test_a_source_without_end_is_stopped_at_the_limit() -> None:
    with pytest.raises(UserError, match="endless has made 50 items and goes on; give test"):
        Pipeline("demo", endless >> save).test(limit=50)


def test_a_batch_waits_on_the_clock_of_the_test_and_its_bad_item_is_found() -> None:
    result = Pipeline("demo", numbers >> invert_all >> save).test([1, 2, 0, 4, 5])
    assert sorted(result["save"]) == [0.2, 0.25, 0.5, 1.0]
    [bad] = result.dead
    assert (bad.id, bad.value, bad.failures) == ("numbers/0:2", 0, 4)
    assert {each.attempt for each in result.deliveries if each.id == "numbers/0:4"} == {1}
    assert result.attempts["invert_all"]["numbers/0:2"] == 5


def test_a_sink_of_batches_is_known_by_its_items() -> None:
    points = [Point(n, n) for n in range(7)]
    assert Pipeline("demo", anything >> save_all).test(points)["save_all"] == points
    images = [np.full((2, 2), n) for n in range(5)]
    result = Pipeline("demo", anything >> stacked).test(images)
    assert [image.tolist() for image in result["stacked"]] == [image.tolist() for image in images]


def test_nothing_is_dropped_where_nobody_is_slow() -> None:
    result = Pipeline("demo", numbers >> hurried >> save).test(range(500))
    assert (result["save"], result.totals.dropped_full) == (list(range(500)), 0)


def test_a_resumable_source_begins_anew() -> None:
    assert Pipeline("demo", lines >> save).test()["save"] == [0, 1, 2, 3, 4]
    assert Pipeline("demo", lines >> save).test([7])["save"] == [7]


def test_nothing_is_left_when_it_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = threading.active_count()
    Pipeline("demo", numbers >> invert >> save).test([1, 0])
    with pytest.raises(PipelineFailed):
        Pipeline("demo", broken >> save).test()
    assert (list(tmp_path.iterdir()), threading.active_count()) == ([], before)


@settings(max_examples=20)
@given(st.lists(st.integers(-3, 8), max_size=60))
def test_the_same_items_give_the_same_result_and_each_has_one_fate(items: list[int]) -> None:
    pipeline = Pipeline("demo", numbers >> shared >> invert >> save)
    one, two = pipeline.test(items), pipeline.test(items)
    assert (one.sinks, one.deliveries, one.took) == (two.sinks, two.deliveries, two.took)
    assert sorted(one["save"]) == sorted(1 / n for n in items if n not in {0, 7})
    assert sorted(each.value for each in one.dead) == sorted(n for n in items if n in {0, 7})


@source
def arrays() -> Iterator[npt.NDArray[np.int64]]:
    yield from [np.full(100_000, number) for number in range(50)]


@stage
def half(array: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return array[: len(array) // 2]


@sink
def look(array: npt.NDArray[np.int64]) -> None:
    assert not array.flags.writeable


def test_arrays_that_are_passed_on_arrive() -> None:
    arrived = Pipeline("arrays", arrays >> half >> look).test()["look"]
    assert [len(array) for array in arrived] == [50_000] * 50
    assert all((array == number).all() for number, array in enumerate(arrived))


def test_the_items_of_a_recording_run_again_under_their_ids(tmp_path: Path) -> None:
    kept = tmp_path / "rec.pst"
    kept.mkdir()
    pipeline = Pipeline("demo", numbers >> double >> save)
    plan = pipeline.plan()
    links = [LinkFacts(each.id, each.label, each.source, each.target) for each in plan.links]
    write(str(kept), Manifest("doubling", "doubling-1", 0.0, links, ended=1.0))
    to = Writer(f"{kept}/0.1{SUFFIX}", About(VERSION, "doubling-1", 0, "numbers/0", 1, 0))
    to.add(0, [("numbers/0", 7, 2)], [Encoder(None).encode(n) for n in (7, 8)])
    to.close()
    result = pipeline.test(Recording(kept))
    assert result["save"] == [14, 16]
    assert set(result.attempts["save"]) == {"numbers/0:7", "numbers/0:8"}
