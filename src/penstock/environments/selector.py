"""What a line of an environment.yml is for: ``sel(win)`` and the comment ``# [linux and not aarch64]``.

Decided from the platform's name alone, so a lock for another machine is the lock that machine would make.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from penstock.pipeline.nearest import nearest

Words = Mapping[str, bool]


def words(platform: str) -> Words:
    """What may be said in a selector, and whether it holds on ``platform``."""
    system, _, machine = platform.partition("-")
    return {
        "linux": system == "linux",
        "osx": system == "osx",
        "win": system == "win",
        "unix": system in {"linux", "osx"},
        "linux64": platform == "linux-64",
        "osx64": platform == "osx-64",
        "win64": platform == "win-64",
        "x86_64": machine == "64",
        "aarch64": platform == "linux-aarch64",
        "arm64": machine == "arm64",
        "ppc64le": machine == "ppc64le",
    }


def applies(selector: str, platform: str) -> bool:
    """Whether a line with ``selector`` is for ``platform``; one without is for all.

    Raises:
        ValueError: it cannot be understood; says why.
    """
    if not selector:
        return True
    try:
        expression = ast.parse(selector.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"the selector [{selector}] cannot be understood") from None
    return _holds(expression, words(platform), selector)


def _holds(expression: ast.expr, known: Words, selector: str) -> bool:
    match expression:
        case ast.Name(id=word) if word in known:
            return known[word]
        case ast.Name(id=word):
            raise ValueError(f"the selector [{selector}] says {word!r}{nearest(word, known)}")
        case ast.BoolOp(op=ast.And(), values=parts):
            found = [_holds(part, known, selector) for part in parts]  # all of them, to see every slip
            return all(found)
        case ast.BoolOp(values=parts):
            found = [_holds(part, known, selector) for part in parts]
            return any(found)
        case ast.UnaryOp(op=ast.Not(), operand=part):
            return not _holds(part, known, selector)
    raise ValueError(f"the selector [{selector}] may say platforms, and, or, not; nothing else")
