"""Runs in the supervisor: one run at a time where sources keep their positions.

Of two beside each other a source that dies in one would go on from where the other's has come to, and leave
out what lies between. The kernel frees the lock however its holder ends.
"""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING

from penstock.errors import UserError
from penstock.pipeline.place import near
from penstock.pipeline.plan import Plan

if TYPE_CHECKING:
    from penstock.runtime.client import Run

LOCK = "run.lock"
LAST = 2.0
"""Seconds that a run which has said its last word may take to be gone."""
LOOK = 0.02


def take(plan: Plan, state_dir: str) -> int | None:
    """Have no other run of ``plan`` keep positions in ``state_dir`` while the answer, a descriptor, is open.
    ``None``: it has no source that could; what is played from a recording keeps none.

    Raises:
        UserError: there is such a run; says which, and the two ways out.
        OSError: no file can be made there.
    """
    if not any(stage.kind == "source" and stage.reel is None for stage in plan.stages):
        return None
    fd = os.open(os.path.join(state_dir, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    until = time.monotonic() + LAST
    while not _is_ours(fd):
        other = _other(state_dir)
        if other is not None or time.monotonic() > until:
            os.close(fd)
            who = (
                f"{other.pipeline} is running already (pid {other.pid})" if other else "a run goes on already"
            )
            raise UserError(
                f"{who} with its state in {near(state_dir)}, and two would take over each other's positions;"
                " `penstock down` ends it, PENSTOCK_STATE_DIR gives this one a place of its own"
            )
        time.sleep(LOOK)
    return fd


def _other(state_dir: str) -> Run | None:
    """Whose it is, if there is one that says so."""
    from penstock.runtime import client

    return next((run for run in client.runs() if run.state_dir == state_dir), None)


def _is_ours(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
