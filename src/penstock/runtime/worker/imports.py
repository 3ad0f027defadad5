"""In the worker: which files of the user's it has imported, for whoever watches those."""

from __future__ import annotations

import os
import sys
from typing import List, Sequence

from penstock.pipeline.reference import INSTALLED


def below(roots: Sequence[str]) -> List[str]:
    """The files of modules that lie below one of ``roots``, and are not installed there."""
    homes = tuple(os.path.join(os.path.realpath(root), "") for root in roots)
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    found = {os.path.realpath(file) for file in files if isinstance(file, str)}
    return sorted(file for file in found if file.startswith(homes) and not _is_installed(file))


def _is_installed(file: str) -> bool:
    return any(part in INSTALLED for part in file.split(os.sep))
