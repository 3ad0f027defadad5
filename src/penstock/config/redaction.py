"""What is not shown though it is known: secrets by reference, and what by its name is likely to be one."""

from __future__ import annotations

import re
from typing import Any

from penstock.pipeline.secret import Secret

HIDDEN = "***"
TELLING = re.compile(r"passw(or)?d|passphrase|secret|token|api_?key|private_?key|credential", re.IGNORECASE)
USERINFO = re.compile(r"(\w+://[^\s/:@]*):[^\s/@]+@")
"""``amqp://app:geheim@rabbit/``: what stands between the colon and the sign."""


def redacted(value: Any, name: str = "") -> Any:
    """``value``, which is called ``name``, as it may be shown."""
    if isinstance(value, dict):
        return {key: redacted(each, str(key)) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(each, name) for each in value]
    if isinstance(value, Secret) or (isinstance(value, str) and value and TELLING.search(name)):
        return HIDDEN
    return USERINFO.sub(rf"\1:{HIDDEN}@", value) if isinstance(value, str) else value
