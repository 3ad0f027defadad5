"""``--json``: one document per answer, whose ``schema`` says what it holds.

A document may gain fields within a version; it never loses or changes one.
"""

from __future__ import annotations

from typing import Any


def document(name: str, /, **fields: Any) -> str:
    """A JSON document of schema ``penstock.<name>/1``."""
    import json

    return json.dumps({"schema": f"penstock.{name}/1", **fields}, indent=2, ensure_ascii=False, default=str)
