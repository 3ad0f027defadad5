"""Runs in the supervisor: guests ask on ``control.sock`` for a seat, and get the line that a worker has.

    guest                                        supervisor
      | {"verb": "attach", "stage": ...}  ------->  |    a seat, or why there is none
      |                                             |    ... it is cleared ...
      | <-------  {"ok": true, ...} + descriptor    |    SCM_RIGHTS: the guest's end of a new socket pair
      | <=======  the line of a worker  =========>  |    Assignment, Bound, Ready, ... as ever

Until he is seated, to hang up is to withdraw.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

from penstock import __version__
from penstock.errors import PenstockError, UserError
from penstock.message import envelope
from penstock.runtime import control
from penstock.runtime.policy import guests
from penstock.runtime.supervisor import answer
from penstock.runtime.supervisor.answer import granted, misasked, refused
from penstock.runtime.supervisor.supervisor import Supervisor
from penstock.runtime.supervisor.view import Document
from penstock.runtime.supervisor.visit import Visit


class Reception:
    """Who comes from outside to take part."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def receive(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: Document
    ) -> None:
        """Seat whoever asks, and answer him."""
        with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as line:
            try:
                visit = await self._seat(reader, line, **question)
            except PenstockError as error:
                line.send(answer.line(refused(error)))
            except TypeError as error:
                line.send(answer.line(misasked(f"attach: {error}")))
            else:
                if visit is not None:
                    _hand_over(line, visit)

    async def _seat(
        self,
        reader: asyncio.StreamReader,
        line: socket.socket,
        *,
        stage: str,
        replica: int | None = None,
        versions: Any = None,
        penstock: str = "unknown",
    ) -> Visit | None:
        """``None``: he has hung up meanwhile.

        Raises:
            UserError: there is no seat for him, now or later.
        """
        if versions != VERSIONS:
            raise UserError(
                f"{self._supervisor.plan.pipeline} runs under Penstock {__version__}, which whoever asks with"
                f" {penstock} does not understand; use the same for both"
            )
        if why := guests.refusal(self._supervisor.roster, stage, replica):
            raise UserError(why)
        visit = Visit(line, loop=asyncio.get_running_loop())
        try:
            guest = self._supervisor.lobby.attach(visit, stage, replica)
            gone = asyncio.ensure_future(reader.read(1))
            either: set[asyncio.Future[Any]] = {visit.seated, gone}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            gone.cancel()
            if visit.seated.done():
                visit.seated.result()
                return visit
            self._supervisor.lobby.withdraw(guest)
        except BaseException:
            visit.close()
            raise
        return None


VERSIONS = [control.VERSION, envelope.VERSION]
"""What a guest must speak, too."""


def _hand_over(line: socket.socket, visit: Visit) -> None:
    seated = answer.line(granted({"schema": "penstock.attach/1"}))
    try:
        socket.send_fds(line, [seated], [visit.theirs.fileno()])
    except OSError:
        pass  # he has gone: his line ends here, and that is read as his end
    visit.theirs.close()
