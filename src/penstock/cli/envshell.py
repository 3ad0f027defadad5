"""A shell or a command where a worker of an environment would run."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from penstock.cli.envproject import Project
from penstock.errors import UserError


def shell(here: Project, name: str, command: Sequence[str]) -> NoReturn:
    """Become ``command``, else the user's shell, in the environment of that name.

    Become, and not start: Ctrl-C is its own, its exit code is ours, and it keeps the environment from being
    removed until it ends.

    Raises:
        UserError: there is no such program.
    """
    found = here.build([name], offline=False, frozen=False)[name]
    words = list(command) or [here.environ.get("SHELL") or "/bin/sh"]
    for each in found.held:
        os.set_inheritable(each, True)
    sys.stdout.flush()
    sys.stderr.flush()
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and what we become would, too
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(words[0], words, found.surroundings(here.environ))  # noqa: S606  (what the user has typed)
    except OSError as error:
        raise UserError(f"{words[0]} cannot be started in {name}: {error.strerror}") from None
