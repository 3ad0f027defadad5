"""Where user code is found: a directory, a module and a name; never a pickle of it."""

from __future__ import annotations

import msgspec


class Reference(msgspec.Struct, frozen=True):
    """Where user code is found: never a pickle of it."""

    root: str
    """Directory put first on ``sys.path``."""
    module: str
    """Import name, for example ``app`` or ``steps.clean``; never ``__main__``."""
    name: str
    """Qualified name inside the module, for example ``normalise``."""

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"
