"""A stage that takes its items in order, in whole pipelines: whatever lies between, whatever it is itself."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock import Context, Pipeline, Recording, Reject, Retry, route, sink, source, stage, tumbling
from penstock.message.chunk import VERSION, About
from penstock.message.codec import Encoder
from penstock.message.recording import LinkFacts, Manifest, write
from penstock.message.segment import SUFFIX, Writer


@source
def numbers() -> Iterator[int]:
    """Given by the tests."""
    yield from ()


@stage(replicas=3)
def sift(number: int, ctx: Context) -> int | None:
    """Some fail once, some for good, some are of no interest."""
    if number % 11 == 4 and ctx.attempt == 1:
        raise Retry("once more", after="1s")
    if number % 13 == 5:
        raise Reject("for good")
    return number if number % 3 else None


def sifted(items: int) -> list[int]:
    return [number for number in range(items) if number % 13 != 5 and number % 3]


@stage(replicas=2)
def spread(number: int) -> Iterator[int]:
    """None, one or two of each."""
    for part in range(number % 3):
        yield 10 * number + part


@stage(replicas=2, batch=4)
def together(many: list[int]) -> list[int | None]:
    """Of four at once, those that are not divisible by five."""
    return [number if number % 5 else None for number in many]


@stage(replicas=2, concurrency=8)
async def fetch(number: int, ctx: Context) -> int | None:
    """Eight at once, that overtake each other; some fail once, some are of no interest."""
    await asyncio.sleep(number * 7 % 5)
    if number % 11 == 4 and ctx.attempt == 1:
        raise Retry("once more", after="1s")
    return number if number % 3 else None


@stage(concurrency=4)
async def fan(number: int) -> AsyncIterator[int]:
    """None, one or two of each, with pauses."""
    for part in range(number % 3):
        await asyncio.sleep(number % 4)
        yield 10 * number + part


@stage(replicas=2, threads=4)
def split(number: int, ctx: Context) -> int | None:
    """Two of some: the last one is returned."""
    if number % 5 == 0:
        return None
    if number % 2:
        ctx.emit("", 10 * number)
        return 10 * number + 1
    return 10 * number


def parted(items: int) -> list[int]:
    numbers = (number for number in range(items) if number % 5)
    return [10 * number + part for number in numbers for part in range(1 + number % 2)]


@stage(replicas=2, ports=("odd",))
def sort(number: int, ctx: Context) -> int | None:
    """The odd ones by another way."""
    if number % 2:
        ctx.emit("odd", number)
        return None
    return number


@stage(replicas=2)
def small(number: int) -> int:
    """As it is."""
    return number


@stage(replicas=2)
def large(number: int, ctx: Context) -> int:
    """As it is, some later."""
    if number % 7 == 1 and ctx.attempt == 1:
        raise Retry("later", after="3s")
    return number


def size(number: int) -> int:
    """To which of two."""
    return number % 2


@stage(ordered=True)
def count(number: int) -> int | None:
    """An ordered stage in the middle, which leaves some out."""
    return number if number % 4 else None


@sink(ordered=True)
def keep(item: Any) -> None:
    """In order."""


@sink(ordered=True)
async def keep_async(number: int, ctx: Context) -> None:
    """In order, some slowly, some at the second try."""
    await asyncio.sleep(number % 2)
    if number % 10 == 7 and ctx.attempt == 1:
        raise Retry("once more", after="3s")


@stage(ordered=True)
async def count_async(number: int) -> int | None:
    """An ordered stage in the middle that waits for others."""
    await asyncio.sleep(1)
    return number if number % 4 else None


@sink(ordered=True, batch=8)
def keep_many(items: list[int]) -> None:
    """In order, many in a call."""


def kept(flow: Any, items: int, name: str = "keep") -> list[Any]:
    return Pipeline("demo", flow).test(list(range(items))).sinks[name]


def test_replicas_filters_retries_and_dead_letters_keep_the_order() -> None:
    assert kept(numbers >> sift >> keep, 300) == sifted(300)


def test_what_is_yielded_comes_in_its_place() -> None:
    wanted = [10 * number + part for number in sifted(300) for part in range(number % 3)]
    assert kept(numbers >> sift >> spread >> keep, 300) == wanted


def test_batches_keep_the_order() -> None:
    assert kept(numbers >> sift >> together >> keep, 300) == [each for each in sifted(300) if each % 5]
    many = kept(numbers >> sift >> keep_many, 300, "keep_many")
    assert [each for call in many for each in (call if isinstance(call, list) else [call])] == sifted(300)


def test_what_has_several_in_hand_keeps_the_order_of_what_it_makes() -> None:
    assert kept(numbers >> fetch >> keep, 300) == [number for number in range(300) if number % 3]
    assert kept(numbers >> split >> keep, 300) == parted(300)
    wanted = [10 * number + part for number in range(300) for part in range(number % 3)]
    assert kept(numbers >> fan >> keep, 300) == wanted
    assert kept(numbers >> sift >> fetch >> small >> keep, 300) == sifted(300)


def test_what_is_too_old_for_one_that_has_several_in_hand_is_not_awaited() -> None:
    found = kept(numbers >> fetch.with_options(replicas=1, max_age="20s") >> keep, 300)
    assert found == sorted(found)
    assert 0 < len(found) < 200


def test_async_code_takes_its_items_in_order_too_one_after_the_other() -> None:
    assert kept(numbers >> sift >> keep_async, 300, "keep_async") == sifted(300)
    wanted = [each for each in sifted(300) if each % 4]
    assert kept(numbers >> sift >> count_async >> fetch >> keep, 300) == [each for each in wanted if each % 3]


def test_ways_that_part_meet_in_order() -> None:
    flow = numbers >> route(small, large, by=size)
    assert kept((flow, (small, large) >> keep), 200) == list(range(200))


def test_copies_come_side_by_side() -> None:
    assert kept(numbers >> (small, large) >> keep, 100) == [each for each in range(100) for _ in (0, 1)]


def test_ports_meet_in_order() -> None:
    assert kept((numbers >> sort >> keep, sort["odd"] >> keep), 200) == list(range(200))


def test_an_ordered_stage_in_the_middle_leads_to_another() -> None:
    wanted = [each for each in sifted(300) if each % 4]
    assert kept(numbers >> sift >> count >> small >> keep, 300) == wanted


def test_a_failing_item_holds_up_those_behind_it() -> None:
    had: list[int] = []

    def fail(number: int, ctx: Context) -> None:
        had.append(number)
        if number == 7 and ctx.attempt < 3:
            raise ValueError("not yet")
        if number == 9:
            raise Reject("never")

    found = Pipeline("demo", numbers >> small >> keep).test(list(range(20)), replace={"keep": fail})
    assert had == [*range(7), 7, 7, 7, *range(8, 20)]
    assert [letter.id for letter in found.dead] == ["numbers/0:9"]


@sink
def rows(window: list[int]) -> None:
    """What was put together."""


def test_a_source_goes_on_while_a_window_beside_the_order_waits_for_more() -> None:
    items = 6_000  # more than a source may be ahead elsewhere
    flow = numbers >> small
    done = Pipeline("beside", flow >> keep, flow >> tumbling(count=items) >> rows).test(range(items))
    assert done.sinks["keep"] == list(range(items))
    assert len(done.sinks["rows"]) == 1, "it did not have to close before it was full"


def record(folder: Path, pipeline: Pipeline, sent: dict[str, list[int]], seed: int) -> Recording:
    """A recording of what went by some links, as several replicas would have sent it: out of order."""
    links = {each.label: each for each in pipeline.plan().links}
    facts = [LinkFacts(links[label].id, label, links[label].source, links[label].target) for label in sent]
    folder.mkdir()
    write(str(folder), Manifest("demo", "demo-1", 0.0, facts, ended=1.0))
    luck = random.Random(seed)
    for label, items in sent.items():
        link, mixed = links[label], luck.sample(items, len(items))
        for worker in (1, 2):
            about = About(VERSION, "demo-1", link.id, f"{link.source}/{worker}", worker, 0)
            to = Writer(f"{folder}/{link.id}.{worker}{SUFFIX}", about)
            for number in mixed[worker - 1 :: 2]:
                to.add(luck.randrange(1000), [("numbers/0", number, 1)], [Encoder(None).encode(number)])
            to.close()
    return Recording(folder)


@pytest.mark.parametrize("seed", range(5))
def test_a_recording_is_played_in_order_and_what_is_not_in_it_is_not_awaited(
    tmp_path: Path, seed: int
) -> None:
    pipeline = Pipeline("demo", numbers >> sift >> keep.with_options(window=2))
    recorded = [number for number in range(300) if number % 7]
    recording = record(tmp_path / "rec.pst", pipeline, {"numbers→sift": recorded}, seed)
    assert pipeline.test(recording)["keep"] == [number for number in sifted(300) if number % 7]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_played_by_several_links_meets_in_order_within_small_windows(
    tmp_path: Path, seed: int
) -> None:
    flow: Any = (numbers >> route(small, large, by=size), (small, large) >> keep.with_options(window=1))
    pipeline = Pipeline("demo", flow)
    sent = {"numbers→small": list(range(0, 200, 6)), "numbers→large": list(range(51, 100, 2))}
    recording = record(tmp_path / "rec.pst", pipeline, sent, seed)
    assert pipeline.test(recording)["keep"] == sorted(sent["numbers→small"] + sent["numbers→large"])
