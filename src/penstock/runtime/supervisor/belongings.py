"""Runs in the supervisor: what of a run's files is asked for from another machine: logs, letters, samples.

An answer is one message, so what is long is read piece by piece: whoever asks says how far it has come.
"""

from __future__ import annotations

import asyncio
import base64
import glob
import os
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from penstock.errors import PenstockError, UserError
from penstock.message import letter
from penstock.runtime.supervisor import strays
from penstock.runtime.supervisor.view import Document
from penstock.tasks.home import beside
from penstock.tasks.letters import opened

if TYPE_CHECKING:
    from penstock.runtime.supervisor.supervisor import Supervisor
    from penstock.tasks.letters import Letters

PIECE = 1 << 18
"""Bytes of a log in one answer."""
MOST_LETTERS = 5000
"""Dead letters in one answer, the newest."""
LARGEST = 20 * 2**20
"""Bytes of a letter or a sample in one answer."""
LOOK = 0.02
"""Seconds between two looks for a sample, while somebody waits for one."""
UNASKED = 3.0
"""Seconds after which nobody looks any more who has not asked for the next sample."""

T = TypeVar("T")


class Belongings:
    """Of one run."""

    def __init__(self, supervisor: Supervisor) -> None:
        """``verbs``: what can be asked."""
        self._supervisor = supervisor
        self._state = supervisor.state_dir.path
        self._looks: dict[str, _Look] = {}
        self.verbs: dict[str, Callable[..., Awaitable[Document]]] = {
            "logs": self._logs,
            "log": self._log,
            "dead": self._dead,
            "letter": self._letter,
            "put_back": self._put_back,
            "discard": self._discard,
            "sample": self._sample,
        }

    # Logs -------------------------------------------------------------------------------------------------

    async def _logs(self) -> Document:
        """Which there are, and how long they are."""
        return {"schema": "penstock.logfiles/1", "logs": _logs(self._state)}

    async def _log(self, name: str, at: int) -> Document:
        """Whole lines of one from byte ``at`` on; ``next``: where they end."""
        if all(name != each["name"] for each in _logs(self._state)) or at < 0:
            raise UserError(f"there is no log {name[:80]!r}")
        whole = _lines(Path(self._state, "logs", f"{name}.log"), at)
        return {
            "schema": "penstock.logpiece/1",
            "text": whole.decode(errors="replace"),
            "next": at + len(whole),
        }

    # Dead letters -----------------------------------------------------------------------------------------

    async def _dead(self) -> Document:
        """Those of this pipeline, without what is in them; the newest first."""
        return await self._with_letters(self._list)

    def _list(self, letters: Letters) -> Document:
        mine = (each for each in letters.all() if each.pipeline == self._supervisor.plan.pipeline)
        found = [each._asdict() for each in islice(mine, MOST_LETTERS)]
        returning = []
        for path in letter.list_requeued(self._folder):
            try:
                returning.append({"name": path.stem, **_about(letter.read(path))})
            except (PenstockError, OSError):
                continue  # it is over
        return {"schema": "penstock.letters/1", "letters": found, "requeued": returning}

    async def _letter(self, name: str) -> Document:
        """One, with what is in it."""
        return await self._with_letters(lambda letters: self._whole(letters, name))

    def _whole(self, letters: Letters, name: str) -> Document:
        found = letters.whole(name)
        returning = self._folder / f"{name}{letter.REQUEUED}"
        if found is None and os.sep not in name and returning.is_file():
            found = letter.read(returning)
        if found is None or found.pipeline != self._supervisor.plan.pipeline:
            raise UserError(f"there is no dead letter {name[:80]!r}")
        return {
            "schema": "penstock.letterdata/1",
            "data": _carried(msgspec.msgpack.encode(found), "dead letter"),
        }

    async def _put_back(self, names: list[str]) -> Document:
        """Have these tried once more: those that were there; ``now``: by these links they go at once."""

        def put(letters: Letters) -> dict[str, str]:
            found = self._named(letters, names)
            return {name: found[name] for name in found if letters.put_back(name, self._folder)}

        moved = await self._with_letters(put)
        links = [link for link in self._supervisor.plan.links if link.label in moved.values()]
        taken = strays.requeue(self._supervisor, [link.id for link in links])
        now = [link.label for link in links if link.id in taken]
        return {"schema": "penstock.putback/1", "moved": list(moved), "now": now}

    async def _discard(self, names: list[str]) -> Document:
        """Delete these."""

        def drop(letters: Letters) -> Document:
            for name in names:
                if os.sep not in name:
                    (self._folder / f"{name}{letter.REQUEUED}").unlink(missing_ok=True)
            return {
                "schema": "penstock.discarded/1",
                "letters": letters.discard(self._named(letters, names)),
            }

        return await self._with_letters(drop)

    def _named(self, letters: Letters, names: Sequence[str]) -> dict[str, str]:
        """Those of this pipeline, with the links they came by."""
        wanted, pipeline = set(names), self._supervisor.plan.pipeline
        return {
            each.name: each.link
            for each in letters.all()
            if each.name in wanted and each.pipeline == pipeline
        }

    @property
    def _folder(self) -> Path:
        return Path(self._state, "dead")

    async def _with_letters(self, work: Callable[[Letters], T]) -> T:
        """What ``work`` makes of the store, beside the loop: it may wait for others."""

        def run() -> T:
            with opened(beside(self._state, os.environ), [self._folder]) as letters:
                return work(letters)

        return await asyncio.to_thread(run)

    # Samples ----------------------------------------------------------------------------------------------

    async def _sample(self, who: str, links: list[int], rate: float) -> Document:
        """The next sample of these links. ``who``: the same for all questions of one who looks."""
        look = self._looks.get(who) or self._begin(who, links, rate)
        if look.timer is not None:
            look.timer.cancel()
        try:
            while (data := self._taken(look.links)) is None and not look.over():  # noqa: ASYNC110  of files
                await asyncio.sleep(LOOK)
        finally:
            look.timer = asyncio.get_running_loop().call_later(UNASKED, self._end, who)
        return {"schema": "penstock.samples/1", "data": data}

    def _begin(self, who: str, links: list[int], rate: float) -> _Look:
        taps = self._supervisor.taps
        wanted = taps.untapped(links, rate)
        for link in wanted:
            taps.show(link, rate)
        found = self._looks[who] = _Look(wanted, lambda: self._supervisor.roster.ended)
        return found

    def _end(self, who: str) -> None:
        for link in self._looks.pop(who).links:
            self._supervisor.taps.end(link)

    def _taken(self, links: Sequence[int]) -> str | None:
        for link in links:
            for name in glob.glob(f"{glob.escape(self._supervisor.run_dir.path)}/*.{link}.tap"):
                try:
                    data = Path(name).read_bytes()
                    os.unlink(name)
                except FileNotFoundError:  # its worker has ended meanwhile
                    continue
                return _carried(data, "sample")
        return None


