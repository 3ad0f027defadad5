"""Runs in the supervisor: the files of one stay. What workers there leave for people is brought to this host:

dead/X.letter         a dead letter; the agent keeps it until it is on our disk
dead/X.requeued       one that was put back, for workers there: ours stays here, and locked, until it is over
tap/7.3.tap           a sample of what worker 7 sends by link 3
record/R/3.7.segment  what it has sent by that, for the recording in the folder R
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import PeerError, PenstockError
from penstock.message import letter
from penstock.runtime import control, hostwire
from penstock.runtime.hosts.haul import Giving, Taking, checked

if TYPE_CHECKING:
    from penstock.runtime.hosts.stay import Stay
    from penstock.runtime.supervisor.supervisor import Supervisor

FEW = 64
"""Letters that one host has out at a time: each is an open file."""

WORDS = (hostwire.Have, hostwire.Give, hostwire.Load, hostwire.Got)
LAST = 60.0
"""Seconds for what is still on its way when a host may go."""

Fetched = Callable[[bool], None]
"""Told whether a file is here."""
Then = Callable[[], None]


class Baggage:
    """Of one stay, from when workers can be started there."""

    def __init__(
        self, supervisor: Supervisor, stay: Stay, offer: hostwire.Offer, *, lent: set[str], then: Then
    ) -> None:
        """``lent``: what is out, at whatever host. ``then``: told whenever something was done."""
        self._supervisor = supervisor
        self._stay = stay
        self._there = offer.state_dir
        self._dead = Path(supervisor.state_dir.path, "dead")
        self._lent = lent
        self._then = then
        self._mine: set[str] = set()
        self._giving = Giving(stay.say)
        self._taking = Taking(stay.say, place=self._place, done=self._arrived)
        self._asked: dict[str, tuple[str, Fetched]] = {}
        """Parts of recordings, with their place here."""

    def take(self, said: Any) -> None:
        """What the agent says of files.

        Raises:
            PeerError: that cannot be.
        """
        match said:
            case hostwire.Have(path):
                if not path.startswith(("dead/", "tap/")) or not path.endswith((letter.SUFFIX, ".tap")):
                    raise PeerError(f"nobody wants {path[:80]!r}")
                self._taking.fetch(path)
            case hostwire.Give():
                if self._giving.give(said):
                    self._ring(said.path)
            case hostwire.Load():
                self._taking.take(said)
            case hostwire.Got(path):
                self._is_over(checked(path))
        self._then()

    @property
    def comes(self) -> bool:
        """Whether something is on its way to us."""
        return self._taking.busy

    def close(self) -> None:
        """The stay is over: what was lent may be lent to others."""
        self._lent -= self._mine
        self._giving.close()
        self._taking.close()

    # What comes -------------------------------------------------------------------------------------------

    def fetch(self, there: str, here: str, then: Fetched) -> None:
        """Bring a part of a recording. ``there``: its path below the state directory of that host."""
        self._asked[there] = here, then
        self._taking.fetch(there)

    def recording(self, path: str) -> str:
        """The folder there in which workers write what is recorded in the folder ``path`` here."""
        return os.path.join(self._there, self.folder(path))

    @staticmethod
    def folder(path: str) -> str:
        """What that recording is called on other hosts."""
        import hashlib  # few runs are recorded

        return f"record/{hashlib.sha256(path.encode()).hexdigest()[:16]}"

    def _place(self, path: str) -> str:
        kind, _, name = path.partition("/")
        if kind == "dead":
            return str(self._dead / name.replace(letter.SUFFIX, ".draft"))
        if kind == "tap":
            return os.path.join(self._supervisor.run_dir.path, f"{name}.draft")
        return self._asked[path][0] if path in self._asked else ""

    def _arrived(self, path: str, place: str) -> None:
        kind, _, name = path.partition("/")
        if kind == "record":
            self._asked.pop(path)[1](bool(place))
        elif place and kind == "dead":
            os.replace(place, self._dead / name)
        elif place:
            self._show(place, name)
        if place or kind == "tap":
            self._stay.say(hostwire.Got(path))

    def _show(self, place: str, name: str) -> None:
        """Lay a sample where whoever looks takes it; not if one lies there still, or nobody looks now."""
        link = name.split(".")[1]
        if link.isdecimal() and int(link) in self._supervisor.taps.rates:
            with suppress(FileExistsError):
                os.link(place, place.removesuffix(".draft"))
        os.unlink(place)

    # What goes --------------------------------------------------------------------------------------------

    def lend(self) -> None:
        """Offer the letters that were put back to links that only workers of this host feed, or of others."""
        if not self._dead.is_dir():
            return
        mine = self._links()
        for path in letter.list_requeued(self._dead):
            if len(self._mine) >= FEW:
                break
            if self._lendable(path, mine) and (fd := letter.claim(path)) is not None:
                name = f"dead/{path.name}"
                self._lent.add(name)
                self._mine.add(name)
                self._giving.add(name, fd)
                self._stay.say(hostwire.Have(name))

    def _lendable(self, path: Path, links: dict[str, str]) -> bool:
        """Not one that is out: to read it again would free its lock (see ``letter.claim``)."""
        if f"dead/{path.name}" in self._lent or not any(
            letter.is_for(path, target) for target in links.values()
        ):
            return False
        try:
            found = letter.read(path)
        except (PenstockError, OSError):
            return False  # it is over, or no letter
        return found.pipeline == self._supervisor.plan.pipeline and found.link in links

    def _links(self) -> dict[str, str]:
        """The links that workers of this host feed and nobody on the first one, with whom they lead to."""
        crew = self._supervisor.crew.values()
        here = {member.stage for member in crew if not member.child.host}
        mine = {member.stage for member in crew if member.child.host == self._stay.name} - here
        return {link.label: link.target for link in self._supervisor.plan.links if link.source in mine}

    def _ring(self, path: str) -> None:
        """It is there by the time that the workers there hear this."""
        for number in self._stay.workers:
            member = self._supervisor.crew.get(number)
            if member is not None and self._supervisor.account.out_ids(member.stage):
                member.line.send(control.Requeue())

    def _is_over(self, path: str) -> None:
        if path not in self._mine:
            raise PeerError(f"{path} was never lent")
        with suppress(FileNotFoundError):  # discarded meanwhile
            os.unlink(self._dead / path.partition("/")[2])  # before the lock goes
        self._giving.drop(path)
        self._mine.discard(path)
        self._lent.discard(path)
        self.lend()


async def here(stays: Iterable[Stay], changed: asyncio.Event) -> None:
    """Return when nothing is on its way from them any more. ``changed``: set whenever something was done."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST):
            while any(each.baggage is not None and each.baggage.comes for each in stays):
                changed.clear()
                await changed.wait()
