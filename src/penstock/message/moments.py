"""Datetimes and times as text, with what ISO 8601 has no word for."""

from __future__ import annotations

from typing import Any


def written(moment: Any) -> bytes:
    """A datetime or a time: as ISO 8601 has it, and with ``~`` where it is the second of two that clocks show
    alike when they are put back."""
    return (moment.isoformat() + "~" * moment.fold).encode()  # type: ignore[no-any-return]


def read(kind: Any, data: Any) -> Any:
    """The moment of class ``kind`` that ``written`` wrote."""
    text = str(data, "ascii")
    moment = kind.fromisoformat(text.rstrip("~"))
    return moment.replace(fold=1) if text[-1] == "~" else moment
