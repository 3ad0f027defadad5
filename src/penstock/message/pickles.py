"""Pickles, where a pipeline says ``allow_pickle=True``; nowhere else is one made or read."""

from __future__ import annotations

import pickle
import sys
from typing import Any

from penstock.errors import PeerError, UnsupportedType


def pickled(value: Any) -> bytes:
    """``value`` as a pickle.

    Raises:
        UnsupportedType: it cannot be one.
    """
    try:
        return pickle.dumps(value, protocol=5)
    except Exception as error:  # noqa: BLE001  whatever a __reduce__ raises
        raise UnsupportedType(f"{type(value).__qualname__} cannot be pickled: {error}") from None


def unpickled(data: Any) -> Any:
    """What a pickle makes.

    Raises:
        PeerError: it makes nothing here.
    """
    try:
        return pickle.loads(data)
    except Exception as error:  # noqa: BLE001  a class that is not here, and whatever a __setstate__ raises
        what = f"{type(error).__name__}: {error}"
        raise PeerError(f"a pickle cannot be read by {sys.executable}: {what}") from None
