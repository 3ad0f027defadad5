"""Connections of calls between hosts: tcp and CURVE, and a session that outlives its connections (``far``).

A cut takes nothing away and ends nothing: what was said is said again when the line is back. So nobody sees
from here that the other side is gone for good. Of replicas the directory tells it, as ever; of callers the
supervisor tells the replicas (``Listener.lose``), since it knows whose line to it has ended.

A message is its word, and each array a frame of its own. Arrays are copied once: they may have to be sent
again when those whose they are have changed them.
"""

from __future__ import annotations

import os
import struct
from typing import Any, Callable, Dict, Optional, Sequence

from penstock.errors import PeerError
from penstock.link import tcp
from penstock.link.ear import Ear
from penstock.link.far import FarDealer, FarRouter
from penstock.link.sockets import MAX_MESSAGE, Context
from penstock.link.tcp import Curve, Gate

LOT = 64
"""Messages after which others have their turn."""
_NAME = struct.Struct(">QQ")

_contexts: Dict[int, Context] = {}
"""By process: a fork has one of its own."""


def _context() -> Context:
    """That of all connections of this process."""
    if os.getpid() not in _contexts:
        _contexts[os.getpid()] = Context()
    return _contexts[os.getpid()]


class Bell:
    """Has ``look`` called as long as there is something to take.

    ZeroMQ's files tell that something *may* have changed, and forget it when the socket is next used. So
    whoever has used it looks, and rings if something has come: on a file of our own.
    """

    def __init__(self, ear: Ear, files: Sequence[int], look: Callable[[], None]) -> None:
        self._ear = ear
        self._look = look
        self._heard, self._ringing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._files = [*files, self._heard]
        self._rung = self._closed = False
        for file in self._files:
            ear.listen(file, self._answer)
        self.ring()  # what came before we listened

    def ring(self) -> None:
        """Look as soon as everybody has had their turn."""
        if not self._rung and not self._closed:
            self._rung = True
            os.write(self._ringing, b"!")

    def _answer(self) -> None:
        if self._rung:
            self._rung = False
            os.read(self._heard, 1)
        self._look()

    def close(self) -> None:
        """Look no more; before the sockets are closed."""
        self._closed = True
        for file in self._files:
            self._ear.dismiss(file)
        os.close(self._heard)
        os.close(self._ringing)


class Caller:
    """The end of who calls; see ``callpeer.CallPeer``."""

    def __init__(self, line: FarDealer, ear: Ear) -> None:
        self.heard: Callable[[Any, Sequence[Any]], None]
        self.gone: Callable[[Optional[PeerError]], None]
        self._line = line
        self._is_open = True
        self._bell = Bell(ear, [line.descriptor(), line.watch.descriptor()], self._look)

    def send(self, word: bytes, frames: Sequence[Any] = (), call: int = 0) -> bool:
        """See ``callpeer.CallPeer``: it is there until the directory says otherwise."""
        if self._is_open:
            self._line.send(word, [bytes(each) for each in frames])
            self._look_later()
        return self._is_open

    def _look_later(self) -> None:
        if self._is_open and self._line.waits:
            self._bell.ring()

    def _look(self) -> None:
        try:
            self._line.look()
        except PeerError as error:
            self._end(error)
            return
        for _ in range(LOT):
            if not self.take():
                break
        self._look_later()

    def take(self) -> bool:
        """See ``callpeer.CallPeer``."""
        if not self._is_open or not self._line.waits:
            return False
        try:
            frames = self._line.receive()
            if frames:
                self.heard(frames[0], frames[1:])
        except PeerError as error:
            self._end(error)
        return True

    def _end(self, error: PeerError) -> None:
        try:
            self.gone(error)
        finally:
            self.close()

    def close(self) -> None:
        """See ``callpeer.CallPeer``."""
        if self._is_open:
            self._is_open = False
            self._bell.close()
            self._line.close()


