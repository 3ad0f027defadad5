"""Runs on a host that joins a run: it starts workers there as the supervisor says, and decides nothing.

    join -> welcome -> code, environments, directories -> offer -> workers come and go -> over

Who hears nothing of the supervisor for as long as makes that take a host for lost, ends its workers by itself
(others have their items by then) and joins anew. So does who is told that its stay is over. Ctrl-C asks to
leave in good order; a second one goes at once.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import Any, NamedTuple, TypeVar

import msgspec

from penstock import __version__
from penstock.errors import EnvironmentFault, NotRunning, PeerError, PenstockError, UserError
from penstock.lifecycle import monotonic
from penstock.patterns.endpoint import read
from penstock.runtime import hostwire, rundir
from penstock.runtime.agent import gpus
from penstock.runtime.agent.larder import Larder, matched
from penstock.runtime.agent.quarters import Quarters, left_behind
from penstock.runtime.hosts.conduit import Conduit
from penstock.runtime.hosts.machine import machine
from penstock.runtime.hosts.port import Port
from penstock.runtime.supervisor import provision
from penstock.runtime.supervisor.provision import USUAL_TERMS, Terms
from penstock.security.keys import Towards
from penstock.settings import Settings

PATIENCE = 60.0
"""Seconds in which a run must answer."""
SOON = 3.0
"""Seconds after which people are told that none has so far."""
FIRST_TIMEOUT = 10.0
"""Seconds of silence that are a loss, before the run says how many."""
BEATS = 5
LOOK = 0.2
"""Seconds between two looks at the pages and logs of workers."""
MOST_UNHEARD = 1 << 20
"""Bytes on their way from which on nothing is told that can wait."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)

T = TypeVar("T")


class Wish(NamedTuple):
    """What was asked for on the command line."""

    endpoint: str
    towards: Towards
    name: str
    labels: tuple[str, ...] = ()
    brings: tuple[tuple[str, int], ...] = ()
    address: str = ""
    """Where workers here listen for those of other hosts."""
    found: str = ""
    """What leads there, where those do not reach it."""
    ports: str = ""
    """At which ports they do, ``7810-7819``; empty: at any."""
    code: str | None = None
    """A folder that holds the app's code already."""
    cores: int = 1


class End(Enum):
    """How a stay has ended."""

    OVER = "over"
    AGAIN = "again"
    """Join anew."""
    CUT = "cut short"


class Agent:
    """One host's part in one run."""

    def __init__(
        self,
        wish: Wish,
        *,
        settings: Settings,
        cache: str,
        say: Callable[[str], None],
        terms: Terms = USUAL_TERMS,
        patience: float = PATIENCE,
    ) -> None:
        """``cache``: the user's folder for what can be made again. ``say``: takes a line for people."""
        self._wish = wish
        self._settings = settings
        self._larder = Larder(cache)
        self._say = say
        self._terms = terms
        self._patience = patience
        self._leaving = False
        self._stay: Stay | None = None
        self._before = left_behind(rundir.base_dir(settings.run_dir), wish.endpoint, wish.name)

    async def run(self) -> int:
        """Take part until that is over; the exit code.

        Raises:
            PenstockError: the run does not answer, does not want us, or its code cannot be run here.
        """
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._interrupt)
        end = End.AGAIN
        try:
            while end is End.AGAIN and not self._leaving:
                end = await self._once()
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)
        return 128 + signal.SIGINT if end is End.CUT else 0

    async def _once(self) -> End:
        self._stay = stay = Stay(self._wish, before=self._before, say=self._say)
        self._before = stay.token
        try:
            return await stay.run(
                self._larder, settings=self._settings, terms=self._terms, patience=self._patience
            )
        finally:
            stay.close()
            self._stay = None

    def _interrupt(self) -> None:
        again, self._leaving = self._leaving, True
        if self._stay is not None:
            self._stay.leave(at_once=again)


