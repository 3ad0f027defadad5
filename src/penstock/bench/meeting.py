"""How the two processes of a pair find each other, by files in the folder of their trial."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from penstock.bench.ends import SIDES
from penstock.bench.meter import Meter
from penstock.bench.trial import Trial

START = b"start"
LOOK = 0.005
"""Seconds between two looks at a file that is waited for."""


def place(trial: Trial, transport: str, *, binds: bool) -> str:
    """Where the two meet: the one that binds comes first."""
    if not binds:
        return read(trial, "bound")
    return f"tcp://{trial.host}:*" if transport == "tcp" else f"ipc://{trial.path('s')}"


def introduce(trial: Trial, side: str, endpoint: str, *, binds: bool) -> Callable[[], list[int]]:
    """Tell who and where this side is; what is returned waits for the other, and gives both pids."""
    write(trial, side, str(os.getpid()))
    if binds:
        write(trial, "bound", endpoint)
    return lambda: [int(read(trial, each)) for each in SIDES]


def write(trial: Trial, name: str, text: str) -> None:
    """Leave it there: whole or not at all."""
    with open(trial.path(f"{name}.part"), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(trial.path(f"{name}.part"), trial.path(name))


def read(trial: Trial, name: str) -> str:
    """What the other side leaves there, once it has."""
    while not os.path.exists(trial.path(name)):
        time.sleep(LOOK)
    with open(trial.path(name), encoding="utf-8") as file:
        return file.read()


def greet(trial: Trial, send: Callable[[bytes], Any]) -> None:
    """Send until the far end has heard it: a publisher does not know who is there."""
    while not os.path.exists(trial.path("ready")):
        send(START)
        time.sleep(0.001)


def meet(trial: Trial, receive: Callable[[], Any]) -> Meter:
    """The other side of ``greet``; a meter of both."""
    receive()
    write(trial, "ready", "")
    return Meter([int(read(trial, side)) for side in SIDES])


def await_far(trial: Trial) -> None:
    """Keep the socket until the far end has all."""
    while not trial.over():
        time.sleep(LOOK)