class Replica:
    """The end of a replica, of one caller; see ``callpeer.CallPeer``."""

    def __init__(self, listener: Listener, name: bytes) -> None:
        self.heard: Callable[[Any, Sequence[Any]], None]
        self.gone: Callable[[Optional[PeerError]], None]
        self._listener = listener
        self._name = name

    def send(self, word: bytes, frames: Sequence[Any] = (), call: int = 0) -> bool:
        """See ``callpeer.CallPeer``."""
        return self._listener.say(self._name, word, frames)

    def take(self) -> bool:
        """See ``callpeer.CallPeer``: the listener takes what is for all."""
        return False

    def end(self, error: Optional[PeerError]) -> None:
        """He is gone, or talks nonsense."""
        try:
            self.gone(error)
        finally:
            self.close()

    def close(self) -> None:
        """See ``callpeer.CallPeer``."""
        self._listener.forget(self._name)


class Listener:
    """Where callers of other hosts come to; see ``callpeer.Listener``."""

    def __init__(
        self,
        listen: str,
        ear: Ear,
        greet: Callable[[Replica], object],
        *,
        replica: int,
        curve: Optional[Curve],
    ) -> None:
        """``listen``: where; ``replica``: our number, for which whoever comes has to ask.

        Raises:
            EnvironmentFault: that cannot be had.
        """
        router, self.address = tcp.listen(_context(), listen, curve, largest=MAX_MESSAGE)
        self._far = FarRouter(router)
        self._gate = None if curve is None else Gate(_context(), curve)
        self._greet = greet
        self._replica = replica
        self._callers: Dict[bytes, Replica] = {}
        gate = [] if self._gate is None else [self._gate.descriptor()]
        self._bell = Bell(ear, [router.descriptor(), *gate], self._look)

    def say(self, name: bytes, word: bytes, frames: Sequence[Any]) -> bool:
        """To that caller; whether we know him."""
        if name not in self._callers:
            return False
        self._far.send(name, word, [bytes(each) for each in frames])
        if self._far.socket.waits:
            self._bell.ring()
        return True

    def _look(self) -> None:
        try:
            while self._gate is not None and self._gate.serve():
                pass
            for _ in range(LOT):
                if not self._far.socket.waits:
                    return
                self._take()
        except PeerError:
            self._bell.ring()  # there may be more
            raise
        self._bell.ring()

    def _take(self) -> None:
        found = self._far.receive()
        if found is None or not found[1]:  # said twice, or somebody is back
            return
        name, (word, *frames) = found
        peer = self._callers.get(name) or self._let_in(name)
        try:
            peer.heard(word, frames)
        except PeerError as error:
            peer.end(error)

    def _let_in(self, name: bytes) -> Replica:
        if len(name) != _NAME.size or _NAME.unpack(name)[1] != self._replica:
            self._far.lose(name)
            raise PeerError("a caller of another replica")  # of one that has listened here before us
        peer = self._callers[name] = Replica(self, name)
        self._greet(peer)
        return peer

    def lose(self, caller: int) -> None:
        """The caller with that number has ended."""
        peer = self._callers.get(_NAME.pack(caller, self._replica))
        if peer is not None:
            peer.end(None)

    def forget(self, name: bytes) -> None:
        """Listen to him no more. Twice is fine."""
        if self._callers.pop(name, None) is not None:
            self._far.lose(name)

    def close(self) -> None:
        """Let nobody in any more. What was said goes out still, if that is soon."""
        self._bell.close()
        _contexts.pop(os.getpid()).close()


def connect(endpoint: str, ear: Ear, *, caller: int, replica: int, curve: Optional[Curve]) -> Caller:
    """To the replica with that number, at ``tcp://...``.

    Raises:
        PeerError: that is no address, or it is open to others and there is no key.
    """
    return Caller(FarDealer(*tcp.dial(_context(), endpoint, _NAME.pack(caller, replica), curve)), ear)
