"""Connections of calls within a host: a unix socket for each pair of a caller and a replica.

A message is a packet, which the kernel keeps whole (SOCK_SEQPACKET). Most are a word and nothing else:

    +-------------------------+        +------+-------------------------------+
    | word                    |        | 0xc1 | msgpack: call, sizes, word    |   + a descriptor
    +-------------------------+        +------+-------------------------------+

The second is for what is large. Its parts lie in a crate (see ``crate``), with the word as the first of them
where that is large itself, and empty here. A caller's crate comes with its call; the answer to that call is
always of the second kind, and says that the crate is the caller's again. An answer to a call that came
without one brings its own, which is the caller's from then on. (0xc1 is the byte that msgpack never uses.)

That the other side has died is the end of the file, which comes in the order of messages like all else.
"""

from __future__ import annotations

import abc
import contextlib
import errno
import os
import socket
import struct
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Sequence, Tuple

import msgspec

from penstock.errors import PeerError
from penstock.link import crate
from penstock.link.crate import Crate
from penstock.link.ear import Ear

LARGEST = 32 * 1024
"""Bytes of a word in a packet. (Above, a crate costs less than the copies of a socket.)"""
MOST_UNSENT = 100_000
"""Messages for a peer who takes none. Callers hold fewer calls than that, so he is none of ours."""
KNOWN = 4
"""Crates of one caller that a replica keeps mapped."""
BACKLOG = 1024
"""Callers that may come while user code keeps a replica from looking."""
PATIENCE = struct.pack("ll", 1, 0)
"""Seconds, as the kernel reads them, to wait for room among those."""

_HEAD = b"\xc1"
_TAG = 0xC1
_FLAGS = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
_TAKE = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
_PACKET = 2 * LARGEST
_SPACE = socket.CMSG_SPACE(struct.calcsize("i"))

_pack = msgspec.msgpack.Encoder().encode


class Freight(msgspec.Struct, array_like=True, frozen=True):
    """What stands in a packet whose large parts are in a crate."""

    call: int
    """Whose crate it is."""
    sizes: List[int]
    word: bytes
    """Empty: it is the first part."""


_freight = msgspec.msgpack.Decoder(Freight).decode


def freight(packet: bytes) -> Freight:
    """What stands in that packet, behind its first byte.

    Raises:
        PeerError: nothing of this protocol.
    """
    try:
        return _freight(memoryview(packet)[1:])
    except msgspec.MsgspecError as error:
        raise PeerError(f"not a head of freight: {error}") from None


