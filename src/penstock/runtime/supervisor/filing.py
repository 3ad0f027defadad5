"""Runs in the supervisor: dead letters, taken from where workers have put them into the store.

When a run begins, and when it ends: meanwhile whoever asks for dead letters does it. So nobody waits for the
disk while items flow, and a pipeline without dead letters makes no store.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from penstock.errors import PenstockError
from penstock.message import letter
from penstock.tasks.home import beside
from penstock.tasks.letters import opened


def file(state: str, environ: Mapping[str, str]) -> str:
    """Take them in; if that cannot be, why: then they stay where they are, for who looks next."""
    folder = Path(state, "dead")
    if not letter.list_letters(folder):
        return ""
    try:
        with opened(beside(state, environ), [folder]):
            return ""
    except PenstockError as error:
        return f"dead letters stay in {os.path.join(state, 'dead')} for now: {error}"
