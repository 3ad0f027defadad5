"""A whole terminal, while a command has it: keys at once, no echo, and all as it was when given back."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import sys
import termios
import tty
from types import FrameType, TracebackType
from typing import NoReturn, Self

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
"""The other page of the terminal, without a cursor; and back."""
HOME, TO_THE_END, REST = "\x1b[H", "\x1b[K", "\x1b[J"
SEQUENCE = re.compile(r"\x1b[\[O][0-9;]*[A-Za-z~]|.", re.DOTALL)
"""One key."""
ARROWS = {"\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up", "\x1bOB": "down"}


def there() -> bool:
    """Whether somebody looks, and can press keys."""
    return sys.stdout.isatty() and sys.stdin.isatty() and os.environ.get("TERM") != "dumb"


class Screen:
    """Take it with ``with``."""

    def __enter__(self) -> Self:
        self._keys = sys.stdin.fileno()
        self._typed = ""
        self._before = termios.tcgetattr(self._keys)
        self._handler = signal.signal(signal.SIGTERM, _leave)
        tty.setcbreak(self._keys)
        sys.stdout.write(ENTER)
        sys.stdout.flush()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        termios.tcsetattr(self._keys, termios.TCSADRAIN, self._before)
        signal.signal(signal.SIGTERM, self._handler)
        sys.stdout.write(LEAVE)
        sys.stdout.flush()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines, as they are now."""
        return shutil.get_terminal_size()

    def show(self, lines: list[str]) -> None:
        """Put ``lines`` in place of what was there, without a flicker."""
        body = "\r\n".join(line + TO_THE_END for line in lines)
        sys.stdout.write(HOME + body + REST)
        sys.stdout.flush()

    def key(self, within: float) -> str:
        """The next key, ``up`` and ``down`` for arrows; empty when none was pressed ``within`` seconds."""
        if not self._typed and select.select([self._keys], [], [], within)[0]:
            self._typed = os.read(self._keys, 64).decode(errors="replace")
            if not self._typed:
                return "q"  # nothing more will come: the terminal has gone
        found = SEQUENCE.match(self._typed)
        if found is None:
            return ""
        self._typed = self._typed[found.end() :]
        return ARROWS.get(found[0], found[0])


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
