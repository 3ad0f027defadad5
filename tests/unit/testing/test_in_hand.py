"""`pipeline.test()` with async code and threads: the same rules, and no time."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator

from penstock import Context, Pipeline, sink, source, stage


@source
async def ticks() -> AsyncIterator[int]:
    for number in range(6):
        await asyncio.sleep(60)
        yield number


@source
async def at_once() -> AsyncIterator[int]:
    for number in range(6):
        yield number


@stage(concurrency=3)
async def fetch(number: int) -> int:
    await asyncio.sleep(600)
    return number


@stage(concurrency=2, timeout="30s", max_failures=0)
async def sometimes(number: int) -> int:
    await asyncio.sleep(3600 if number == 3 else 1)
    return number


@stage(concurrency=2, timeout="30s")
async def elsewhere(number: int) -> int:
    await asyncio.to_thread(time.sleep, 0.002)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    threading.Timer(0.01, theirs.send, [b"x"]).start()
    await asyncio.get_running_loop().sock_recv(ours, 1)
    ours.close()
    theirs.close()
    return number


@stage(threads=4, ports=("odd",))
def sort(number: int, ctx: Context) -> int:
    if number % 2:
        ctx.emit("odd", ctx.id)
    return number


@sink(concurrency=2)
async def save(number: int) -> None:
    await asyncio.sleep(0)


@sink
def show(text: str) -> None: ...


def test_what_is_in_hand_together_waits_together_on_the_clock_of_the_test() -> None:
    began = time.monotonic()
    result = Pipeline("p", at_once >> fetch >> save).test()
    assert sorted(result["save"]) == [0, 1, 2, 3, 4, 5]
    assert 1200 <= result.took < 1201, "two rounds of three"
    assert time.monotonic() - began < 60


def test_an_async_source_waits_on_the_clock_of_the_test() -> None:
    result = Pipeline("p", ticks >> save).test()
    assert sorted(result["save"]) == [0, 1, 2, 3, 4, 5]
    assert 360 <= result.took < 361


def test_a_coroutine_that_takes_too_long_is_a_dead_letter_that_says_so() -> None:
    result = Pipeline("p", at_once >> sometimes >> save).test()
    assert sorted(result["save"]) == [0, 1, 2, 4, 5]
    (dead,) = result.dead
    assert (dead.id, dead.cause) == ("at_once/0:3", "timed out after 30 s")
    assert 30 <= result.took < 40


def test_what_comes_from_a_socket_or_another_thread_is_waited_for_and_no_time_out_is_early() -> None:
    result = Pipeline("p", at_once >> elsewhere >> save).test()
    assert sorted(result["save"]) == [0, 1, 2, 3, 4, 5]
    assert not result.dead


def test_threads_run_one_after_the_other_and_each_call_knows_its_item() -> None:
    result = Pipeline("p", at_once >> sort >> save, sort["odd"] >> show).test()
    assert sorted(result["save"]) == [0, 1, 2, 3, 4, 5]
    assert sorted(result["show"]) == ["at_once/0:1", "at_once/0:3", "at_once/0:5"]
    assert {each.id for each in result.deliveries if each.stage == "sort"} == {
        f"at_once/0:{number}" for number in range(6)
    }


def test_what_stands_in_for_async_code_may_be_plain_and_the_other_way_round() -> None:
    async def late(number: int) -> int:
        await asyncio.sleep(1)
        return -number

    pipeline = Pipeline("p", at_once >> fetch >> sort >> save, sort["odd"] >> show)
    result = pipeline.test(replace={"fetch": lambda number: 2 * number, "sort": late})
    assert sorted(result["save"]) == [-10, -8, -6, -4, -2, 0]
