"""The end of a sentence about a name that is not known: what was probably meant."""

from __future__ import annotations

from typing import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'clean'?``, else what there is, else nothing."""
    import difflib  # for who has made a slip

    names = sorted(set(known))
    close = difflib.get_close_matches(word, names, 1) or [
        name for name in names if name.lower() == word.lower()
    ]
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there is {', '.join(map(repr, names))}" if 0 < len(names) <= 12 else ""
