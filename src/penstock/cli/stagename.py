"""The name of a stage as somebody types it for a pipeline that runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from penstock.errors import UserError
from penstock.pipeline.nearest import nearest


def refuse_unknown(names: Iterable[str], answer: dict[str, Any]) -> None:
    """Refuse the first name that is none of a stage with a process; ``answer`` is that of ``ps``.

    Raises:
        UserError: there is no such stage, or it runs in the process of another.
    """
    known = [stage["name"] for stage in answer["stages"]]
    for name in names:
        if name not in known:
            raise UserError(
                elsewhere(name, answer) or f"{answer['pipeline']} has no stage {name!r}{nearest(name, known)}"
            )


def elsewhere(name: str, answer: dict[str, Any]) -> str:
    """In whose process ``name`` runs, as a sentence; empty: in none of these."""
    hosts = (stage["name"] for stage in answer["stages"] if name in stage["steps"])
    host = next(hosts, None)
    return (
        f"{name!r} runs in the process of {host!r}: name that, or say fuse=False of {name!r}" if host else ""
    )
