"""In the process of ``penstock debug``: one replica of a stage, in somebody's terminal, under a debugger.

It runs under the stage's own interpreter and variables. It is the ordinary worker, with three things around
its user code: who quits leaves, and the item in hand goes back; an exception is looked at before its item
fails; and nothing ends this process unseen.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import termios
import threading
from bdb import BdbQuit
from types import FrameType
from typing import Any, Callable, Iterator, Optional

from penstock.errors import EnvironmentFault, PenstockError, UserError
from penstock.runtime import control
from penstock.runtime.client import Run
from penstock.runtime.guest import attach, nudge
from penstock.runtime.guest.prompt import Prompt
from penstock.runtime.worker import handler, world
from penstock.runtime.worker.channel import Channel, SupervisorLost
from penstock.runtime.worker.exchange import Stopped
from penstock.runtime.worker.worker import Worker

LOST, INTERRUPTED = 3, 130


class Quit(BaseException):
    """Ctrl-C."""


class Debugged(Worker):
    """A worker whose user code somebody looks at."""

    def __init__(self, channel: Channel, assignment: control.Assignment, prompt: Prompt) -> None:
        super().__init__(channel, assignment, world.real())
        self._prompt = prompt
        self._quits = False
        self._why = "it has ended, or was killed"
        self._terminal = termios.tcgetattr(0) if os.isatty(0) else None
        self._exchange.bereft = lambda _: self.forsake()
        self._exchange.obey(control.Dismissed, self._hear_why)
        nudge.listen(self._interrupt)

    def live(self) -> int:
        """Its whole life; the exit status."""
        try:
            status = self.run()
            self.close()
        except SupervisorLost:
            self.forsake()
        except Quit:
            return INTERRUPTED  # while it was loaded: there is nothing to give back
        return status

    def forsake(self) -> None:
        """There is no pipeline any more; nothing is left to look at."""
        if self._terminal is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, self._terminal)
        sys.stderr.write(f"\npenstock: {self._assignment.pipeline} goes on without you: {self._why}\n")
        os._exit(LOST)

    def _load(self) -> None:
        try:
            super()._load()
        except Exception as error:
            self._prompt.post_mortem(error)
            raise
        code = self._handler
        if self._assignment.kind == "source":
            iterate = code.iterate
            code.iterate = lambda **start: self._each(iterate(**start))  # type: ignore[method-assign]
        else:
            code.call = self._looked_at(code.call, many=code.yields)
        label, name = self._assignment.label, self._assignment.pipeline
        sys.stderr.write(
            f"{label} of {name} is yours: breakpoint() and exceptions stop here; q or Ctrl-C gives it back\n"
        )

    def _looked_at(self, call: Callable[[Any], Any], *, many: bool) -> Callable[[Any], Any]:
        def called(value: Any) -> Any:
            made = self._step(call, value)
            return self._each(made, back=True) if many and made is not None else made

        return called

    def _each(self, made: Iterator[Any], *, back: bool = False) -> Iterator[Any]:
        """What a generator makes. ``back``: of an item, which goes back when somebody quits."""
        end = object()
        try:
            while (value := self._step(next, made, end)) is not end:
                yield value
        except handler.GoesBack:
            if back:
                raise

    def _step(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """One step into user code.

        Raises:
            GoesBack: somebody has quit.
        """
        if self._quits:
            raise handler.GoesBack
        try:
            return self._prompt.call(call, *arguments)
        except (Stopped, SupervisorLost):
            raise
        except (Quit, BdbQuit, SystemExit):
            self._quit()
        except Exception as error:
            if not self._inspect(error):
                raise
            self._quit()
        raise handler.GoesBack

    def _inspect(self, error: Exception) -> bool:
        """Whether somebody has quit who has looked at it."""
        try:
            return self._prompt.post_mortem(error)
        except Quit:
            return True

    def _quit(self) -> None:
        """Leave. The item goes back only when its sender knows that, or it would come again at once."""
        self._quits = True
        exchange = self._exchange
        self._channel.say(control.Leaving())
        exchange.guard.enter()
        try:
            while not exchange.draining:
                exchange.turn()
        finally:
            exchange.guard.leave()

    def _interrupt(self, _: int, frame: Optional[FrameType]) -> None:
        if self._exchange.guard.in_user_code and not self._quits:
            raise Quit
        self._quits = True  # it waits: another thread says so, as this one may be about to say something
        threading.Thread(target=self._channel.say, args=(control.Leaving(),), daemon=True).start()

    def _hear_why(self, message: Any) -> None:
        self._why = message.cause


def main(text: str) -> None:
    """The whole life of the process. ``text``: what is wanted, as JSON. Does not return."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s  %(message)s")
    wish = json.loads(text)
    status = INTERRUPTED
    try:
        status = _debug(Run(**wish["run"]), wish)
    except PenstockError as error:
        sys.stderr.write(f"penstock: {error}\n")
        status = error.exit_code
    except KeyboardInterrupt:
        pass
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _debug(run: Run, wish: Any) -> int:
    stage, replica = wish["stage"], wish["replica"]
    prompt = Prompt([tuple(each) for each in wish["breaks"]])
    if wish["debugpy"] is not None:
        _refuse_missing()
    sys.stderr.write(f"{stage}/{replica} finishes what it holds ...\n")
    channel = attach.ask(run, stage, replica)
    try:
        worker = Debugged(channel, channel.first(), prompt)
    except SupervisorLost:
        raise UserError(f"{run.pipeline} ended before it gave {stage}/{replica} away") from None
    if wish["debugpy"] is None:
        sys.breakpointhook = prompt.stop
    else:
        _listen(wish["debugpy"])
    return worker.live()


def _refuse_missing() -> None:
    try:
        import debugpy  # type: ignore[import-not-found]  # noqa: F401
    except ImportError:
        cure = f"{sys.executable} -m pip install debugpy"
        raise EnvironmentFault(f"--debugpy needs debugpy, which this stage's Python lacks: {cure}") from None


def _listen(port: int) -> None:
    import debugpy

    host, found = debugpy.listen(("127.0.0.1", port))
    sys.stderr.write(f"attach your debugger to {host}:{found}; Ctrl-C gives the replica back\n")
    debugpy.wait_for_client()
