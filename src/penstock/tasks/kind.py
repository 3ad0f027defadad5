"""The names by which a kind of exception is known to who runs a job and to who says what is tried again.

The two are different processes, and what one raises the other may be unable to import: so names meet, and no
classes. A class is known by the names of its bases, too: ``retry_on=OSError`` means ConnectionError as well.
"""

from __future__ import annotations

from typing import List, Type

from penstock.pipeline import reference

BUILT_IN = "builtins"


def name(kind: Type[BaseException]) -> str:
    """What ``retry_on`` keeps of a class: ``OSError``, ``requests.exceptions.Timeout``.

    Raises:
        WiringError: no other process could know it by a name.
    """
    if kind.__module__ == "__main__":
        return str(reference.of(kind)).replace(":", ".")
    return _whole(kind)


def names(kind: Type[BaseException]) -> List[str]:
    """All by which an exception of that class is known where it is raised: its own, short and whole, and
    those of its bases."""
    found: List[str] = []
    for each in kind.__mro__:
        if each not in {object, BaseException}:
            found += dict.fromkeys((_whole(each), each.__name__))
    return found


def _whole(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == BUILT_IN else f"{kind.__module__}.{kind.__qualname__}"
