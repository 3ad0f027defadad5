"""Which line of a TOML text a key is written in: ``tomllib`` reads values and forgets places.

The text has been read by ``tomllib`` before, so it is valid; therefore this finds keys and no mistakes.
One walk over the tokens: in front of ``=`` stands a key, behind it a value, and both may be nested.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable

Key = tuple[str, ...]

_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|' r"'''.*?'{3,5}|" r'"(?:\\.|[^"\\\n])*"|' r"'[^'\n]*'", re.DOTALL
)
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_PLAIN = re.compile(r"[^\s,\]}#\"'\[{]+(?: \d[^\s,\]}#]*)?")
"""A number, a word or a date; between a date and a time may stand a space."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_DOT = re.compile(r"[ \t]*\.[ \t]*")


def lines(text: str) -> dict[Key, int]:
    """The line (from 1) of each key in ``text``; of one that is written more than once, the first.

    Keys inside arrays are not told apart: they are found under the array's own key.
    """
    return _Walk(text.replace("\r\n", "\n")).found


class _Walk:
    """One walk over a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.found: dict[Key, int] = {}
        table: Key = ()
        self._skip(_BLANK)
        while self._at < len(text):
            if text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> Key:
        """``[a.b]`` or ``[[a.b]]``."""
        start = self._at
        while self._text[self._at] in "[ \t":
            self._at += 1
        key = self._key()
        while self._at < len(self._text) and self._text[self._at] in "] \t":
            self._at += 1
        self._note(key, start)
        return key

    def _pair(self, table: Key) -> None:
        """``key = value``."""
        start = self._at
        key = (*table, *self._key())
        self._note(key, start)
        self._at = self._text.index("=", self._at) + 1
        self._skip(_BLANK)
        self._value(key)

    def _value(self, key: Key) -> None:
        opening = self._text[self._at]
        if opening == "{":
            self._at += 1
            self._inside("}", lambda: self._pair(key))
        elif opening == "[":
            self._at += 1
            self._inside("]", lambda: self._value(key))
        else:
            self._skip(_STRING if opening in "\"'" else _PLAIN)

    def _inside(self, closing: str, step: Callable[[], None]) -> None:
        """What stands between brackets, comma by comma."""
        self._skip(_BLANK)
        while self._text[self._at] != closing:
            step()
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1

    def _key(self) -> Key:
        """``a``, ``"a b"`` or ``a.b``, as its parts."""
        parts = [self._part()]
        while dot := _DOT.match(self._text, self._at):
            self._at = dot.end()
            parts.append(self._part())
        return tuple(parts)

    def _part(self) -> str:
        start = self._at
        self._skip(_STRING if self._text[start] in "\"'" else _BARE)
        part = self._text[start : self._at]
        return str(tomllib.loads(f"key = {part}")["key"]) if part[0] in "\"'" else part

    def _note(self, key: Key, at: int) -> None:
        line = self._text.count("\n", 0, at) + 1
        for length in range(1, len(key) + 1):
            self.found.setdefault(key[:length], line)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        assert match is not None, f"valid TOML that is not understood at character {self._at}"
        self._at = match.end()