class Near(abc.ABC):
    """What both ends share."""

    def __init__(self, line: socket.socket, ear: Ear) -> None:
        self.heard: Callable[[bytes, Sequence[Any]], None]
        self.gone: Callable[[Optional[PeerError]], None]
        self._line = line
        self._ear = ear
        self._send = line.send
        self._receive = line.recvmsg
        self._unsent: Deque[Tuple[bytes, Optional[Crate]]] = deque()
        self._crates: Dict[int, Crate] = {}
        """By the calls with which they went, or came."""
        self._fault: Optional[PeerError] = None
        """Why it is at its end, when we have ended it."""
        self.is_open = True
        ear.listen(line.fileno(), self.take)

    # What goes out ---------------------------------------------------------------------------------------

    def _put(self, packet: bytes, crate: Optional[Crate] = None) -> bool:
        """Send it, now or when there is room. Whether the other side is there."""
        if self._unsent or not self.is_open:
            return self.is_open and self._keep(packet, crate)
        try:
            self._write(packet, crate)
        except BlockingIOError:
            self._ear.want_room(self._line.fileno(), want=True)
            return self._keep(packet, crate)
        except ConnectionError:
            return False
        return True

    def _write(self, packet: bytes, crate: Optional[Crate]) -> None:
        if crate is None:
            self._send(packet, _FLAGS)
        else:
            descriptor = struct.pack("i", crate.fd)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptor)]
            self._line.sendmsg([packet], rights, _FLAGS)

    def _keep(self, packet: bytes, crate: Optional[Crate]) -> bool:
        if len(self._unsent) >= MOST_UNSENT:
            self._fault = PeerError("it takes no answers")
            self._unsent.clear()
            self._line.shutdown(socket.SHUT_RDWR)  # of which ``take`` hears: somebody is amid an answer here
            return False
        self._unsent.append((packet, crate))
        return True

    def _flush(self) -> None:
        """There may be room for what waits."""
        with contextlib.suppress(BlockingIOError, ConnectionError):  # of the end we hear when we read
            while self._unsent:
                self._write(*self._unsent[0])
                self._unsent.popleft()
            self._ear.want_room(self._line.fileno(), want=False)

    # What comes in ---------------------------------------------------------------------------------------

    def take(self) -> bool:
        """Take one message, if one is there."""
        if not self.is_open:
            return False
        if self._unsent:
            self._flush()
        try:
            packet, rights, flags, _ = self._receive(_PACKET, _SPACE, _TAKE)
        except BlockingIOError:
            return False
        except ConnectionError:  # he has not taken all of ours; what he had said comes next, and then his end
            return True
        if not packet:
            self.end(self._fault)
            return False
        try:
            if flags & socket.MSG_CTRUNC and not rights:
                raise PeerError(
                    "this process has no descriptor left for the arrays that came (see ulimit -n)"
                )
            if rights or packet[0] == _TAG:
                self.heard(*self._opened(packet, _crate(rights)))
            else:
                self.heard(packet, ())
        except PeerError as error:
            self.end(error)
        return True

    def _opened(self, packet: bytes, came: Optional[Crate]) -> Tuple[Any, List[Any]]:
        if packet[0] != _TAG:
            raise PeerError("a descriptor came with a word that needs none")
        head = freight(packet)
        parts = self._parts(head, came)
        if head.word:
            return head.word, parts
        if not parts:
            raise PeerError("freight without a word")
        return memoryview(parts[0]), parts[1:]

    @abc.abstractmethod
    def _parts(self, head: Freight, came: Optional[Crate]) -> List[Any]:
        """Those of freight that has come, with a crate or without."""

    def end(self, error: Optional[PeerError]) -> None:
        """He is gone, or to blame."""
        if self.is_open:
            try:
                self.gone(error)
            finally:
                self.close()

    def close(self) -> None:
        """Hang up. What was said before arrives. Twice is fine."""
        if self.is_open:
            self.is_open = False
            self._ear.dismiss(self._line.fileno())
            self._line.close()
            self._unsent.clear()
            self._crates.clear()


class Caller(Near):
    """The end of who calls."""

    def __init__(self, line: socket.socket, ear: Ear) -> None:
        super().__init__(line, ear)
        self._lends = False
        """Whether answers were large of late: then calls bring a crate for them, though they need none."""

    def send(self, word: bytes, frames: Sequence[Any] = (), call: int = 0) -> bool:
        """See ``callpeer.CallPeer``."""
        mine: Optional[Crate] = None
        if frames or len(word) > LARGEST:
            mine = crate.stock.take()
        elif call and self._lends:
            mine = crate.stock.idle()
        if mine is None:
            return self._put(word)
        packet = loaded(mine, call, word, frames)
        if not self._put(packet, mine):
            return False
        self._crates[call] = mine
        return True

    def _parts(self, head: Freight, came: Optional[Crate]) -> List[Any]:
        mine = self._crates.pop(head.call, None) or came
        if mine is None:
            raise PeerError("freight came without a crate")
        parts = mine.unload(head.sizes)
        self._lends = bool(parts)
        crate.stock.give(mine)
        return parts


