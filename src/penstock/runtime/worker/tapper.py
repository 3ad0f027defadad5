"""In the worker: copies now and then what goes out by a link, for somebody who looks at it from outside.

A sample is a file in the run directory, ``<number>.<link>.tap``, in the form of a dead letter. Who looks
takes it away when it is read, and until then no other is made: so a tap that nobody reads costs one file, and
what flows never waits for it.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import Callable, Dict

import msgspec

from penstock.link.ledger import Cargo
from penstock.link.link import Link
from penstock.message.letter import Letter
from penstock.runtime.control import Assignment, Tap


class Tapper:
    """Called with every cargo of one link, with the worker's lock held. Never raises."""

    def __init__(
        self,
        link: Link,
        assignment: Assignment,
        *,
        rate: float,
        whole: Callable[[Cargo], bytes],
        clock: Callable[[], float],
    ) -> None:
        """``rate``: samples a second at most. ``whole(cargo)``: its payload, arrays included."""
        self._link = link
        self._assignment = assignment
        self._pause = 1 / rate
        self._whole = whole
        self._clock = clock
        self._due = 0.0
        self._path = f"{assignment.run_dir}/{assignment.number}.{link.id}.tap"

    def __call__(self, cargo: Cargo) -> None:
        """This is about to be sent."""
        now = self._clock()
        if now < self._due or os.path.exists(self._path):
            return
        self._due = now + self._pause
        draft = self._path + ".draft"
        try:
            with open(draft, "wb") as file:
                file.write(msgspec.msgpack.encode(self._letter(cargo)))
            os.rename(draft, self._path)
        except Exception:  # no room, or it is too large to be copied: then it is not shown
            with suppress(FileNotFoundError):
                os.unlink(draft)

    def close(self) -> None:
        """Nobody looks any more."""
        with suppress(FileNotFoundError):
            os.unlink(self._path)

    def _letter(self, cargo: Cargo) -> Letter:
        run = cargo.run_at(0)
        assignment, link = self._assignment, self._link
        return Letter(
            id=f"{run.origin}:{run.first}",
            pipeline=assignment.pipeline,
            stage=link.target,
            link=f"{assignment.stage}→{link.target}",
            attempts=cargo.attempt,
            failures=cargo.failures,
            cause="",
            traceback="",
            when=time.time(),
            payload=self._whole(cargo if len(cargo) == 1 else cargo.single(0)),
        )


class Tappers:
    """Those of one worker, by link."""

    def __init__(
        self,
        assignment: Assignment,
        links: Dict[int, Link],
        *,
        whole: Callable[[Cargo], bytes],
        clock: Callable[[], float],
    ) -> None:
        """As for one ``Tapper``."""
        self._assignment = assignment
        self._links = links
        self._whole = whole
        self._clock = clock
        self._open: Dict[int, Tapper] = {}

    def wish(self, tap: Tap) -> None:
        """Show from now on what goes out by a link, or no more."""
        link, before = self._links[tap.link], self._open.pop(tap.link, None)
        link.watch("tap", None)
        if before is not None:
            before.close()
        if tap.rate > 0:
            self._open[tap.link] = Tapper(
                link, self._assignment, rate=tap.rate, whole=self._whole, clock=self._clock
            )
            link.watch("tap", self._open[tap.link])
