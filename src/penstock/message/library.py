"""The libraries whose values travel: imported when the first such value arrives, and never before."""

from __future__ import annotations

import functools
import importlib
import sys
from typing import Any

from penstock.errors import EnvironmentFault

PACKAGES = {"PIL": "pillow", "cv2": "opencv-python-headless"}
"""Where what is installed is not called what is imported."""


@functools.lru_cache(maxsize=32)
def imported(module: str, what: str) -> Any:
    """The module of that name, which ``what``, a value that arrived, is to be built with.

    Raises:
        EnvironmentFault: it cannot be imported here, and will not be the next time either.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:  # noqa: BLE001  a library built for another NumPy raises what it likes
        root = module.partition(".")[0]
        package = PACKAGES.get(root, root)
        absent = isinstance(error, ModuleNotFoundError) and error.name in (root, module)
        why = "is not installed there" if absent else f"cannot be imported there ({error})"
        raise EnvironmentFault(
            f"{what} arrived and {package} {why}; install {package} for {sys.executable}"
        ) from None


def needed(module: str, what: str) -> Any:
    """The module of that name, without which ``what``, a part of Penstock that was asked for, does not work.

    Raises:
        EnvironmentFault: it cannot be imported here; says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        root = module.partition(".")[0]
        package = PACKAGES.get(root, root)
        raise EnvironmentFault(
            f"{what} needs {package}, which {sys.executable} cannot import ({error});"
            f" install it: {sys.executable} -m pip install {package}"
        ) from None
