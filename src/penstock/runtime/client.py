"""Runs in the command line: finds the pipelines that run on this machine, or one on another, and asks them.
Imports little."""

from __future__ import annotations

import json
import os
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Optional

from penstock.errors import EnvironmentFault, NotRunning, PenstockError, PipelineFailed, TimedOut, UserError
from penstock.runtime import rundir
from penstock.settings import Settings

if TYPE_CHECKING:
    from penstock.runtime.trunk import Trunk

PATIENCE = 5.0
"""Seconds in which a run that has just been started must take calls."""
_PAUSE = 0.02
_TOLD = ("run", "pipeline", "pid", "started", "app", "state_dir")


class Run(NamedTuple):
    """A pipeline that runs."""

    run: str
    """Unique: the name of its run directory."""
    pipeline: str
    pid: int
    started: float
    """Seconds since 1970."""
    app: str
    """Its app file; empty when there is none."""
    state_dir: str
    path: str
    """Its run directory."""
    trunk: Optional[Trunk] = None
    """By which it is asked, when it runs on another machine; its paths are of that one then."""


class RunGone(NotRunning):
    """The run ended before it answered."""


_afar: list[Trunk] = []


@contextmanager
def afar(trunk: Trunk) -> Iterator[None]:
    """Meanwhile, the only run there is is that at the other end of ``trunk``."""
    _afar.append(trunk)
    try:
        yield
    finally:
        _afar.pop().close()


def is_afar() -> bool:
    """Whether a run on another machine is asked."""
    return bool(_afar)


def runs() -> list[Run]:
    """All that run here, the oldest first."""
    if _afar:
        return [_far(_afar[-1])]
    base = _base()
    try:
        names = os.listdir(base)
    except OSError:
        return []
    found = [run for name in names if (run := _read(os.path.join(base, name)))]
    return sorted(found, key=lambda run: run.started)


def find(name: str | None = None) -> Run:
    """The run of pipeline ``name`` (or with that run id), or the only one there is.

    Raises:
        NotRunning: there is none, or several and it is not clear which.
    """
    found = runs()
    here = "there" if _afar else "here"
    if name is not None:
        named = [run for run in found if name in {run.pipeline, run.run}]
        return _only(named, f"{name} is not running {here}{_instead(found)}")
    return _only(found, "no pipeline is running here; start one with `penstock run app.py`")


def call(run: Run, verb: str, /, *, within: float | None = None, **arguments: Any) -> dict[str, Any]:
    """Ask ``run`` one thing; the answer. ``within``: seconds after which none is waited for any more.

    Raises:
        NotRunning: it has ended.
        PenstockError: it refused; the message says why, and ``exit_code`` which kind of no it is.
    """
    if run.trunk is not None:
        return _call_afar(run, {"verb": verb, **arguments}, within)
    with _ask(run, {"verb": verb, **arguments}, within) as lines:
        return _answer(run, lines)


def history(run: Run, *, follow: bool) -> Iterator[dict[str, Any]]:
    """The events of a run on another machine, from its first on. ``follow``: and as they come, until it ends.

    Raises:
        NotRunning: it has ended already.
    """
    seen, found = 0, [{"event": ""}]
    while found and found[-1]["event"] != "run_ended":
        found = call(run, "sequel", seen=seen, wait=follow)["events"]
        yield from found
        seen = found[-1]["n"] + 1 if found else seen


def follow(run: Run) -> Iterator[dict[str, Any]]:
    """The events of ``run``, from its first on and as they come, until it ends.

    Raises:
        NotRunning: it has ended already.
    """
    lines = _ask(run, {"verb": "events"})
    _answer(run, lines)
    return _events(lines)


@contextmanager
def tapped(run: Run, links: list[int], rate: float) -> Iterator[None]:
    """Meanwhile, samples of these links are laid into the run directory, ``rate`` a second at most.

    Raises:
        NotRunning: it has ended.
        UserError: there is no such link, or somebody else looks at it.
    """
    with _ask(run, {"verb": "tap", "links": links, "rate": rate}) as lines:
        _answer(run, lines)
        yield


class Recorder:
    """Has a run record some of its links; made by ``record``."""

    def __init__(self, run: Run, links: list[int], path: str) -> None:
        self._run = run
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        _put(self._line, run, {"verb": "record", "links": links, "path": path}, None)
        self._lines = self._line.makefile("rb")
        _answer(run, self._lines)

    def wait(self, seconds: float | None = None) -> None:
        """Until it is over: the run has ended, or somebody else has ended it; or so long."""
        select.select([self._line], [], [], seconds)

    def stop(self) -> None:
        """End it; returns when all is closed.

        Raises:
            NotRunning: the run was killed.
        """
        with self._line, self._lines:
            try:
                self._line.sendall(b"\n")
            except OSError:
                pass  # it has hung up, and what it said before can be read
            _answer(self._run, self._lines)


