"""``--json``: one document per answer, whose ``schema`` says what it holds.

A document may gain fields within a version; it never loses or changes one.
"""

from __future__ import annotations

import math
from typing import Any


def document(name: str, /, **fields: Any) -> str:
    """A JSON document of schema ``penstock.<name>/1``."""
    return plain({"schema": f"penstock.{name}/1", **fields}, indent=2)


def plain(value: Any, *, indent: int | None = None) -> str:
    """``value`` as JSON (RFC 8259), which has no word for a number that is not finite: that is null."""
    import json

    try:
        return json.dumps(value, indent=indent, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:  # there is one: only then is it worth to look
        return json.dumps(_finite(value), indent=indent, ensure_ascii=False, default=str)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return value
