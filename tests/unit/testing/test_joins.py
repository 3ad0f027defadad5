"""Joins in a rehearsal: the real worker with a clock that stands still until all wait."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
import pytest

from penstock import Context, Pipeline, Retry, WiringError, join, sink, source, stage, tumbling

Record = dict[str, Any]


@source
def frames() -> Iterator[Record]:
    for number in range(4):
        yield {"id": number, "frame": f"f{number}"}


@source
def depths() -> Iterator[Record]:
    for number in range(3, 0, -1):
        yield {"number": number, "depth": f"d{number}"}


@source
def poses() -> Iterator[Record]:
    yield {"id": 2, "pose": "p2"}


@stage
def in_time(found: Record, ctx: Context) -> Record:
    """Each comes so many hours after the beginning as it says."""
    if ctx.attempt == 1 and "at" in found:
        raise Retry("not yet", after=f"{found['at']}h")
    return found


@stage
def fuse(pair: tuple[Record, Record]) -> str:
    return f"{pair[0]['frame']}{pair[1]['depth']}"


@dataclass
class Left:
    name: str


@dataclass
class Right:
    name: str
    image: Any


@source
def lefts() -> Iterator[Left]:
    yield from (Left("a"), Left("b"))


@source
def rights() -> Iterator[Right]:
    yield from (Right("b", np.zeros(100_000)), Right("c", np.ones(100_000)))


def left_name(left: Left) -> str:
    return left.name


def right_name(right: Right) -> str:
    return right.name


@sink
def save(found: Any) -> None: ...


@sink
def typed(found: tuple[Optional[Left], Optional[Right]]) -> None: ...


ON = ("id", "number")


def test_items_that_have_the_same_key_go_on_as_one_tuple() -> None:
    pipeline = Pipeline("t", join(frames, depths, on=ON, within="1s") >> fuse >> save)
    result = pipeline.test()
    assert sorted(result["save"]) == ["f1d1", "f2d2", "f3d3"]
    ledger = result.ledger["frames→join"]
    assert (ledger.settled, ledger.unmatched) == (4, 1)
    assert result.ledger["depths→join"].unmatched == 0
    assert result.ledger["join→fuse"].settled == 3


def test_a_left_join_lets_out_what_has_no_partner() -> None:
    result = Pipeline("t", join(frames, depths, on=ON, within="1s", how="left") >> save).test()
    assert [right for left, right in result["save"] if left["id"] == 0] == [None]
    assert len(result["save"]) == 4


def test_an_outer_join_lets_out_all_with_the_types_that_the_annotation_says() -> None:
    flow = join(lefts, rights, on=(left_name, right_name), within="1s", how="outer")
    result = Pipeline("t", flow >> typed).test()
    rows = {(left and left.name, right and right.name) for left, right in result["typed"]}
    assert rows == {("a", None), ("b", "b"), (None, "c")}
    (image,) = [right.image for _, right in result["typed"] if right and right.name == "c"]
    assert image.sum() == 100_000


def test_three_flows_are_joined_as_soon_as_each_has_one() -> None:
    flow = join(frames, depths, poses, on=("id", "number", "id"), within="1s")
    result = Pipeline("t", flow >> save).test()
    assert [[sorted(each) for each in row] for row in result["save"]] == [
        [["frame", "id"], ["depth", "number"], ["id", "pose"]]
    ]
    assert result.ledger["frames→join"].unmatched == 3


def test_partners_that_come_too_late_are_unmatched_and_in_time_they_are_not() -> None:
    items = {
        "frames": [{"id": 1, "at": 1}, {"id": 2, "at": 1}],
        "depths": [{"id": 1, "at": 3}, {"id": 2, "at": 4}, {"id": 3, "at": 9}],
    }
    flow = join(frames >> in_time, depths >> in_time.named("later"), on="id", within="150m")
    result = Pipeline("t", flow >> save).test(items)
    assert [left["id"] for left, _ in result["save"]] == [1]
    assert result.ledger["in_time→join"].unmatched == 1
    assert result.ledger["later→join"].unmatched == 2
    assert result.totals.through == 5


def test_a_flow_that_is_ahead_waits_for_the_other_and_no_pair_is_missed() -> None:
    items: dict[str, Any] = {"frames": [{"id": n} for n in range(5000)], "depths": []}
    flow = join(frames, depths >> in_time, on="id", within="1h", limit=10)
    items["depths"] = [{"id": n, "at": 0.5} for n in range(0, 5000, 2)]
    result = Pipeline("t", flow >> save).test(items)
    ledger = result.ledger
    assert len(result["save"]) == 2500 - ledger["in_time→join"].unmatched
    assert result.totals.through == 7500


def test_a_flow_that_is_ahead_does_not_wait_for_one_that_has_ended() -> None:
    items = {"frames": [{"id": n} for n in range(100)], "depths": [{"id": 99}]}
    result = Pipeline("t", join(frames, depths, on="id", within="24h", limit=10) >> save).test(items)
    assert [left["id"] for left, _ in result["save"]] == [99]
    assert result.ledger["frames→join"].unmatched == 99
    assert result.took == 0.0


def test_whoever_waits_in_a_full_line_waits_as_long_as_it_may_and_nothing_stands_still() -> None:
    items = {"frames": [{"id": n} for n in range(30)], "depths": [{"id": -1, "at": 100}]}
    flow = join(frames, depths >> in_time, on="id", within="1h", limit=10)
    result = Pipeline("t", flow >> save).test(items)
    assert result["save"] == []
    assert result.ledger["frames→join"].unmatched == 30
    assert result.totals.through == 31


def test_a_flow_may_be_several_merged_and_what_comes_out_may_be_put_in_a_window() -> None:
    flow = join((frames, poses), depths, on=ON, within="1s") >> tumbling(count=2) >> save
    result = Pipeline("t", flow).test()
    assert sum(len(found) for found in result["save"]) == 3


loose: Any = join
"""For what a type checker would refuse, too."""


@pytest.mark.parametrize(
    ("flows", "how", "sentence"),
    [
        ((frames,), {}, r"join\(\): what is joined with what\? Give it two flows"),
        ((frames, depths), {"within": 1}, r"join\(within=1\): .* did you mean '1s'\?"),
        ((frames, depths), {"within": "0s"}, "must be more than no time"),
        ((frames, depths), {"on": ("id",)}, "there are 2 flows, and this is for 1"),
        ((frames, depths), {"on": lambda _: 1}, "a lambda has no name"),
        ((frames, depths), {"how": "iner"}, "did you mean 'inner'"),
        ((frames, save), {}, "nothing comes out of 'save', a sink"),
        ((frames, depths), {"key": "id"}, "say by= of a window, on= of a join"),
        ((frames, depths), {"limit": 0}, "must be a whole number, 1 or more"),
    ],
)
def test_what_cannot_be_joined_is_refused_with_its_line(flows: Any, how: Any, sentence: str) -> None:
    with pytest.raises(WiringError, match=sentence) as refused:
        loose(*flows, **{"on": "id", "within": "1s", **how})
    assert "test_joins.py" in str(refused.value)


def test_an_output_joined_with_itself_is_refused() -> None:
    pipeline = Pipeline("t", join(frames, frames, on="id", within="1s") >> save)
    with pytest.raises(WiringError, match="'frames' is in two flows of 'join'"):
        pipeline.plan()
