"""In the process of ``penstock debug``: pdb, as it is wanted around the user code of a worker."""

from __future__ import annotations

import pdb
import sys
from typing import Any, Callable, Sequence, Tuple

from penstock.errors import UserError
from penstock.runtime.worker import handler


class Prompt(pdb.Pdb):
    """Stops where ``breakpoint()`` stands or a break was set, and at exceptions."""

    def __init__(self, breaks: Sequence[Tuple[str, int]]) -> None:
        """``breaks``: file and line of each.

        Raises:
            UserError: there is no such line.
        """
        super().__init__(nosigint=True)  # Ctrl-C is for leaving
        self._breaks = bool(breaks)
        for file, line in breaks:
            wrong = self.set_break(file, line)
            if wrong:
                raise UserError(f"--break {file}:{line}: there is no such line")

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call it; traced only where there are breaks, as that takes its time."""
        if not self._breaks:
            return function(*arguments)
        self.reset()
        self.set_next(sys._getframe())  # noqa: SLF001  not before the next line *here*: so at breaks alone
        sys.settrace(self.trace_dispatch)
        try:
            return function(*arguments)
        finally:
            sys.settrace(None)

    def stop(self, *_: Any, **__: Any) -> None:
        """``breakpoint()``."""
        self.set_trace(sys._getframe(1))  # noqa: SLF001  that of who says it

    def post_mortem(self, error: BaseException) -> bool:
        """Let somebody look at what was raised; whether he has quit."""
        frames = error.__traceback__
        sys.stderr.write(handler.user_traceback(error))
        while frames is not None and handler.is_ours(frames.tb_frame.f_code.co_filename):
            frames = frames.tb_next
        if frames is None:
            return False
        self.reset()
        self.interaction(None, frames)
        return bool(self.quitting)
