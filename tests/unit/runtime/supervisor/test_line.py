from __future__ import annotations

import asyncio
import socket
from typing import Self

import msgspec

from penstock.runtime import control
from penstock.runtime.supervisor.line import Line


class Ends:
    """A line, and the socket at its other end."""

    def __init__(self) -> None:
        mine, self.theirs = socket.socketpair()
        self.heard: list[control.ToSupervisor] = []
        self.nonsense: list[str] = []
        self.changed = asyncio.Event()
        self.line = Line(
            mine,
            loop=asyncio.get_running_loop(),
            on_message=self.hear,
            on_nonsense=self.wonder,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()
        self.theirs.close()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.heard) + len(self.nonsense) < count:
                self.changed.clear()
                await self.changed.wait()

    def hear(self, message: control.ToSupervisor) -> None:
        self.heard.append(message)
        self.changed.set()

    def wonder(self, why: str) -> None:
        self.nonsense.append(why)
        self.changed.set()


def test_messages_come_whole_however_they_are_cut() -> None:
    async def scenario() -> None:
        with Ends() as ends:
            data = control.frame(control.Bound(7, "3.11")) + control.frame(control.Ready())
            for at in range(len(data)):
                ends.theirs.send(data[at : at + 1])
                await asyncio.sleep(0)
            await ends.until(2)
            assert ends.heard == [control.Bound(7, "3.11"), control.Ready()]

    asyncio.run(scenario())


def test_a_worker_that_does_not_read_holds_nobody_up_and_misses_nothing() -> None:
    async def scenario() -> None:
        with Ends() as ends:
            sent = [control.Gone(number, "work/0", "x" * 1000) for number in range(2000)]
            for message in sent:
                ends.line.send(message)  # 2 MB: more than any socket takes
            data = bytearray()
            decode = msgspec.msgpack.Decoder(control.ToWorker).decode
            found: list[control.ToWorker] = []
            ends.theirs.setblocking(False)
            async with asyncio.timeout(60):
                while len(found) < len(sent):
                    data += await asyncio.get_running_loop().sock_recv(ends.theirs, 1 << 16)
                    found += [decode(body) for body in control.split(data)]
            assert found == sent

    asyncio.run(scenario())


def test_nonsense_is_told_once_and_ends_the_reading() -> None:
    async def scenario() -> None:
        with Ends() as ends:
            ends.theirs.sendall(b"\xff\xff\xff\xff and more")
            await ends.until(1)
            ends.theirs.sendall(control.frame(control.Ready()))
            await asyncio.sleep(0)
            assert len(ends.nonsense) == 1
            assert "the limit is" in ends.nonsense[0]
            assert ends.heard == []

    asyncio.run(scenario())


def test_a_message_of_no_known_kind_is_nonsense() -> None:
    async def scenario() -> None:
        with Ends() as ends:
            ends.theirs.sendall(control.LENGTH.pack(1) + b"\xc0")
            await ends.until(1)
            assert "no control message" in ends.nonsense[0]

    asyncio.run(scenario())


def test_speaking_to_the_dead_or_after_hanging_up_is_harmless() -> None:
    async def scenario() -> None:
        with Ends() as ends:
            ends.theirs.close()
            ends.line.send(control.Drain())
            ends.line.close()
            ends.line.close()
            ends.line.send(control.Drain())

    asyncio.run(scenario())


def test_last_words_are_heard_after_death() -> None:
    async def scenario() -> None:
        with Ends() as ends:
            ends.theirs.sendall(control.frame(control.Finished()))
            ends.theirs.close()
            ends.line.drain()
            assert ends.heard == [control.Finished()]

    asyncio.run(scenario())
