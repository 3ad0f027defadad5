"""Jobs that are command lines: any program that is there already, without a function around it."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Sequence

from penstock.tasks import freight
from penstock.tasks.job import NewJob

SCRIPT = "!script"
"""In place of a task's name; none can be called so."""


def script(group: str, argv: Sequence[str], *, cwd: str, env: Mapping[str, str], **fields: Any) -> NewJob:
    """A job that runs ``argv`` in the directory ``cwd``, with ``env`` added to the worker's environment.

    ``fields``: more of ``NewJob``.
    """
    options: Dict[str, Any] = {"cwd": cwd, "env": dict(env)}
    return NewJob(group=group, task=SCRIPT, args=freight.packed([list(argv), options]), **fields)