class Replica(Near):
    """The end of a replica: of one caller."""

    def __init__(self, line: socket.socket, ear: Ear) -> None:
        super().__init__(line, ear)
        self._known: Dict[bytes, Crate] = {}
        """Crates that have come of late, by their tokens."""

    def send(self, word: bytes, frames: Sequence[Any] = (), call: int = 0) -> bool:
        """See ``callpeer.CallPeer``."""
        his = self._crates.get(call)
        if his is not None:
            packet = loaded(his, call, word, frames)
            del self._crates[call]
            return self._put(packet)
        if not frames and len(word) <= LARGEST:
            return self._put(word)
        ours = crate.made()
        return self._put(loaded(ours, call, word, frames), ours)

    def _parts(self, head: Freight, came: Optional[Crate]) -> List[Any]:
        if came is None or head.call in self._crates:
            raise PeerError("freight came without a crate, or with two")
        his = self._crates[head.call] = self._mapped(came)
        return his.unload(head.sizes)

    def _mapped(self, came: Crate) -> Crate:
        """The same crate, as it is mapped already if we have had it of late."""
        token = came.token()
        his = self._known.pop(token, came)
        self._known[token] = his  # the last
        if len(self._known) > KNOWN:
            del self._known[next(iter(self._known))]
        return his

    def close(self) -> None:
        """Hang up. What was said before arrives. Twice is fine."""
        super().close()
        self._known.clear()


def loaded(crate: Crate, call: int, word: bytes, frames: Sequence[Any]) -> bytes:
    """A packet for what is now in ``crate``.

    Raises:
        OSError: there is no room in the one or the other.
    """
    if len(word) <= LARGEST:
        head = Freight(call, crate.load(frames), word)
    else:
        head = Freight(call, crate.load([word, *frames]), b"")
    packet = _HEAD + _pack(head)
    if len(packet) > _PACKET:  # the other side would get the half of it
        raise OSError(errno.EMSGSIZE, f"{len(frames):,} large arrays are too many at once")
    return packet


def _crate(rights: Sequence[Tuple[int, int, bytes]]) -> Optional[Crate]:
    """The one that came; any other descriptor is closed."""
    size = struct.calcsize("i")
    data = b"".join(data for _, kind, data in rights if kind == socket.SCM_RIGHTS)
    crates = [Crate(fd) for (fd,) in struct.iter_unpack("i", data[: len(data) // size * size])]
    return crates[0] if crates else None


def connect(path: str, ear: Ear) -> Caller:
    """To the replica that listens there.

    Raises:
        OSError: nobody does, or it has let nobody in for a second.
    """
    line = _socket()
    try:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, PATIENCE)
        line.connect(path)
    except OSError:
        line.close()
        raise
    return Caller(line, ear)


class Listener:
    """Where callers come to."""

    def __init__(self, path: str, ear: Ear, greet: Callable[[Replica], object]) -> None:
        """``greet`` is called with each.

        Raises:
            OSError: nobody can listen there.
        """
        self.address = f"unix://{path}"
        self._path = path
        self._ear = ear
        self._greet = greet
        self._line = _socket()
        self._line.bind(path)
        self._line.listen(BACKLOG)
        self._line.setblocking(False)
        self._spare = os.dup(self._line.fileno())
        ear.listen(self._line.fileno(), self._let_in)

    def _let_in(self) -> None:
        try:
            line, _ = self._line.accept()
        except BlockingIOError:
            return
        except OSError as error:
            self._turn_away(PeerError(f"nobody more can be let in: {error}"))
            return
        line.setblocking(True)  # what must not wait says so each time
        self._greet(Replica(line, self._ear))

    def _turn_away(self, why: PeerError) -> None:
        """There are no descriptors, but one that is kept to say so: who is not let in would wait for ever."""
        os.close(self._spare)
        try:
            peer = Replica(self._line.accept()[0], self._ear)
            self._greet(peer)
            peer.end(why)
        except OSError:
            pass  # he has gone
        finally:
            self._spare = os.dup(self._line.fileno())

    def lose(self, caller: int) -> None:
        """That caller has ended: the kernel tells that in its place."""

    def close(self) -> None:
        """Let nobody in any more."""
        self._ear.dismiss(self._line.fileno())
        self._line.close()
        os.close(self._spare)
        os.unlink(self._path)


def _socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