class Line:
    """A question whose answer goes on, line by line, until one of the two hangs up."""

    def __init__(self, run: Run, verb: str, /, **arguments: Any) -> None:
        """Ask.

        Raises:
            NotRunning: it has ended.
            PenstockError: it refused.
        """
        self._run = run
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._data = b""
        try:
            _put(self._socket, run, {"verb": verb, **arguments}, None)
            self.answer = _result(run, self._first())
        except BaseException:
            self._socket.close()
            raise

    def _first(self) -> bytes:
        while b"\n" not in self._data and self._more():
            pass
        line, _, self._data = self._data.partition(b"\n")
        return line

    def _more(self) -> bool:
        try:
            part = self._socket.recv(1 << 16)
        except OSError:
            part = b""
        self._data += part
        return bool(part)

    def fileno(self) -> int:
        """To wait on."""
        return self._socket.fileno()

    def say(self, word: str = "") -> None:
        """Go on; with ``word``, if there is something to say."""
        self._socket.sendall(word.encode() + b"\n")

    def heard(self) -> list[dict[str, Any]] | None:
        """The lines that have come; waits for one. None: the other side has hung up."""
        if b"\n" not in self._data and not self._more():
            return None
        *whole, self._data = self._data.split(b"\n")
        return [json.loads(each) for each in whole]

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def record(run: Run, links: list[int], path: str) -> Recorder:
    """Have ``run`` record these links in the folder ``path``, until ``stop`` is called or this process ends.

    Raises:
        NotRunning: it has ended.
        UserError: it is recorded already, or nothing can be written there.
    """
    return Recorder(run, links, path)


def attach(run: Run, question: dict[str, Any]) -> int:
    """Ask for a seat, and wait until it is free; our end of the line that a worker has, as a descriptor.

    Raises:
        NotRunning: it has ended.
        UserError: there is no seat, now or later; the message says why.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        _put(line, run, {"verb": "attach", **question}, None)
        text, found = b"", []
        while not text.endswith(b"\n"):
            part, fds, _, _ = socket.recv_fds(line, 4096, 1, socket.MSG_CMSG_CLOEXEC)
            found += fds
            text += part
            if not part:
                break
    _result(run, text)
    return found[0]


def _events(lines: BinaryIO) -> Iterator[dict[str, Any]]:
    with lines:
        for text in lines:
            yield json.loads(text)


def _answer(run: Run, lines: BinaryIO) -> dict[str, Any]:
    try:
        text = lines.readline()
    except (ConnectionError, TimeoutError):  # it hung up with our question unread, or says nothing
        text = b""
    return _result(run, text)


def _result(run: Run, text: bytes) -> dict[str, Any]:
    if not text:
        raise RunGone(f"{run.pipeline} ended before it answered")
    try:
        answer: dict[str, Any] = json.loads(text)
        if answer["ok"]:
            result: dict[str, Any] = answer["result"]
            return result
        refusal = _refusal(answer)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise PenstockError(f"{run.pipeline} answers what this Penstock does not understand") from None
    raise refusal


def _far(trunk: Trunk) -> Run:
    nobody = Run("", trunk.endpoint, 0, 0.0, "", "", "", trunk)
    told = call(nobody, "ps")
    return nobody._replace(run=told["run"], pipeline=told["pipeline"], pid=told["pid"])


def _call_afar(run: Run, question: dict[str, Any], within: float | None) -> dict[str, Any]:
    from penstock.runtime.trunk import Silence

    assert run.trunk is not None
    try:
        return _result(run, run.trunk.ask(json.dumps(question).encode(), within))
    except Silence as error:
        raise RunGone(str(error)) from None


def _base() -> str:
    return rundir.base_dir(Settings.read(os.environ).run_dir)


def _read(path: str) -> Run | None:
    try:
        with open(os.path.join(path, "run.json"), encoding="utf-8") as file:
            told = json.load(file)
        found = Run(path=path, **{name: told[name] for name in _TOLD})
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if rundir.is_alive(path) else None


def _only(found: list[Run], none: str) -> Run:
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotRunning(none)
    listed = ", ".join(run.run for run in found)
    raise NotRunning(f"{len(found)} pipelines are running here: {listed}; say which with -p NAME")


def _instead(found: list[Run]) -> str:
    names = ", ".join(sorted({run.pipeline for run in found}))
    return f"; what runs is {names}" if names else ""


def _ask(run: Run, question: dict[str, Any], within: float | None = None) -> BinaryIO:
    """Put a question; the lines that come back."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        _put(line, run, question, within)
        return line.makefile("rb")  # keeps the connection when `line` is closed


def _put(line: socket.socket, run: Run, question: dict[str, Any], within: float | None) -> None:
    if run.trunk is not None:
        raise UserError(f"{question['verb']} is asked on the machine of the run, where its files are")
    try:
        _connect(line, run)
        line.settimeout(within)
        line.sendall(json.dumps(question).encode() + b"\n")
    except OSError as error:
        raise RunGone(f"{run.pipeline} does not answer: {error.strerror or error}") from None


def _connect(line: socket.socket, run: Run) -> None:
    """A run that has just been started may not take calls yet; one that is held will."""
    path = os.path.join(run.path, rundir.CONTROL)
    until = time.monotonic() + PATIENCE
    while True:
        try:
            line.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):  # noqa: PERF203  it is tried a few times
            if time.monotonic() > until or not rundir.is_alive(run.path):
                raise
            time.sleep(_PAUSE)
        else:
            return


def _refusal(answer: dict[str, Any]) -> PenstockError:
    kinds = (UserError, EnvironmentFault, TimedOut, NotRunning, PipelineFailed)
    kind = next((kind for kind in kinds if kind.exit_code == answer["code"]), PenstockError)
    return kind(answer["error"])