def _logs(state: str) -> list[dict[str, Any]]:
    paths = sorted(Path(state, "logs").glob("*.*.log"))
    return [{"name": path.stem, "size": path.stat().st_size} for path in paths]


def _lines(path: Path, at: int) -> bytes:
    """As many as fit; of one that is longer than an answer, a part."""
    with path.open("rb") as file:
        file.seek(at)
        data = file.read(PIECE)
    return data[: data.rfind(b"\n") + 1] or (data if len(data) == PIECE else b"")


class _Look:
    """Somebody looks at these links."""

    def __init__(self, links: Sequence[int], over: Callable[[], bool]) -> None:
        self.links = links
        self.over = over
        self.timer: asyncio.TimerHandle | None = None


def _carried(data: bytes, what: str) -> str:
    if len(data) > LARGEST:
        raise UserError(
            f"a {what} of {len(data) >> 20} MiB is not sent to another machine; up to {LARGEST >> 20} MiB is:"
            " look at it on that of the run"
        )
    return base64.b64encode(data).decode()


def _about(found: letter.Letter) -> dict[str, Any]:
    """As ``Filed`` has it."""
    names = ("pipeline", "stage", "link", "attempts", "failures", "cause", "traceback")
    return {"item": found.id, "died": found.when, **{name: getattr(found, name) for name in names}}
