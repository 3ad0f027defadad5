"""Questions from other machines: each is done once, and its key says who asks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from penstock.errors import PeerError
from penstock.runtime.hosts.switchboard import LONGEST, MOST, Switchboard
from penstock.runtime.policy.rights import Role

ROUTE = b"\0abcd"


class Board:
    """A switchboard whose answers wait for ``go``, and what it has sent."""

    def __init__(self) -> None:
        self.now = 0.0
        self.trusted = True
        self.sent: list[list[bytes]] = []
        self.done: list[tuple[Role, bytes]] = []
        self.go = asyncio.Event()
        self.answered = asyncio.Event()
        self.result: dict[str, Any] = {}
        self.board = Switchboard(
            self.reply, stands=lambda _: self.trusted, timeout=10.0, clock=lambda: self.now
        )
        self.board.post = self.post

    def post(self, message: list[bytes]) -> bool:
        self.sent.append(message)
        if message[2]:
            self.answered.set()
        return True

    async def reply(self, role: Role, line: bytes) -> dict[str, Any]:
        self.done.append((role, line))
        await self.go.wait()
        return {"ok": True, "result": self.result}

    def ask(self, number: int, user: str = "owner:me", line: bytes = b"{}") -> None:
        assert self.board.take(user, [ROUTE, bytes([number]) * 16, line])

    def answers(self) -> list[Any]:
        return [json.loads(each[2]) for each in self.sent if each[2]]


def run(test: Callable[[Board], Awaitable[None]]) -> None:
    async def main() -> None:
        await test(Board())

    asyncio.run(main())


def test_a_question_that_is_said_again_is_done_once_and_its_answer_is_told_again() -> None:
    async def test(one: Board) -> None:
        one.ask(1)
        one.ask(1)
        assert [each[2] for each in one.sent] == [b"", b""]
        await asyncio.sleep(0)
        one.go.set()
        await one.board.close()
        assert one.done == [(Role.OWNER, b"{}")]
        assert len(one.answers()) == 1

        one.ask(2)
        await asyncio.sleep(0.0)
        await asyncio.sleep(0.0)
        one.ask(2)
        assert len(one.done) == 2
        assert len(one.answers()) == 3

    run(test)


def test_who_has_told_the_run_to_end_may_still_ask_how_it_was() -> None:
    async def test(one: Board) -> None:
        one.result = {"schema": "penstock.stop/1"}
        one.go.set()
        one.ask(1)
        await one.answered.wait()
        closing = asyncio.ensure_future(one.board.close())
        await asyncio.sleep(0)
        one.ask(2)
        await closing
        assert len(one.answers()) == 2

    run(test)


def test_nobody_takes_the_question_of_another_and_no_garbage_is_one() -> None:
    async def test(one: Board) -> None:
        one.ask(1)
        with pytest.raises(PeerError, match="observer:spy says again"):
            one.ask(1, "observer:spy")
        for frames in ([], [ROUTE], [ROUTE, b"short", b"{}"], [ROUTE, bytes(16), b""], [ROUTE] * 4):
            with pytest.raises(PeerError):
                one.board.take("owner:me", frames)
        with pytest.raises(PeerError):
            one.ask(3, line=bytes(LONGEST + 1))

    run(test)


def test_only_those_who_may_take_part_are_heard_as_agents() -> None:
    async def test(one: Board) -> None:
        for user in ("worker:h2", "owner:me"):
            assert not one.board.take(user, [ROUTE, b"a letter"])
        for user in ("observer:spy", "client:laptop", "", "root:me"):
            with pytest.raises(PeerError, match="is refused"):
                one.board.take(user, [ROUTE, b"a letter"])

    run(test)


def test_a_key_that_is_revoked_asks_nothing_more_and_one_that_floods_is_told_so() -> None:
    async def test(one: Board) -> None:
        for number in range(MOST + 1):
            one.ask(number)
        assert "waits for 32 answers already" in one.answers()[0]["error"]
        one.trusted = False
        one.ask(200, "owner:other")
        one.board.beat()
        assert len(one.answers()) == 2 + MOST
        assert all("trusted no longer" in each["error"] for each in one.answers()[1:])
        one.go.set()
        await one.board.close()

    run(test)


def test_whoever_is_not_heard_any_more_waits_for_nothing() -> None:
    async def test(one: Board) -> None:
        one.ask(1)
        await asyncio.sleep(0)
        one.now = 11.0
        one.board.beat()
        one.ask(1)
        await asyncio.sleep(0)
        assert len(one.done) == 2
        one.go.set()
        await one.board.close()

    run(test)
