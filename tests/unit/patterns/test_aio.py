"""The same for asyncio: one API, many waiting at once, and nobody woken for nothing or left asleep."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from penstock import patterns
from penstock.errors import RequestFailed, TimedOut, UserError
from penstock.patterns import Tuning, aio
from penstock.patterns.core import Core

LONG = 30.0
KINDS = [name for name in patterns.__all__ if issubclass(getattr(patterns, name), Core)]


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, LONG))


def verbs(kind: type) -> dict[str, inspect.Signature]:
    found = inspect.getmembers(kind, inspect.isfunction)
    return {name: inspect.signature(verb) for name, verb in found if not name.startswith("_")}


@pytest.mark.parametrize("name", KINDS)
def test_both_have_the_same_verbs_with_the_same_arguments(name: str) -> None:
    plain, twin = verbs(getattr(patterns, name)), verbs(getattr(aio, name))
    assert plain == twin
    for verb in set(plain) - {"close"}:
        assert inspect.iscoroutinefunction(getattr(getattr(aio, name), verb))


def test_there_are_nine_kinds() -> None:
    assert len(KINDS) == 9


async def request_and_serve(where: str) -> None:
    async def halve(value: float) -> float:
        await asyncio.sleep(0)
        return 1 / value

    async with aio.Replier(where) as replier:
        serving = asyncio.create_task(replier.serve(halve, requests=3))
        async with aio.Requester(replier.endpoint) as requester:
            assert await requester.request(4) == 0.25
            with pytest.raises(RequestFailed, match="ZeroDivisionError"):
                await requester.request(0)
            assert await requester.request(2) == 0.5
        await serving


@pytest.mark.parametrize("transport", ["inproc", "ipc", "tcp"])
def test_a_request_has_its_reply(transport: str, tmp_path: Path) -> None:
    places = {"inproc": "inproc://aio", "ipc": f"ipc://{tmp_path}/s", "tcp": "tcp://127.0.0.1:0"}
    run(request_and_serve(places[transport]))


async def back_and_forth(where: str) -> None:
    """Both directions of one socket at once: each wait sees what the other's call has taken note of."""
    count = 3000
    async with aio.Pair(where, bind=True, tuning=Tuning(hwm=10)) as one, aio.Pair(where) as other:

        async def send(pair: aio.Pair) -> None:
            for number in range(count):
                await pair.send(number)

        async def receive(pair: aio.Pair) -> list[int]:
            return [await pair.receive() for _ in range(count)]

        _, _, there, back = await asyncio.gather(send(one), send(other), receive(other), receive(one))
    assert there == back == list(range(count))


def test_one_may_send_and_another_receive_by_the_same_socket(tmp_path: Path) -> None:
    run(back_and_forth(f"ipc://{tmp_path}/s"))


async def many_wait() -> None:
    async with aio.Puller("inproc://many") as puller, aio.Pusher("inproc://many") as pusher:
        waiting = [asyncio.create_task(puller.receive()) for _ in range(20)]
        await asyncio.sleep(0)
        for number in range(20):
            await pusher.send(number)
        assert sorted(await asyncio.gather(*waiting)) == list(range(20))


def test_many_may_wait_for_one_socket() -> None:
    run(many_wait())


async def give_up() -> None:
    async with aio.Puller("inproc://empty", timeout=0.02) as puller, aio.Pusher("inproc://empty") as pusher:
        with pytest.raises(TimedOut, match=r"nothing came within 0\.02 s"):
            await puller.receive()
        cancelled = asyncio.create_task(puller.receive(None))
        await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        await pusher.send("kept")
        assert await puller.receive(LONG) == "kept", "who gave up has taken nothing with them"


def test_a_wait_ends_by_time_or_by_cancelling_and_loses_nothing() -> None:
    run(give_up())


async def close_under() -> None:
    puller = aio.Puller("inproc://closing")
    waiting = asyncio.create_task(puller.receive(None))
    await asyncio.sleep(0)
    puller.close()
    with pytest.raises(UserError, match="is closed"):
        await waiting


def test_who_waits_for_a_socket_that_is_closed_is_told_so() -> None:
    run(close_under())