class Stay:
    """From one joining to its end."""

    def __init__(self, wish: Wish, *, before: str, say: Callable[[str], None]) -> None:
        """``before``: the token of the stay before this one."""
        self.token = secrets.token_hex(hostwire.TOKEN // 2)
        self._wish = wish
        self._before = before
        self._say = say
        self._conduit = Conduit(self.token)
        self._read = hostwire.Reader(hostwire.ToAgent).read
        self._loop = asyncio.get_running_loop()
        self._welcome: asyncio.Future[hostwire.Welcome] = self._loop.create_future()
        self._end: asyncio.Future[End] = self._loop.create_future()
        self._parts: dict[tuple[str, int], asyncio.Future[bytes]] = {}
        self._quarters: Quarters | None = None
        self._timeout = FIRST_TIMEOUT
        self._heard = monotonic()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._port = Port(
            "DEALER",
            wish.endpoint,
            curve=wish.towards,
            timeout=FIRST_TIMEOUT,
            take=self._take,
            loop=self._loop,
        )

    async def run(self, larder: Larder, *, settings: Settings, terms: Terms, patience: float) -> End:
        """All of it; how it has ended.

        Raises:
            PenstockError: nobody answers, we are not wanted, or the code cannot be run here.
        """
        self._tell(self._joining())
        self._due = monotonic()
        self._beat()
        await _first(self._welcome, self._end, timeout=min(SOON, patience))
        if not self._welcome.done() and not self._end.done() and patience > SOON:
            self._say(f"no run has answered at {self._wish.endpoint} so far; Ctrl-C gives up")
            await _first(self._welcome, self._end, timeout=patience - SOON)
        if self._end.done():
            return self._end.result()
        if not self._welcome.done():
            raise NotRunning(
                f"no run answers at {self._wish.endpoint}: none listens there, or it does not trust our key"
            )
        preparing = asyncio.ensure_future(self._prepare(self._welcome.result(), larder, settings, terms))
        await _first(preparing, self._end)
        if not preparing.done():
            preparing.cancel()
        try:
            await preparing
        except asyncio.CancelledError:
            pass
        except PenstockError as error:
            self._tell(hostwire.Unfit(str(error)))
            raise
        return await self._end

    def _joining(self) -> hostwire.Join:
        wish = self._wish
        return hostwire.Join(
            version=hostwire.VERSION,
            penstock=__version__,
            name=wish.name,
            cores=wish.cores,
            labels=list(wish.labels),
            brings=dict(wish.brings),
            before=self._before,
            address=wish.address,
            found=wish.found,
            reach=read(wish.endpoint).place,
            ports=wish.ports,
            machine=machine(),
        )

    async def _prepare(
        self, welcome: hostwire.Welcome, larder: Larder, settings: Settings, terms: Terms
    ) -> None:
        plan = hostwire.plan_of(welcome)
        gpus.check(plan, dict(self._wish.brings), gpus.found(os.environ))
        count = 1 + max((int(name.partition("/")[0]) for name in welcome.manifest.files), default=0)
        if self._wish.code is not None:
            trees = [matched(self._wish.code, welcome.manifest)]
        else:
            trees = await larder.trees(welcome.manifest, count, self._fetch)
        environ = dict(os.environ)
        provide = partial(provision.provide, plan, trees[0], environ, terms, self._say)
        environments = await _aside(provide)
        self._quarters = quarters = Quarters(
            welcome, plan, environments, settings=settings, environ=environ, say=self._tell, loop=self._loop
        )
        quarters.note(endpoint=self._wish.endpoint, name=self._wish.name, token=self.token)
        self._tell(hostwire.Offer(quarters.run_dir.path, quarters.state_dir.path, trees, quarters.shm))
        self._say(f"{welcome.name} takes part in {welcome.pipeline} ({welcome.run}); Ctrl-C leaves")
        self._look()

    async def _fetch(self, path: str, at: int) -> bytes:
        waiting: asyncio.Future[bytes] = self._loop.create_future()
        self._parts[path, at] = waiting
        self._tell(hostwire.Want(path, at))
        return await waiting

    def leave(self, *, at_once: bool) -> None:
        """Somebody wants the host back."""
        if at_once or self._quarters is None:
            self._tell(hostwire.Left("its agent was ended" if at_once else "it left before it had begun"))
            self._finish(End.CUT if at_once else End.OVER)
        else:
            self._say("leaving: the workers here finish what they hold; Ctrl-C again ends them now")
            self._tell(hostwire.Leave())

    def close(self) -> None:
        """Nobody is left here, and nothing."""
        for timer in self._timers.values():
            timer.cancel()
        if self._quarters is not None:
            self._quarters.clear()
        self._port.close()

    # What comes in ----------------------------------------------------------------------------------------

    def _take(self, _user: str, frames: list[Any]) -> None:
        try:
            letter = hostwire.opened(frames[0])
            if letter.token != self.token or self._end.done():
                return
            self._heard = monotonic()
            if letter.number == 0 and letter.body:
                self._answer(self._read(letter.body))
                return
            taken = self._conduit.take(letter)
            for answer in taken.answers:
                self._post(answer)
            if taken.body:
                self._answer(self._read(taken.body))
        except PeerError as error:
            self._say(f"what came from the run makes no sense: {error}")
            self._finish(End.AGAIN)

    def _answer(self, said: Any) -> None:
        match said:
            case hostwire.Welcome() if not self._welcome.done():
                self._timeout = said.timeout
                self._welcome.set_result(said)
            case hostwire.Refused(cause):
                self._end.set_exception(UserError(f"the run does not take this host: {cause}"))
            case hostwire.Part(path, at, data):
                if waiting := self._parts.pop((path, at), None):
                    waiting.set_result(data)
            case hostwire.Over(cause, unfit):
                self._tell(hostwire.Left(""))
                self._tell_of_letters()
                if unfit:
                    self._end.set_exception(EnvironmentFault(f"the run goes on without this host: {cause}"))
                else:
                    self._say(f"it is over here: {cause}")
                    self._finish(End.OVER)
            case hostwire.Dismissed():
                self._say("this host was taken for lost, so its workers are ended; joining anew")
                self._finish(End.AGAIN)
            case _ if self._quarters is not None:
                self._obey(self._quarters, said)

    @staticmethod
    def _obey(quarters: Quarters, said: Any) -> None:
        match said:
            case hostwire.Start():
                quarters.start(said)
            case hostwire.Speak():
                quarters.tell(said)
            case hostwire.Kill():
                quarters.kill(said)
            case hostwire.Listing(line):
                quarters.inquiry.tell(line)
            case hostwire.Have() | hostwire.Give() | hostwire.Load() | hostwire.Got():
                quarters.porter.take(said)

    def _tell_of_letters(self) -> None:
        if self._quarters is not None and (left := self._quarters.porter.left):
            self._say(f"{left} dead letters stay here; they go to the first host when this one joins again")

    def _finish(self, end: End) -> None:
        if not self._end.done():
            self._end.set_result(end)

    # Time -------------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        now, interval = monotonic(), self._timeout / BEATS
        self._heard += max(0.0, now - self._due - interval)  # we were stopped, and heard nobody
        if self._welcome.done() and now - self._heard > self._timeout:
            self._say(f"the run was not heard for {self._timeout:g} s, so the workers here are ended")
            self._finish(End.AGAIN)
            return
        self._post(self._conduit.beat())
        self._due = now + interval
        self._timers["beat"] = self._loop.call_later(interval, self._beat)

    def _look(self) -> None:
        if self._quarters is not None and self._conduit.bytes < MOST_UNHEARD:
            self._quarters.look()
        self._timers["look"] = self._loop.call_later(LOOK, self._look)

    def _tell(self, message: msgspec.Struct) -> None:
        self._post(self._conduit.put(hostwire.packed(message)))

    def _post(self, letter: hostwire.Letter) -> None:
        self._port.send([hostwire.sealed(letter)])


async def _aside(work: Callable[[], T]) -> T:
    """What ``work`` answers, in a thread that nobody waits for who leaves meanwhile. (asyncio joins its own
    at the end, and an environment may take minutes.)"""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(say: Callable[[Any], None], what: Any) -> None:
        if not done.done():
            say(what)

    def run() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            try:
                found = work()
            except Exception as error:
                loop.call_soon_threadsafe(tell, done.set_exception, error)
            else:
                loop.call_soon_threadsafe(tell, done.set_result, found)

    threading.Thread(target=run, name="prepare", daemon=True).start()
    return await done


async def _first(*awaited: asyncio.Future[Any], timeout: float | None = None) -> None:  # noqa: ASYNC109  waits
    """Until one of them is done."""
    await asyncio.wait(awaited, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)


def run(agent: Agent) -> int:
    """All of it, in this thread: the kernel ends its workers with it."""
    return asyncio.run(agent.run())
