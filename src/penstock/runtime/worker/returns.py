"""In the worker: dead letters that were put back, as items of its links once more.

A letter that is put back is a file ``*.requeued`` (see ``message.letter``). Each worker of the stage that had
sent it may take it; whoever has the lock on the file has. The kernel frees that lock whatever ends the
worker, and the file lies there until its item is settled, or is a letter again: so there is nothing that
kill -9 could lose, and nobody has to be told who had what.
"""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import Any, Callable, Deque, Dict, Optional, Tuple

from penstock.errors import PenstockError
from penstock.link.ledger import Cargo, Run
from penstock.link.link import Link
from penstock.message import letter
from penstock.message.letter import Letter
from penstock.observe import page
from penstock.runtime.control import Assignment
from penstock.runtime.worker.address import addresses
from penstock.runtime.worker.exchange import Exchange

FEW = 64
"""Letters that one worker has out at a time. Each is an open file; and behind a thousand of them new items
would have to wait."""

HEAVY = 1 << 26
"""Bytes of payload after which no further one is taken: they are in memory until they are settled."""

HEAD = 1
"""Bytes of a body before its one value."""


class Returned:
    """One that is out: the parent of its item, as far as its link is concerned."""

    __slots__ = ("fd", "link", "nbytes", "path")

    def __init__(self, path: Path, fd: int, link: Link, nbytes: int) -> None:
        self.path = path
        self.fd = fd
        self.link = link
        self.nbytes = nbytes


class Returns:
    """Those of one worker. Called with the worker's lock held."""

    def __init__(
        self, assignment: Assignment, links: Dict[int, Link], *, exchange: Exchange, words: Any
    ) -> None:
        """``links``: by id."""
        named = addresses(assignment)
        self._targets = {link.target for link in links.values()}
        self._links = {named[id].link: (link, named[id].key) for id, link in links.items()}
        self._assignment = assignment
        self._folder = Path(assignment.state_dir, "dead")
        self._exchange = exchange
        self._others: Optional[Callable[[Any, int], None]] = None
        self._words = words
        self._notice = exchange.notice
        self._out: Dict[Path, Returned] = {}
        self._next: Deque[Path] = deque()

    def begin(self) -> None:
        """Take what is ours of those that were put back before this worker was there. (Also if it drains:
        what feeds it may have been through before it was ready.)"""
        if self._links:
            self._next = deque(filter(self._may_be_ours, letter.list_requeued(self._folder)))
            self._take_some()

    def look(self, _: object) -> None:
        """Some were put back just now. Who begins nothing new any more leaves them to others."""
        if not self._exchange.draining and self._words[page.STATE] == page.READY:
            self.begin()

    def _take_some(self) -> None:
        while self._next and len(self._out) < FEW and self._nbytes < HEAVY:
            path = self._next.popleft()
            try:
                self._take(path)
            except FileNotFoundError:
                pass  # it is over, or was discarded
            except (PenstockError, OSError) as error:
                self._notice("warning", f"{path.name} cannot be put back: {error}")

    def _may_be_ours(self, path: Path) -> bool:
        return path not in self._out and any(letter.is_for(path, stage) for stage in self._targets)

    @property
    def _nbytes(self) -> int:
        return sum(each.nbytes for each in self._out.values())

    def _take(self, path: Path) -> None:
        """Send it, if it is one of ours, and nobody else has it. (Only then it is locked: one that is locked
        for a look would be passed over by those whose it is.)"""
        found = letter.read(path)
        link, key = self._links.get(found.link, (None, ""))
        if link is None or found.pipeline != self._assignment.pipeline:
            return
        fd = letter.claim(path)
        if fd is None:
            return
        if key and key != found.key:
            letter.keep(path)
            os.close(fd)
            was = f"key={found.key}" if found.key else "no key="
            self._notice(
                "warning", f"{found.id} stays a dead letter: {link.target} had {was} then, now {key}"
            )
            return
        self._send(found, link, Returned(path, fd, link, len(found.payload)))

    def _send(self, found: Letter, link: Link, returned: Returned) -> None:
        self._out[returned.path] = returned
        if self._others is None:
            sender = self._exchange.sender
            self._others, sender.on_settled = sender.on_settled, self.settled
        link.requeue(_cargo(returned, self._id(found), found.payload), found.shard, self._exchange.clock())
        self._words[link.word + page.REQUEUED] += 1
        self._words[link.word + page.RETURNING] += 1

    def _id(self, found: Letter) -> Tuple[str, int]:
        """Its id. In another run that may be the id of another item: there the name of its own goes with it,
        behind the source's (``camera/0~demo-3fa94c:17``), so that all made from it are others, too."""
        origin, _, number = found.id.rpartition(":")
        root, colon, rest = origin.partition(":")
        if found.run != self._assignment.run and "~" not in root:
            root += f"~{found.run}"
        return root + colon + rest, int(number)

    def settled(self, parent: Any, count: int) -> None:
        """``count`` items made from ``parent`` are over. Told to those whose it is, if it is not ours."""
        if type(parent) is not Returned:
            assert self._others is not None
            self._others(parent, count)
            return
        self._words[parent.link.word + page.RETURNING] -= 1
        del self._out[parent.path]
        try:
            os.unlink(parent.path)  # before the lock goes: whoever gets that sees that it is no more
        except FileNotFoundError:
            pass  # discarded meanwhile
        except OSError as error:
            self._notice("warning", f"{parent.path.name} is done and comes again: {error.strerror}")
        os.close(parent.fd)
        self._take_some()


def _cargo(returned: Returned, id: Tuple[str, int], body: bytes) -> Cargo:
    payload = body[HEAD:]
    return Cargo([payload], [Run(returned, *id, 1)], nbytes=len(payload))
