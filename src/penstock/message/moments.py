"""Datetimes and times as text, with what ISO 8601 has no word for."""

from __future__ import annotations

import datetime
import re
from typing import Any

SPLIT = re.compile(r"([+-])00:00:00\.(\d{6})~?$")
"""An offset from UTC of less than a second, which some versions of CPython (3.11) read as UTC itself."""


def written(moment: Any) -> bytes:
    """A datetime or a time: as ISO 8601 has it, and with ``~`` where it is the second of two that clocks show
    alike when they are put back."""
    return (moment.isoformat() + "~" * moment.fold).encode()  # type: ignore[no-any-return]


def read(kind: Any, data: Any) -> Any:
    """The moment of class ``kind`` that ``written`` wrote."""
    text = str(data, "ascii")
    moment = kind.fromisoformat(text.rstrip("~"))
    split = SPLIT.search(text)
    if split is not None:
        offset = datetime.timedelta(microseconds=int(split[1] + split[2]))
        moment = moment.replace(tzinfo=datetime.timezone(offset))
    return moment.replace(fold=1) if text[-1] == "~" else moment
