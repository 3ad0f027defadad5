"""Dead letters as files that other programs read: one JSON line each, and an npz beside it for its arrays."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import EnvironmentFault, PeerError, UserError
from penstock.tasks import freight

if TYPE_CHECKING:
    from penstock.cli.casualty import Casualty
    from penstock.cli.farmorgue import FarMorgue
    from penstock.cli.morgue import Morgue

LINES = "letters.jsonl"


def ship(morgue: Morgue | FarMorgue, found: Sequence[Casualty], target: Path) -> Path:
    """Write them into the directory ``target``; the file with the lines, which is there last and whole.

    Raises:
        UserError: something is there already, or it cannot be written.
    """
    lines = target / LINES
    try:
        target.mkdir(parents=True, exist_ok=True)
        if lines.exists():
            raise UserError(f"{lines} is there already; name another directory")
        draft = lines.with_suffix(".draft")
        with draft.open("w", encoding="utf-8") as file:
            for each in found:
                content = _content(morgue, each, target)
                line = {"schema": "penstock.letter/1", **each.fields(), **content}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        draft.rename(lines)
    except OSError as error:
        raise UserError(f"nothing can be written to {target}: {error.strerror}") from None
    return lines


def _content(morgue: Morgue | FarMorgue, each: Casualty, target: Path) -> dict[str, Any]:
    """Its value; or why it is not there: a pickle is not opened only to be written elsewhere."""
    try:
        value = _value(morgue, each)
    except (PeerError, EnvironmentFault) as error:
        return {"value": None, "unread": str(error)}
    arrays: dict[str, Any] = {}
    said = plain(value, arrays)
    if not arrays:
        return {"value": said}
    import numpy as np

    np.savez(target / f"{each.name}.npz", **arrays)
    return {"value": said, "arrays": f"{each.name}.npz"}


def _value(morgue: Morgue | FarMorgue, each: Casualty) -> Any:
    """Of a job, what it was called with."""
    if each.kind == "item":
        return morgue.letter(each).value()
    *_, body = morgue.call(each)
    args, named = freight.unpacked(body)
    return {"args": args, "named": named}


def plain(value: Any, arrays: dict[str, Any]) -> Any:
    """``value`` as JSON has it. An array becomes ``{"$array": name}`` and lies in ``arrays``, bytes become
    ``{"$bytes": base64}``, and what JSON has no word for its text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        name = f"a{len(arrays)}"
        arrays[name] = value
        return {"$array": name, "dtype": str(value.dtype), "shape": list(value.shape)}
    if isinstance(value, dict):
        return {str(key): plain(part, arrays) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(part, arrays) for part in value]
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode()}
    return str(value)
