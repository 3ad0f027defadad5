"""Runs in the supervisor: what it answers on ``control.sock``, one line of JSON each."""

from __future__ import annotations

import asyncio
import json

from penstock.errors import PenstockError
from penstock.runtime.supervisor.view import Document

USAGE = 2


def granted(result: Document) -> Document:
    """It is done, or will be."""
    return {"ok": True, "result": result}


def refused(error: PenstockError) -> Document:
    """It cannot be done; the command that asked ends with the error's exit code."""
    return {"ok": False, "error": str(error), "code": error.exit_code}


def misasked(why: str) -> Document:
    """Nobody who uses our client asks so."""
    return {"ok": False, "error": why, "code": USAGE}


def line(answer: Document) -> bytes:
    """As it goes over the socket."""
    return json.dumps(answer, ensure_ascii=False).encode() + b"\n"


async def say(writer: asyncio.StreamWriter, answer: Document) -> None:
    """Send it; waits while whoever asked reads slowly."""
    writer.write(line(answer))
    await writer.drain()