async def flood() -> None:
    async with aio.Puller("inproc://flood") as puller, aio.Pusher("inproc://flood") as pusher:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(other())
        for number in range(2000):
            await pusher.send(number)
            await puller.receive()
        beside.cancel()
        assert turns >= 10


def test_a_flood_leaves_the_others_in_the_loop_their_turns() -> None:
    run(flood())


def test_a_socket_is_one_loops() -> None:
    puller = aio.Puller("inproc://loops", timeout=0)
    with pytest.raises(TimedOut):
        asyncio.run(puller.receive())
    with pytest.raises(UserError, match="another event loop"):
        asyncio.run(puller.receive())
    puller.close()


async def retried(where: str) -> None:
    async with aio.Requester(where, timeout=0.02, retries=1) as requester:
        with pytest.raises(TimedOut, match="in 2 attempts"):
            await requester.request(1)
        async with aio.Replier(where) as replier:
            serving = asyncio.create_task(replier.serve(lambda x: x, requests=1))
            assert await requester.request("now", LONG) == "now"
            await serving


def test_a_request_is_tried_again(tmp_path: Path) -> None:
    run(retried(f"ipc://{tmp_path}/s"))


async def told(where: str) -> None:
    async with aio.Publisher(where, last_values=10) as publisher:
        await publisher.send("weather.paris", 20)
        await publisher.send("weather.oslo", -3)
        async with aio.Subscriber(publisher.endpoint, topics="weather.*") as subscriber:
            assert {await subscriber.receive(LONG) for _ in range(2)} == {
                ("weather.paris", 20),
                ("weather.oslo", -3),
            }
            await publisher.send("weather.paris", 21)
            assert await subscriber.receive(LONG) == ("weather.paris", 21)


def test_who_joins_late_gets_the_last_values(tmp_path: Path) -> None:
    run(told(f"ipc://{tmp_path}/s"))


async def named(where: str) -> None:
    async with aio.Router(where) as router, aio.Dealer(where, name=b"worker-1") as dealer:
        await dealer.send("ready")
        peer, value = await router.receive()
        assert (peer, value) == (b"worker-1", "ready")
        await router.send(peer, [1, 2])
        assert await dealer.receive() == [1, 2]


def test_a_router_answers_who_has_sent(tmp_path: Path) -> None:
    run(named(f"ipc://{tmp_path}/s"))


async def pooled(where: str) -> None:
    """Three ask at once, and none is answered before all have asked; through a device, as it may be."""
    all_here = asyncio.Barrier(3)

    async def invert(value: float, sender: patterns.Sender | None) -> float:
        assert sender is None
        if value:
            await all_here.wait()
        return 1 / value

    async def ask(value: float) -> float:
        async with aio.Requester(f"ipc://{where}/front", timeout=LONG) as requester:
            answer: float = await requester.request(value)
            return answer

    async with (
        aio.Queue(f"ipc://{where}/front", f"ipc://{where}/back", back_binds=False),
        aio.ReplierPool(f"ipc://{where}/back", invert, concurrency=3, of=float) as pool,
    ):
        assert [*await asyncio.gather(ask(1.0), ask(2.0), ask(4.0))] == [1, 0.5, 0.25]
        with pytest.raises(RequestFailed, match="ZeroDivisionError"):
            await ask(0.0)
        with pytest.raises(RequestFailed, match="PeerError"):
            await ask("no number")  # type: ignore[arg-type]
    assert pool.answered == await pool.stop() == 5


def test_a_pool_answers_several_at_once(tmp_path: Path) -> None:
    run(pooled(str(tmp_path)))


async def stopped(where: str) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handler(value: str) -> str:
        begun.set()
        await go_on.wait()
        return value

    pool = await aio.ReplierPool(where, handler, concurrency=1).start()
    async with aio.Requester(where, timeout=LONG) as requester:
        asking = asyncio.create_task(requester.request("taken"))
        await begun.wait()
        stopping = asyncio.create_task(pool.stop())
        await asyncio.sleep(0)
        go_on.set()
        assert await asking == "taken"
        assert await stopping == 1


def test_what_was_taken_is_answered_before_a_pool_stops(tmp_path: Path) -> None:
    run(stopped(f"ipc://{tmp_path}/s"))
    with pytest.raises(UserError, match="at least one"):
        aio.ReplierPool(f"ipc://{tmp_path}/s", str, concurrency=0)
