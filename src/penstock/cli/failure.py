"""What a command says when it cannot do what it was asked, and the exit code that goes with it.

One of ours (``PenstockError``) is one sentence and its ``exit_code``. Anything else is a bug in
penstock: exit code 70, and a file with all that is needed to find it.
"""

from __future__ import annotations

import platform
import sys
import tempfile
import traceback

from penstock import __version__
from penstock.cli import terminal
from penstock.cli.document import document
from penstock.errors import PenstockError

INTERNAL = 70


def explain(error: PenstockError, *, as_json: bool) -> int:
    """Say what is wrong in one sentence, after the user's own traceback if there is one."""
    details = getattr(error, "traceback", "")
    if details:
        terminal.talk(terminal.dim(details.rstrip()))
    return _say(str(error), error.exit_code, as_json=as_json)


def report(error: Exception, *, as_json: bool) -> int:
    """Keep the traceback of a bug in a file, and say where it lies."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix="penstock-report-", suffix=".txt", delete=False
    ) as file:
        file.write(_report(error))
    first = str(error).partition("\n")[0]
    summary = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return _say(
        f"a bug in penstock: {summary}\n  what happened is written down in {file.name}",
        INTERNAL,
        as_json=as_json,
    )


def _report(error: Exception) -> str:
    return (
        f"penstock {__version__}   Python {platform.python_version()}   {platform.platform()}\n"
        f"command: {' '.join(map(_shown, sys.argv))}\n\n{''.join(traceback.format_exception(error))}"
    )


def _shown(word: str) -> str:
    """A word of the command line: a broker's URL may have a password in it."""
    from penstock.rabbitmq.url import masked

    return masked(word) if "://" in word else word


def _say(sentence: str, code: int, *, as_json: bool) -> int:
    terminal.talk(f"{terminal.bad('penstock:')} {sentence}")
    if as_json:
        terminal.data(document("error", error=sentence, exit_code=code))
    return code
