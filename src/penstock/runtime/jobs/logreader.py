"""Runs in the supervisor: what jobs print here, for those who look on from elsewhere; and for how long it is
kept.

Nothing is read before somebody asks. Who asks for the end of a log that grows is answered when there is more
of it, or after a while that there is not: so one who follows costs a question in a few seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from penstock.errors import PeerError, Unroutable
from penstock.rabbitmq import talk
from penstock.rabbitmq.talk import Show, Shown
from penstock.tasks.desk import Piece
from penstock.tasks.follow import read_piece
from penstock.tasks.home import Home
from penstock.tasks.job import wall
from penstock.tasks.keeping import DAY, Keeping
from penstock.tasks.retention import sweep_apart

LOOK, LOOKS = 0.2, 20
"""Seconds between two looks at a file, and how many of them one question is worth."""
PATIENT = 50
"""So many questions at a time wait for more; others are answered at once."""


class LogReader:
    """That of one courier."""

    def __init__(
        self,
        home: Home,
        *,
        goes_on: Callable[[str, int], bool],
        report: Callable[[str, str, bytes], Awaitable[None]],
    ) -> None:
        """``goes_on``: whether an attempt runs here; ``report`` tells the hub something of a group."""
        self._home = home
        self._goes_on, self._report = goes_on, report
        self._waiting = 0

    async def sweep(self, keeping: Keeping) -> None:
        """Once a day, remove those that are older than jobs are kept."""
        while True:
            await asyncio.to_thread(sweep_apart, self._home, keeping, wall())
            await asyncio.sleep(DAY / 1000)

    async def show(self, asked: Show) -> None:
        """Answer.

        Raises:
            PeerError: it cannot be answered.
        """
        self._waiting += 1
        try:
            shown = Shown(asked.question, await self._read(asked))
        except Exception as error:  # whoever has asked, and for what: the jobs that run here go on
            what = f"{asked.id}, attempt {asked.fence}, from byte {asked.begin}"
            raise PeerError(f"a log that somebody has asked for cannot be shown ({what}): {error}") from error
        finally:
            self._waiting -= 1
        with suppress(Unroutable):  # there is no hub at the moment: whoever has asked asks again
            await self._report(asked.group, talk.LOG, talk.encode(shown))

    async def _read(self, asked: Show) -> Piece | None:
        path = self._home.log(asked.id, asked.fence)
        looks = LOOKS if asked.begin >= 0 and self._waiting <= PATIENT else 1
        while True:
            # First: what is printed until it ends is there then.
            goes_on = self._goes_on(asked.id, asked.fence)
            piece = read_piece(path, asked.begin, goes_on=goes_on)
            looks -= 1
            if piece is None or piece.text or not goes_on or not looks:
                return piece
            await asyncio.sleep(LOOK)
