"""Where a pipeline keeps what outlives it (``logs/``, ``dead/``), found while it runs and after it ended."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from penstock.errors import NotRunning

LOCAL = Path(".penstock")
"""Beside the app file; found when one stands in that directory."""


def find(given: Path | None, name: str | None) -> Path:
    """The state directory of pipeline ``name``, or of the only one there is.

    What is said wins (``--state``, then ``PENSTOCK_STATE_DIR``); then what lies here; then what runs.

    Raises:
        NotRunning: there is none, or there are several and none was named.
    """
    said = given or Path(os.environ.get("PENSTOCK_STATE_DIR", ""))
    if said != Path():
        return said
    here = _here()
    found = {each: here[each] for each in here if name in (None, each)} or _running(name)
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise NotRunning(f"there are several pipelines: {', '.join(sorted(found))}; say which with -p NAME")
    known = sorted(here | _running(None))
    hint = f"there is {', '.join(known)}" if known else "go to where its app file is, or say --state DIR"
    if name:
        raise NotRunning(f"{name} was never run from this directory and is not running; {hint}")
    raise NotRunning(f"no pipeline was run from this directory and none is running; {hint}")


def all_of(given: Path | None, name: str | None) -> dict[str, Path]:
    """As ``find``, but all pipelines that were run here where none is named; by their names, which is empty
    where only the directory is known.

    Raises:
        NotRunning: there is none, or several run elsewhere.
    """
    here = {} if given or name or os.environ.get("PENSTOCK_STATE_DIR") else _here()
    if here:
        return here
    found = find(given, name)
    return {name or (found.resolve().name if found.resolve().parent.name == LOCAL.name else ""): found}


def _here() -> dict[str, Path]:
    """Pipelines that were run from an app file in this directory."""
    if not LOCAL.is_dir():
        return {}
    return {
        path.name: path for path in LOCAL.iterdir() if (path / "logs").is_dir() or (path / "dead").is_dir()
    }


def _running(name: str | None) -> dict[str, Path]:
    """Pipelines that run on this machine, from wherever."""
    from penstock.runtime import client

    return {run.pipeline: Path(run.state_dir) for run in client.runs() if name in (None, run.pipeline)}


def last_runs() -> list[dict[str, Any]]:
    """How the last run of each pipeline in this directory ended, as it has written down itself."""
    found = []
    for _, path in sorted(_here().items()):
        try:
            found.append(json.loads((path / "run.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue  # it has not ended yet, or was killed before it could write
    return found


def runs(directory: Path) -> bool:
    """Whether a pipeline that keeps its state there is running."""
    from penstock.runtime import client

    return any(Path(run.state_dir) == directory.resolve() for run in client.runs())
