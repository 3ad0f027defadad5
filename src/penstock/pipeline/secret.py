"""A value that is written down nowhere near the code: which variable or which file holds it."""

from __future__ import annotations

from typing import Any, List, Mapping

import msgspec

from penstock.errors import UserError


class Secret(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a value is found when the pipeline starts. A plan holds this, and never the value."""

    env: str = ""
    """Name of an environment variable."""
    file: str = ""
    """Path of a file; a line's end behind the value does not belong to it."""
    where: str = ""
    """``file:line`` that refers to it."""

    def reveal(self, environ: Mapping[str, str]) -> str:
        """The value.

        Raises:
            UserError: there is no such variable, or the file cannot be read.
        """
        if self.env:
            if self.env in environ:
                return environ[self.env]
            raise UserError(f"{self.where}: the variable {self.env} is not set; set it before the start")
        try:
            with open(self.file, encoding="utf-8") as file:
                return file.read().rstrip("\r\n")
        except OSError as error:
            raise UserError(f"{self.where}: {self.file} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UserError(f"{self.where}: {self.file} is not text in UTF-8") from None


def revealed(value: Any, environ: Mapping[str, str]) -> Any:
    """``value`` with each ``Secret`` in it replaced by what it stands for.

    Raises:
        UserError: some cannot be had; names all of them, a line each.
    """
    missing: List[str] = []
    found = _revealed(value, environ, missing)
    if missing:
        raise UserError("\n".join(missing))
    return found


def _revealed(value: Any, environ: Mapping[str, str], missing: List[str]) -> Any:
    if isinstance(value, Secret):
        try:
            return value.reveal(environ)
        except UserError as error:
            missing.append(str(error))
            return None
    if isinstance(value, dict):
        return {key: _revealed(each, environ, missing) for key, each in value.items()}
    if isinstance(value, list):
        return [_revealed(each, environ, missing) for each in value]
    return value
