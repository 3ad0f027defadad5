"""What is in a dead letter, shortened until a person can read it."""

from __future__ import annotations

import pprint
from typing import TYPE_CHECKING, Any

from penstock.cli.figures import size
from penstock.errors import EnvironmentFault, PeerError

if TYPE_CHECKING:
    from penstock.message.letter import Letter

LINES = 20
WIDTH = 100


def preview(letter: Letter) -> str:
    """The value of a letter, or why it is not shown: a pickle is not opened only to look at it."""
    try:
        value = letter.value()
    except (PeerError, EnvironmentFault) as error:
        return f"{size(len(letter.payload))}, not shown: {error}"
    return describe(value)


def describe(value: Any) -> str:
    """An array by its shape and range, anything else as Python would write it, cut where it gets long."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return _array(value)
    lines = pprint.pformat(value, width=WIDTH, compact=True, sort_dicts=False).splitlines()
    shown = [line if len(line) <= 2 * WIDTH else line[: 2 * WIDTH] + " ..." for line in lines[:LINES]]
    if len(lines) > LINES:
        shown.append(f"... {len(lines) - LINES} more lines")
    return "\n".join([f"{type(value).__name__}:", *shown]) if len(shown) > 1 else shown[0]


def _array(array: Any) -> str:
    shape = " x ".join(map(str, array.shape)) or "one value"
    text = f"array of {array.dtype}, {shape} ({size(array.nbytes)})"
    if array.size == 0 or array.dtype.kind not in "iufb":
        return text
    return f"{text}, from {float(array.min()):g} to {float(array.max()):g}, mean {float(array.mean()):g}"
