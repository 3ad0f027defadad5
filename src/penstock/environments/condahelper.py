"""Runs in a process of its own: answers one question about conda's packages, and ends.

Its own process, because a Python that ends after one of rattler's awaits aborts now and then (its threads
give back the interpreter while that is taken down: pyo3-async-runtimes#40); because it costs memory that a
supervisor need not have; and because a fault in native code shall end nothing else. It ends by ``os._exit``,
and as soon as nobody waits for its answer: whoever asked holds its stdin open.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import BinaryIO

import msgspec

from penstock.environments import condawire as wire


class Mouth:
    """Where what is said goes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def say(self, word: wire.Word) -> None:
        """One line. Whoever does not listen any more wants nothing done any more."""
        try:
            self._file.write(msgspec.json.encode(word) + b"\n")
            self._file.flush()
        except OSError:
            os._exit(1)


def main() -> None:
    """Read one question, answer it, end."""
    # What a library prints must not come between the lines of the answer.
    mouth = Mouth(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    question = msgspec.json.decode(sys.stdin.buffer.readline(), type=wire.Request)
    threading.Thread(target=_end_with_asker, daemon=True).start()
    mouth.say(_answer(question, mouth))
    os._exit(0)


def _end_with_asker() -> None:
    """Nobody writes a second line: the end of stdin is the end of whoever would read the answer."""
    sys.stdin.buffer.read()
    os._exit(1)


def _answer(question: wire.Request, mouth: Mouth) -> wire.Answer:
    try:
        from penstock.environments import condaterms, condawork
    except ModuleNotFoundError as error:
        if error.name != "rattler":
            raise
        return wire.Failed("missing", "")
    try:
        return asyncio.run(condawork.answer(question, mouth.say))
    except condaterms.Refused as refused:
        return refused.failed
    except Exception as error:  # noqa: BLE001  (of rattler's many; what it means is found in its words)
        return wire.Failed("said", _clean(str(error) or repr(error), question))


def _clean(message: str, question: wire.Request) -> str:
    """Without the tokens of channels."""
    for each in getattr(question, "channels", ()):
        message = message.replace(each.wire, each.url)
    return message


if __name__ == "__main__":
    main()
