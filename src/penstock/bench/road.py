"""What is between two hosts: two network namespaces with a cable, where the command may make them, as slow
and as lossy as is asked for; else the loopback of this one.

A namespace lives as long as a process in it: here a ``cat`` that reads a pipe of ours, so whatever ends us
(kill -9 too) ends both, and the cable with them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

NEAR, FAR = "10.213.0.1", "10.213.0.2"
"""Addresses in namespaces of our own: nobody else sees them."""
TOOLS = ("unshare", "nsenter", "ip")
UNITS = {"bit": 1, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
"""Of ``tc``, by how many bits a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What the cable does to packets, in words of ``tc``: ``5ms``, ``100mbit``, ``1%``."""

    latency: str = ""
    """Each way."""
    rate: str = ""
    loss: str = ""

    @property
    def words(self) -> list[str]:
        """Of netem."""
        said = {"delay": self.latency, "rate": self.rate, "loss": self.loss}
        return [word for name, value in said.items() if value for word in (name, value)]

    @property
    def bytes_per_second(self) -> float:
        """Of the rate; 0: it is not narrowed."""
        number = self.rate.rstrip("bitkmg")
        return float(number) * UNITS[self.rate[len(number) :]] / 8 if self.rate else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """How to get to each host."""

    host: str = "127.0.0.1"
    """Where the far one listens."""
    near: tuple[str, ...] = ()
    """Words before a command that is to run there."""
    far: tuple[str, ...] = ()
    rate: float = 0.0
    """Bytes a second; 0: as fast as it goes."""


LOOPBACK = Road()
Talk = Callable[[str], None]


@contextlib.contextmanager
def made(weather: Weather, talk: Talk) -> Iterator[Road]:
    """A road of that weather, as far as this machine can have it; ``talk`` is told what it cannot."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        why = f"it needs {', '.join(missing)}" if missing else "only root may make network namespaces"
        talk(f"net  is measured over loopback, and as it is: {why}")
        yield LOOPBACK
        return
    with contextlib.ExitStack() as stack:
        try:
            near, far = stack.enter_context(_namespace()), stack.enter_context(_namespace())
            _join(near, far)
        except (OSError, subprocess.CalledProcessError) as error:
            talk(f"net  is measured over loopback, and as it is: {_reason(error)}")
            yield LOOPBACK
            return
        slow = _weather(near, far, weather, talk)
        rate = weather.bytes_per_second if slow else 0.0
        yield Road(host=FAR, near=_into(near), far=_into(far), rate=rate)


@contextlib.contextmanager
def _namespace() -> Iterator[int]:
    """A process that is alone in a network of its own."""
    command = ["unshare", "--net", "sh", "-c", "echo; exec cat"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as cat:
        assert cat.stdin is not None and cat.stdout is not None
        if not cat.stdout.readline():
            raise OSError("a network namespace could not be made")
        yield cat.pid  # leaving closes its pipe, and it ends


def _into(pid: int) -> tuple[str, ...]:
    return "nsenter", f"--net=/proc/{pid}/ns/net"


def _join(near: int, far: int) -> None:
    """A cable from one to the other."""
    _run(near, "ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", str(far))
    for pid, address in ((near, NEAR), (far, FAR)):
        _run(pid, "ip", "address", "add", f"{address}/30", "dev", "wire")
        _run(pid, "ip", "link", "set", "lo", "up")
        _run(pid, "ip", "link", "set", "wire", "up")


def _weather(near: int, far: int, weather: Weather, talk: Talk) -> bool:
    """Whether packets are slowed, as it was asked."""
    if not weather.words:
        return False
    try:
        _rule(near, far, "netem", *weather.words)
    except (OSError, subprocess.CalledProcessError) as error:
        if not weather.rate or weather.words != ["rate", weather.rate]:
            talk(f"net  leaves out {' '.join(weather.words)}: {_reason(error)}")
        if weather.rate:
            return _narrowed(near, far, weather.rate, talk)
        return False
    return True


def _narrowed(near: int, far: int, rate: str, talk: Talk) -> bool:
    """The rate alone: kernels without netem often have a token bucket."""
    try:
        _rule(near, far, "tbf", "rate", rate, "burst", "128kb", "latency", "200ms")
    except (OSError, subprocess.CalledProcessError) as error:
        talk(f"net  leaves out rate {rate}: {_reason(error)}")
        return False
    talk(f"net  has rate {rate}")
    return True


def _rule(near: int, far: int, *words: str) -> None:
    for pid in (near, far):
        _run(pid, "tc", "qdisc", "replace", "dev", "wire", "root", *words)


def _run(pid: int, *command: str) -> None:
    subprocess.run([*_into(pid), *command], check=True, capture_output=True, text=True)


def _reason(error: Exception) -> str:
    """In a few words: what a tool said last, or the kernel."""
    said = (getattr(error, "stderr", "") or "").strip().splitlines()
    return said[-1] if said else str(error)
