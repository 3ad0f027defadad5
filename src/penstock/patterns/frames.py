"""Whole messages, as they are, from one socket to another: for who passes on and does not read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import zmq

from penstock.patterns.tuning import milliseconds
from penstock.patterns.wire import Wire

Frames = list[zmq.Frame]
_NOW, _MORE = int(zmq.NOBLOCK), int(zmq.SNDMORE)


class Ended(Exception):
    """The process ends, and with it all sockets."""


class NobodyThere(Exception):
    """The peer that the first frame names is gone."""


def take(wire: Wire) -> Frames | None:
    """The next message, uncopied, if there is one.

    Raises:
        Ended: there will be no more.
    """
    frames: Frames = []
    try:
        while not frames or frames[-1].more:
            frames.append(wire.pull(_NOW, copy=False))
    except zmq.Again:
        return None
    except zmq.ContextTerminated:
        raise Ended from None
    return frames


def give(wire: Wire, frames: Frames) -> bool:
    """Send it on; False: there is no room now.

    Raises:
        NobodyThere: it was for somebody who is gone.
        Ended: nothing can be sent any more.
    """
    last = len(frames) - 1
    try:
        for at, frame in enumerate(frames):
            wire.raw.send(frame, _NOW | (_MORE if at < last else 0), copy=False)
    except zmq.Again:
        return False
    except zmq.ZMQError as error:
        if error.errno == zmq.EHOSTUNREACH:
            raise NobodyThere from None
        if error.errno == zmq.ETERM:
            raise Ended from None
        raise
    return True


def received(wire: Wire) -> tuple[str, list[Any]] | None:
    """The next message, if there is one: its ``user``, and its frames, to be read."""
    wire.be_mine()
    try:
        first = wire.pull(_NOW, copy=False)
    except zmq.Again:
        return None
    except zmq.ZMQError as error:
        raise wire.failed(error) from None
    return user([first]), [first.bytes, *(wire.rest() if first.more else ())]


def user(frames: Frames) -> str:
    """Who has sent it, as ``client:laptop``, where that is known by a key; else empty."""
    try:
        return str(frames[0].get("User-Id"))
    except (zmq.ZMQError, UnicodeDecodeError):
        return ""


def size(frames: Frames) -> int:
    """Bytes."""
    return sum(map(len, frames))


class Watch(NamedTuple):
    """What is waited for at one socket."""

    wire: Wire
    receive: bool
    """To receive, or else to send."""


def wait(watches: Iterable[Watch], file: int | None, seconds: float | None = None) -> set[Any]:
    """Sleep until one of them can go on, or that file can be read: which of them. ``seconds`` may end it.

    Raises:
        Ended: nobody can go on any more.
    """
    wanted: list[tuple[Any, int]] = [
        (each.wire.raw, zmq.POLLIN if each.receive else zmq.POLLOUT) for each in watches
    ]
    if file is not None:
        wanted.append((file, zmq.POLLIN))
    try:
        return {ready for ready, _ in zmq.zmq_poll(wanted, milliseconds(seconds))}
    except zmq.ContextTerminated:
        raise Ended from None
