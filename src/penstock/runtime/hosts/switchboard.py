"""Runs in the supervisor of a run that others may join: what is asked of it from another machine.

A question comes where agents speak, and is told from what they say by its number of frames:

    route | id, 16 bytes | a line of JSON      a question as on the control socket (see ``server``)
    route | id           | a line of JSON      its answer; empty: not yet

Whoever asks says a question again until it is answered, so that a cut connection costs time and nothing else.
By its id it is done once. As what they ask is known from their key, by ZAP's word; a key that is revoked
meanwhile asks nothing more, though its connection stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from penstock.errors import PeerError, PenstockError, UserError
from penstock.lifecycle import Clock, monotonic
from penstock.runtime.policy import rights
from penstock.runtime.policy.rights import Role
from penstock.runtime.supervisor import answer
from penstock.runtime.supervisor.view import Document

ID = 16
"""Bytes by which a question is known."""
MOST = 32
"""Questions of one key that are being done, and answers that are kept for it."""
LONGEST = 1 << 16
"""Bytes of a question, as on the control socket."""
REVOKED = "nothing is answered: that key is trusted no longer"
LAST_WORDS = 1.0
"""Seconds for answers that are under way when the run ends, and for who has ended it to ask how it was."""
ENDING = ("penstock.drain/1", "penstock.stop/1")
"""Answers to who ends it."""

Answer = Callable[[Role, bytes], Awaitable[Document]]
Post = Callable[[list[bytes]], bool]


@dataclass
class Call:
    """One question."""

    user: str
    route: bytes
    heard: float
    answer: bytes = b""
    task: asyncio.Task[None] | None = None


class Switchboard:
    """All questions of one run that came from elsewhere."""

    def __init__(
        self, reply: Answer, *, stands: Callable[[str], bool], timeout: float, clock: Clock = monotonic
    ) -> None:
        """``reply``: answers a question. ``stands``: whether a key is trusted still. ``timeout``: seconds of
        silence after which nobody waits for an answer any more."""
        self._reply = reply
        self.stands = stands
        """Whether a key is trusted still."""
        self._timeout = timeout
        self._clock = clock
        self._calls: dict[bytes, Call] = {}
        self._asked = asyncio.Event()
        """Somebody has asked something new."""
        self._ending: dict[str, float] = {}
        """Who has told the run to end, and asked nothing since; when that was."""
        self.post: Post = lambda _: False
        """Sends a message."""

    def take(self, user: str, frames: Sequence[Any]) -> bool:
        """Whether a message is a question, which is seen to. ``user``: whose key it is, ``observer:laptop``.

        Raises:
            PeerError: it is no question, or is said by somebody who takes no part and asks nothing.
        """
        if len(frames) == 2:
            if why := rights.refusal(role_of(user), "attach"):
                raise PeerError(f"{user}: {why}")
            return False
        key, line = opened(frames)
        call = self._calls.get(key) or self._begin(user, key, line)
        if call.user != user:
            raise PeerError(f"{user} says again what another has asked")
        call.route, call.heard = bytes(frames[0]), self._clock()
        self._tell(key, call)
        return True

    def beat(self) -> None:
        """Forget those who are not heard any more: to hang up is to take the question back. Who waits for an
        answer and is trusted no longer, waits no more."""
        before = self._clock() - self._timeout
        for key, call in list(self._calls.items()):
            if call.heard < before:
                self._forget(key)
            elif call.task is not None and not call.answer and not self.stands(call.user):
                call.answer = answer.line(answer.refused(UserError(REVOKED)))
                call.task.cancel()
                self._tell(key, call)

    async def close(self) -> None:
        """The run is over: those who wait get their last answer."""
        self._asked.clear()
        if (left := self._about_to_ask()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), left)
        tasks = {call.task for call in self._calls.values() if call.task is not None}
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_WORDS)
        for key in list(self._calls):
            self._forget(key)

    def _about_to_ask(self) -> float:
        """Seconds for which who has told the run to end may still ask how it was."""
        return max(self._ending.values()) + LAST_WORDS - self._clock() if self._ending else 0.0

    def _begin(self, user: str, key: bytes, line: bytes) -> Call:
        self._asked.set()
        self._ending.pop(user, None)
        call = self._calls[key] = Call(user, b"", self._clock())
        if why := self._refusal(user):
            call.answer = answer.line(answer.refused(UserError(why)))
        else:
            call.task = asyncio.ensure_future(self._do(key, call, line))
        self._make_room(user)
        return call

    def _refusal(self, user: str) -> str:
        if not self.stands(user):
            return REVOKED
        if sum(call.user == user and not call.answer for call in self._calls.values()) > MOST:
            return f"this key waits for {MOST} answers already"
        return ""

    def _make_room(self, user: str) -> None:
        done = [key for key, call in self._calls.items() if call.user == user and call.answer]
        for key in done[:-MOST]:
            self._forget(key)

    async def _do(self, key: bytes, call: Call, line: bytes) -> None:
        failed = answer.refused(PenstockError("the run failed to answer; what it prints says why"))
        found = answer.line(failed)
        try:
            told = await self._reply(role_of(call.user), line)
            found = answer.line(told)
            if told["ok"] and told["result"].get("schema") in ENDING:
                self._ending[call.user] = self._clock()
        except Exception as error:  # a fault of ours: it is printed, and who asks is told so
            what = {"message": "a question from another machine failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(what)
        finally:
            call.answer = call.answer or found
            self._tell(key, call)

    def _tell(self, key: bytes, call: Call) -> None:
        self.post([call.route, key, call.answer])

    def _forget(self, key: bytes) -> None:
        call = self._calls.pop(key)
        if call.task is not None:
            call.task.cancel()


def role_of(user: str) -> Role:
    """The role of ``observer:laptop``; anything else is nobody's."""
    try:
        return Role(user.partition(":")[0])
    except ValueError:
        return Role.NOBODY


def opened(frames: Sequence[Any]) -> tuple[bytes, bytes]:
    """The id of a question, and its line.

    Raises:
        PeerError: it is none.
    """
    if len(frames) != 3:
        raise PeerError(f"a message of {len(frames)} frames")
    if len(frames[1]) != ID or not 0 < len(frames[2]) <= LONGEST:
        raise PeerError(f"no question: an id of {len(frames[1])} bytes, and {len(frames[2])} bytes of text")
    return bytes(frames[1]), bytes(frames[2])
