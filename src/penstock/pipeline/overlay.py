"""What a configuration says of one stage, on top of what its decorator says."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple

from penstock.pipeline.place import Place
from penstock.pipeline.secret import Secret


class Overlay(NamedTuple):
    """Knobs chosen outside the code; times in seconds, paths absolute."""

    values: Dict[str, Any]
    """Knobs as ``Options`` keeps them, checked."""
    arguments: Dict[str, Any]
    """Of a window or a join: what else is said of it, as it is said."""
    places: Dict[str, Place]
    """Where each was said."""
    secrets: Dict[str, Secret]
    """Variables of the stage's environment whose values are found at the start."""
