"""Runs in the supervisor of a run that others may join: who has, whether they still live, what they say.

It decides nothing: that a host has come, leaves or is lost is told to the policy, which says what follows.
A host is taken for lost when nothing was heard of it for ``timeout`` seconds; its agent, which hears as
little, has ended its workers by then or does so as soon as it can (see ``agent``). What comes of a stay that
is over is answered with *Dismissed*, and means nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.errors import PeerError, UserError
from penstock.lifecycle import Clock, monotonic
from penstock.observe import events
from penstock.pipeline.plan import SERVICE, Plan
from penstock.runtime import hostwire
from penstock.runtime.hosts import admission, baggage, codebook, tunnel
from penstock.runtime.hosts.baggage import Baggage
from penstock.runtime.hosts.callers import Callers
from penstock.runtime.hosts.lodging import Lodging
from penstock.runtime.hosts.machine import machine
from penstock.runtime.hosts.port import Port
from penstock.runtime.hosts.positions import Positions
from penstock.runtime.hosts.remote import Remote
from penstock.runtime.hosts.stay import MOST_UNHEARD, Stay, plain
from penstock.runtime.hosts.switchboard import Switchboard
from penstock.runtime.policy import action, stimulus
from penstock.runtime.policy.placement import Host
from penstock.security.keys import Admits, KeyPair

if TYPE_CHECKING:
    from penstock.runtime.supervisor.supervisor import Supervisor

BEATS = 5
"""Signs of life in the time after which silence is a loss."""
REVOKED = "its key is trusted no longer"
GOODBYE = 2.0
"""Seconds for agents to end what they have, when the run is over."""


class Hosts:
    """All that have joined one run, and the socket by which they speak."""

    def __init__(
        self,
        supervisor: Supervisor,
        *,
        listen: str,
        curve: Admits,
        pair: KeyPair,
        app: str,
        timeout: float,
        switchboard: Switchboard,
        all_interfaces: bool = False,
        ports: str = "",
        clock: Clock = monotonic,
    ) -> None:
        """Nobody is heard before ``start``.

        Args:
            supervisor: whose run it is.
            listen: where agents find us.
            curve: whom of them we let in.
            pair: the key that the workers of the run share.
            app: the app's file, whose folder they fetch.
            timeout: seconds of silence that are a loss.
            switchboard: for questions from other machines.
            all_interfaces: that ``listen`` may be all of them.
            ports: where workers of this host listen; empty: at any.
            clock: seconds that never go back.
        """
        self._supervisor = supervisor
        self._listen = listen
        self._curve = curve
        self._app = os.path.realpath(app)
        self._timeout = timeout
        self._switchboard = switchboard
        switchboard.post = self._send
        self._all_interfaces = all_interfaces
        self._clock = clock
        self._stays: dict[str, Stay] = {}
        self.positions = Positions(supervisor)
        self._port: Port | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._lent: set[str] = set()
        self._read = hostwire.Reader(hostwire.FromAgent).read
        self.trees = codebook.trees(supervisor.plan, os.path.dirname(self._app))
        self.lodging = Lodging(
            supervisor.run_dir.path,
            listen,
            ports,
            curve=(pair.public, pair.secret),
            stay=self._named,
            trees=self.trees,
        )
        self.refused = 0
        """Messages that were none of ours."""
        self._answers = self._answering()

    def _answering(self) -> dict[type, Callable[[Stay, Any], None]]:
        """What is done at each word of an agent."""
        return {
            hostwire.Want: self._send_part,
            hostwire.Offer: self._take_in,
            hostwire.Unfit: lambda stay, said: self._part(stay, said.cause),
            hostwire.Started: lambda stay, said: self._of(stay, said).started(said.pid),
            hostwire.Spoke: self._pass_on,
            hostwire.Counted: lambda stay, said: self._of(stay, said).counted(said, int(self._clock() * 1e9)),
            hostwire.Tallied: lambda stay, said: self._of(stay, said).tallied(said, int(self._clock() * 1e9)),
            hostwire.Logged: lambda stay, said: self._of(stay, said).logged(said.data),
            hostwire.Ended: self._ended,
            hostwire.Calling: lambda stay, said: stay.callers.heard(said) if stay.callers else None,
            hostwire.Leave: self._leave,
            hostwire.Left: lambda stay, said: self._part(stay, said.cause),
            **dict.fromkeys(baggage.WORDS, self._carry),
        }

    # The run's side ---------------------------------------------------------------------------------------

    def start(self) -> str:
        """Let agents in; the endpoint by which they find us.

        Raises:
            UserError: that cannot be bound, or the app's folder holds too much.
        """
        codebook.survey(self.trees)
        loop = asyncio.get_running_loop()
        self._port = Port(
            "ROUTER",
            self._listen,
            curve=self._curve,
            timeout=self._timeout,
            take=self._take,
            loop=loop,
            all_interfaces=self._all_interfaces,
        )
        self._due = self._clock() + self._timeout / BEATS
        self._timer = loop.call_later(self._timeout / BEATS, self._beat)
        return self._port.endpoint

    async def close(self) -> None:
        """The run is over: have them end what they have, and hear them out for a moment."""
        for task in self._tasks:
            task.cancel()
        if self._port is None:
            return
        await baggage.here([*self._stays.values()], self._changed)
        for stay in self._stays.values():
            stay.end("the run is over")
        try:
            async with asyncio.timeout(GOODBYE):
                while self._stays:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass  # they will find out by themselves
        await self._switchboard.close()
        if self._timer is not None:
            self._timer.cancel()
        self._port.close()

    def release(self, host: str, unfit: str) -> None:
        """Nobody is left there: it may go. ``unfit``: why it has to."""
        if stay := self._named(host):
            self._beside(self._release(stay, unfit))

    async def _release(self, stay: Stay, unfit: str) -> None:
        await baggage.here([stay], self._changed)
        stay.end(unfit or "nobody is left here", unfit=bool(unfit))

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def spawn(
        self, wanted: action.Spawn, variables: dict[str, str], *, on_exit: Callable[[int], None], log: str
    ) -> Remote:
        """Have a worker started on its host; what is said to it comes there later."""
        stay = self._named(wanted.host)
        if stay is None:  # it was lost a moment ago
            remote = Remote(wanted.number, wanted.host, send=lambda _: None, on_exit=on_exit, log=log)
            asyncio.get_running_loop().call_soon(remote.lose)
            return remote
        remote = Remote(wanted.number, wanted.host, send=stay.say, on_exit=on_exit, log=log)
        stay.workers[wanted.number] = remote
        stay.say(hostwire.Start(wanted.number, wanted.stage, wanted.replica, variables))
        return remote

    def baggage(self, host: str) -> Baggage | None:
        """The files of that host; None: it is lost."""
        stay = self._named(host)
        return None if stay is None else stay.baggage

    def lend(self) -> None:
        """Letters were put back, or workers have come who could send some."""
        for stay in self._stays.values():
            if stay.baggage is not None:
                stay.baggage.lend()

    def view(self) -> list[dict[str, object]]:
        """Who is here, as plain data."""
        now = self._clock()
        return [stay.view(now, self._state(stay)) for stay in self._stays.values()]

    def _state(self, stay: Stay) -> str:
        known = self._supervisor.roster.hosts.get(stay.name)
        if stay.offer is None or known is None:
            return "joining" if known is None else "leaving"
        return "leaving" if known.leaving else "here"

    def _named(self, host: str) -> Stay | None:
        return next((stay for stay in self._stays.values() if stay.name == host), None)

    # What comes in ----------------------------------------------------------------------------------------

    def _take(self, user: str, frames: list[Any]) -> None:
        try:
            if self._switchboard.take(user, frames):
                return
            letter = hostwire.opened(frames[1])
            stay = self._stays.get(letter.token) or self._arrived(user, letter, bytes(frames[0]))
            if stay is not None:
                self._hear(stay, letter, bytes(frames[0]))
        except PeerError as error:
            self._refuse(str(error))

    def _refuse(self, why: str) -> None:
        """Count it, and tell now and then: a flood is not to fill the log."""
        self.refused += 1
        if not self.refused & (self.refused - 1):
            self._supervisor.report(events.HostMisspoke(count=self.refused, cause=plain(why[:200])))

    def _arrived(self, user: str, letter: hostwire.Letter, route: bytes) -> Stay | None:
        """A stay that begins; nothing where it is over, which its agent is told."""
        said = self._read(letter.body) if letter.number == 1 and letter.body else None
        if not isinstance(said, hostwire.Join):
            self._tell_aside(route, letter.token, hostwire.Dismissed())
            return None
        before = self._stays.get(said.before)
        if before is not None:
            self._lose(before, "its agent began anew")
        here = tunnel.first(self._listen, self.lodging.ports, reach=said.reach, machine=machine())
        roster, joined = self._supervisor.roster, self._stays.values()
        revoked = "" if self._switchboard.stands(user) else REVOKED
        if why := revoked or admission.refusal(said, roster, here, [stay.join for stay in joined]):
            self._tell_aside(route, letter.token, hostwire.Refused(why))
            return None
        name = admission.free_name(said.name, {stay.name for stay in joined} | set(roster.hosts))
        stay = self._stays[letter.token] = Stay(said, name, letter.token, self._post, user=user)
        return stay

    def _hear(self, stay: Stay, letter: hostwire.Letter, route: bytes) -> None:
        taken = stay.conduit.take(letter)
        stay.route, stay.heard = route, self._clock()
        for answer in taken.answers:
            stay.post(answer)
        if not taken.body:
            return
        said = self._read(taken.body)
        if isinstance(said, hostwire.Join):
            self._beside(self._welcome(stay))
        else:
            self._answers[type(said)](stay, said)

    # What agents say --------------------------------------------------------------------------------------

    async def _welcome(self, stay: Stay) -> None:
        try:
            manifest = await asyncio.to_thread(codebook.survey, self.trees)
        except (UserError, OSError) as error:
            stay.end(str(error), unfit=True)
            return
        stay.manifest = manifest
        plan: Plan = msgspec.structs.replace(self._supervisor.plan, config={})
        stay.say(
            hostwire.Welcome(
                version=hostwire.VERSION,
                run=self._supervisor.run_dir.name,
                pipeline=plan.pipeline,
                name=stay.name,
                timeout=self._timeout,
                plan=msgspec.msgpack.encode(plan),
                manifest=manifest,
                app=os.path.basename(self._app),
            )
        )

    def _send_part(self, stay: Stay, said: hostwire.Want) -> None:
        """Only of the files that it was offered: nobody reads here what else we can read."""
        if not 0 <= said.at <= stay.manifest.sizes.get(said.path, -1):
            raise PeerError(f"{stay.name} wants {said.path[:80]!r}, which is not among what it may fetch")
        stay.say(hostwire.Part(said.path, said.at, codebook.part(self.trees, said.path, said.at)))

    def _take_in(self, stay: Stay, said: hostwire.Offer) -> None:
        if len(said.trees) != len(self.trees) or stay.offer is not None:
            raise PeerError("an agent has other trees than ours, or offers itself twice")
        if stay.over:
            return  # it has not heard so far that it is to go
        stay.offer, join = said, stay.join
        brings = tuple(sorted(join.brings.items()))
        stay.baggage = Baggage(self._supervisor, stay, said, lent=self._lent, then=self._changed.set)
        if any(stage.kind == SERVICE for stage in self._supervisor.plan.stages):
            stay.callers = Callers(self._supervisor.services, stay.name, stay.say)
        host = Host(stay.name, join.cores, frozenset(join.labels), brings)
        self._supervisor.tell(stimulus.HostJoined(host))

    def _of(self, stay: Stay, said: Any) -> Remote:
        try:
            return stay.workers[said.number]
        except KeyError:
            raise PeerError(f"{stay.name} has no worker {said.number}") from None

    def _pass_on(self, stay: Stay, said: hostwire.Spoke) -> None:
        line = self._of(stay, said).line
        if line is not None:
            line.take(said.data)

    def _ended(self, stay: Stay, said: hostwire.Ended) -> None:
        remote = self._of(stay, said)
        del stay.workers[said.number]
        remote.ended(said.exit, oom=said.oom, parting=plain(said.stillborn))

    @staticmethod
    def _carry(stay: Stay, said: Any) -> None:
        if stay.baggage is None:
            raise PeerError(f"{stay.name} speaks of files before it has offered itself")
        stay.baggage.take(said)

    def _leave(self, stay: Stay, _: hostwire.Leave) -> None:
        if stay.offer is None:
            stay.end("it had not begun")
        else:
            self._supervisor.tell(stimulus.HostLeaves(stay.name))

    def _part(self, stay: Stay, cause: str) -> None:
        self._lose(stay, plain(cause) or "its agent ended")

    # Life and loss ----------------------------------------------------------------------------------------

    def _beat(self) -> None:
        """Now and then: say that we live, and see who does not."""
        now, interval = self._clock(), self._timeout / BEATS
        stalled = max(0.0, now - self._due - interval)  # we ourselves were stopped: nobody could be heard
        for stay in list(self._stays.values()):
            stay.heard += stalled
            if now - stay.heard > self._timeout:
                self._lose(stay, f"it was not heard for {self._timeout:g} s")
            elif stay.conduit.bytes > MOST_UNHEARD:
                self._lose(stay, "it does not take what it is told")
            elif not self._switchboard.stands(stay.user):
                stay.end(REVOKED, unfit=True)
                self._lose(stay, REVOKED)
            else:
                stay.beat()
        self._switchboard.beat()
        self._due = now + interval
        self._timer = asyncio.get_running_loop().call_later(interval, self._beat)

    def _lose(self, stay: Stay, cause: str) -> None:
        """It is over with that stay, whatever its agent thinks."""
        self._stays.pop(stay.conduit.token, None)
        self._changed.set()
        was_here, stay.offer = stay.offer is not None, None
        if stay.baggage is not None:
            stay.baggage.close()
        if stay.callers is not None:
            stay.callers.close()
        if was_here:
            self._supervisor.tell(stimulus.HostLost(stay.name, cause))
        elif not stay.over:
            self._supervisor.report(events.HostUnfit(host=stay.name, cause=cause))
        workers, stay.workers = stay.workers, {}
        for remote in workers.values():
            remote.lose()

    def _post(self, route: bytes, frame: bytes) -> bool:
        return self._send([route, frame])

    def _send(self, message: list[bytes]) -> bool:
        return self._port is not None and self._port.send(message)

    def _tell_aside(self, route: bytes, token: str, message: msgspec.Struct) -> None:
        """Outside of any stay: as the body of a beat."""
        letter = hostwire.Letter(token, 0, 0, 0, body=hostwire.packed(message))
        self._post(route, hostwire.sealed(letter))
