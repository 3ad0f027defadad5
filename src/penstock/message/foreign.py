"""Which libraries' values travel beside NumPy's, and which module knows how.

Each such module has two functions. ``words(library, value, empty)`` says a value in builtins and arrays,
which travel as ever (large arrays by shared memory), or answers None for a type that it does not know.
``value(library, words)`` builds it again. A library is imported by nobody who has not imported it already,
or got a value of it.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, Callable, Dict, Optional, Tuple

from penstock.message.library import imported

Empty = Callable[[Any, Any], Optional[Any]]
"""``Encoder.empty``: an array in shared memory to fill, or None where there is no room."""

TENSOR, ARROW, PANDAS, IMAGE = range(19, 23)
"""The numbers of their extensions on the wire."""

ROOMS: Dict[int, Tuple[str, str, str]] = {
    TENSOR: ("tensors", "torch", "a torch tensor"),
    ARROW: ("tables", "pyarrow", "an Arrow table"),
    PANDAS: ("dataframes", "pandas", "a value of pandas"),
    IMAGE: ("images", "PIL.Image", "an image"),
}
"""By number: our module, theirs, and what to call a value of it."""

_CODES = {"torch": TENSOR, "pyarrow": ARROW, "pandas": PANDAS, "PIL": IMAGE}


def words(value: Any, empty: Empty) -> Optional[Tuple[int, Any]]:
    """The extension and the words for ``value``; None when it is of no library known here.

    Raises:
        UnsupportedType: it is, but this one cannot travel.
    """
    for kind in type(value).__mro__:  # an image that was opened from a file is of a class of its own
        code = _CODES.get(str(kind.__module__).partition(".")[0])
        library = None if code is None else sys.modules.get(ROOMS[code][1])
        if code is not None and library is not None:
            said = _room(code).words(library, value, empty)
            return None if said is None else (code, said)
    return None


def built(code: int, data: Any, unpack: Callable[[Any], Any]) -> Any:
    """The value that ``words`` said so, in ``data``.

    Raises:
        EnvironmentFault: its library is missing here; told of it before of those for what lies in it.
        Exception: of any kind, where the words are not such.
    """
    _, module, what = ROOMS[code]
    library = imported(module, what)
    return _room(code).value(library, unpack(data))


def _room(code: int) -> Any:
    return importlib.import_module(f"penstock.message.{ROOMS[code][0]}")
