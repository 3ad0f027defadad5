"""One ZeroMQ socket, set up with care and used by the thread that made it.

Waiting is ZeroMQ's own, with a time-out: a look first and a poll after it would be three calls in place of
one. For asyncio there are looks that never wait, and the file that says when to look again (``turnstile``).
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import zmq

from penstock.errors import PeerGone, PenstockError, TimedOut, UserError
from penstock.message.arrays import LARGE
from penstock.message.parcel import MOST_FRAMES, Parcel
from penstock.patterns import context
from penstock.patterns.endpoint import Endpoint, judge, read
from penstock.patterns.monitor import impatience, signs_of_life, watch
from penstock.patterns.pulse import Pulse
from penstock.patterns.tuning import USUAL, Tuning, milliseconds
from penstock.security.curve import Curve, Gone

_MORE, _NOW = int(zmq.SNDMORE), int(zmq.NOBLOCK)
_RCVMORE, _EVENTS, _POLLIN, _POLLOUT = int(zmq.RCVMORE), int(zmq.EVENTS), int(zmq.POLLIN), int(zmq.POLLOUT)
_ident = threading.get_ident
NOBODY = 0
"""The owner of a socket that may not be used any more."""

_BIND_ERRORS = {
    zmq.EADDRINUSE: "it is in use; is the same program running already?",
    zmq.EADDRNOTAVAIL: "this machine has no such address",
    errno.ENODEV: "this machine has no such address",
    errno.EACCES: "that is not allowed here",
    errno.ENOENT: "there is no such folder",
    zmq.ETERM: "the process ends",
}


class Wire:
    """What all kinds share. Times are seconds; None is for ever, and ``USUAL`` what ``timeout`` says."""

    def __init__(
        self,
        name: str,
        kind: str,
        *,
        binds: bool,
        timeout: float | None,
        curve: Curve | None = None,
        tuning: Tuning,
        prompt: bool = False,
    ) -> None:
        """``name``: what errors call it. ``prompt``: whether both ends take at once whatever comes, so that
        TCP itself may give up what is not taken."""
        self.name = name
        self._kind = kind
        self._binds = binds
        self._curve = curve
        self._gone: Gone | None = None
        self._prompt = prompt
        self.timeout = timeout
        self.tuning = tuning
        self.linger = tuning.linger
        self.forgotten = False
        """Whether it has to be renewed before it is used."""
        self.endpoints: list[str] = []
        """As they are bound and connected."""
        self._why = ""
        self.owner = _ident()
        """The thread whose socket it is."""
        self._thread = threading.current_thread().name
        self.sending: float | None
        self.receiving: float | None
        self._make()

    def _make(self) -> None:
        """A new socket."""
        self.sending = self.receiving = USUAL
        socket = self.raw = context.join(self).socket(getattr(zmq, self._kind))
        # Past the wrappers, which look at options that are not used here: 0.2 of 0.8 us, 0.5 of 1 us.
        # (``push`` and ``pull`` are for the quick paths of ``plain``, which look at ``owner`` and the
        # time-outs first.)
        backend: Any = super(zmq.Socket, socket)
        self._get, self.pull, self.push = backend.get, backend.recv, backend.send
        self._set_up()
        if self._curve is not None:
            try:
                self._gone = context.gatekeeper().protect(socket, self._curve, binds=self._binds)
            except BaseException:
                self.shut()
                raise

    def _watch(self, endpoints: Sequence[Endpoint]) -> None:
        if self.tuning.watch and any(each.transport != "inproc" for each in endpoints):
            name = f"{self.name} on {', '.join(map(str, endpoints))}"
            pulse = Pulse(self.tuning.heartbeat, binds=self._binds, gone=self._gone)
            watch(self.raw.context, self.raw, name, pulse, binds=self._binds)

    def forget(self) -> None:
        """Forget all that is on its way: a request that nobody has answered in time is not to be found by
        whoever comes back, nor its late reply by the next request."""
        self._shut(0)
        self.forgotten = True

    def renew(self) -> None:
        """Connect anew, after ``forget``: not at once, as who was refused is not tried again by ZeroMQ."""
        self.forgotten = False
        self._make()
        self._watch([read(endpoint) for endpoint in self.endpoints])
        for endpoint in self.endpoints:
            self.raw.connect(endpoint)

    def _set_up(self) -> None:
        tuning = self.tuning
        options = {
            zmq.LINGER: milliseconds(tuning.linger),
            zmq.SNDHWM: tuning.hwm,
            zmq.RCVHWM: tuning.hwm,
            zmq.SNDTIMEO: milliseconds(self.timeout),
            zmq.RCVTIMEO: milliseconds(self.timeout),
            zmq.MAXMSGSIZE: tuning.max_message,
            zmq.RECONNECT_IVL: milliseconds(tuning.reconnect),
            zmq.RECONNECT_IVL_MAX: milliseconds(tuning.reconnect_most),
            zmq.HANDSHAKE_IVL: milliseconds(tuning.handshake),
            zmq.CONNECT_TIMEOUT: milliseconds(tuning.connect_timeout),
            zmq.BACKLOG: tuning.max_connections,
            **(signs_of_life(tuning.heartbeat) if tuning.heartbeat else {}),
            **(impatience(tuning.heartbeat) if tuning.heartbeat and self._prompt else {}),
            **_OF_KIND.get(self._kind, {}),
        }
        for option, value in options.items():
            self.raw.setsockopt(option, value)

    # -------------------------------------------------------------------------------- endpoints

    def open(self, endpoints: Sequence[str]) -> None:
        """Bind or connect to all of them.

        Raises:
            UserError: one is none, would be open to strangers, or cannot be bound.
        """
        found = [read(text) for text in endpoints]
        self._watch(found)
        for endpoint in found:
            allowed = self.tuning.all_interfaces
            judge(endpoint, binds=self._binds, curve=self._curve is not None, all_interfaces=allowed)
            if ":" in endpoint.place and endpoint.transport == "tcp":
                self.raw.setsockopt(zmq.IPV6, 1)
            self.endpoints.append(self._bind(endpoint) if self._binds else self._connect(endpoint))

    def _bind(self, endpoint: Endpoint) -> str:
        for _ in context.patience(str(endpoint)):
            error = self._try_to_bind(endpoint)
            if error != zmq.EADDRINUSE:
                break
        if error:
            why = _BIND_ERRORS.get(error, os.strerror(error))
            raise UserError(f"{self.name} cannot bind {endpoint}: {why}")
        if endpoint.transport == "ipc":
            os.chmod(endpoint.place, stat.S_IRUSR | stat.S_IWUSR)
        bound: Any = self.raw.getsockopt(zmq.LAST_ENDPOINT)
        return str(bound.rstrip(b"\0"), "utf-8")

    def _try_to_bind(self, endpoint: Endpoint) -> int:
        """0, or what is in the way."""
        if endpoint.transport == "ipc" and context.is_answered(endpoint.place):
            return zmq.EADDRINUSE
        try:
            self.raw.bind(str(endpoint).replace("tcp://localhost:", "tcp://127.0.0.1:"))
        except zmq.ZMQError as error:
            return error.errno or 0
        return 0

    def _connect(self, endpoint: Endpoint) -> str:
        try:
            self.raw.connect(str(endpoint))
        except zmq.ZMQError as error:
            raise UserError(f"{self.name} cannot connect to {endpoint}: {error.strerror}") from None
        return str(endpoint)

    def subscribe(self, prefix: bytes) -> None:
        """Let through what begins so."""
        self.raw.setsockopt(zmq.SUBSCRIBE, prefix)

    def be_called(self, name: bytes) -> None:
        """The name that routers know this one by."""
        self.raw.setsockopt(zmq.IDENTITY, name)

    def __str__(self) -> str:
        return f"{self.name} on {', '.join(self.endpoints) or 'no endpoint'}"

    def be_mine(self) -> None:
        """See to it that this is the thread whose socket it is.

        Raises:
            UserError: it is not.
        """
        if _ident() != self.owner:
            raise self._misused()

    # ------------------------------------------------------------------------------ waiting calls

    def take(self, timeout: float | None) -> Any:
        """The first frame of the next message. ``rest`` has the others.

        Raises:
            TimedOut: none came.
            UserError: this is not the thread whose socket it is.
        """
        if _ident() != self.owner:
            raise self._misused()
        if timeout != self.receiving:
            self.receiving = timeout
            self.raw.setsockopt(zmq.RCVTIMEO, milliseconds(self.timeout if timeout == USUAL else timeout))
        try:
            return self.pull(0)
        except zmq.ZMQError as error:
            raise self.failed(error, timeout, receive=True) from None

    def put(self, parcel: Parcel, timeout: float | None) -> None:
        """Send one message: it is ZeroMQ's from here on.

        Raises:
            TimedOut: no peer had room for it.
            PeerGone: the peer that its first frame names is not there.
            UserError: this is not the thread whose socket it is.
        """
        if _ident() != self.owner:
            raise self._misused()
        if timeout != self.sending:
            self.sending = timeout
            self.raw.setsockopt(zmq.SNDTIMEO, milliseconds(self.timeout if timeout == USUAL else timeout))
        try:
            if isinstance(parcel, bytes):
                self.push(parcel, 0)
            else:
                self._put_all(parcel, 0)
        except zmq.ZMQError as error:
            raise self.failed(error, timeout) from None

    def rest(self) -> list[Any]:
        """The frames behind the one that was taken: with a message, all of it has come. Those behind a body
        are arrays, and are not copied."""
        frames: list[Any] = []
        more = self._get(_RCVMORE)
        while more:
            if frames and frames[0]:
                frame = self.pull(0, copy=False)
                more, part = frame.more, frame.buffer
            else:
                part = self.pull(0)
                more = self._get(_RCVMORE)
            if len(frames) <= MOST_FRAMES:  # of more, only their number counts
                frames.append(part)
        return frames

    def next(self) -> Any:
        """The frame behind the one that was taken, of which there must be one."""
        return self.pull(_NOW)

    def more(self) -> bool:
        """Whether there is one more frame."""
        return bool(self._get(_RCVMORE))

    # ------------------------------------------------------------------------- calls that never wait

    def look(self) -> Any | None:
        """``take``, if there is one."""
        if _ident() != self.owner:
            raise self._misused()
        try:
            return self.pull(_NOW)
        except zmq.Again:
            return None
        except zmq.ZMQError as error:
            raise self.failed(error) from None

    def offer(self, parcel: Parcel) -> bool:
        """``put``, if there is room; whether there was."""
        if _ident() != self.owner:
            raise self._misused()
        try:
            if isinstance(parcel, bytes):
                self.push(parcel, _NOW)
            else:
                self._put_all(parcel, _NOW)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            raise self.failed(error) from None
        return True

    def events(self) -> tuple[bool, bool]:
        """Whether there is something to ``look`` at, and room for an ``offer``."""
        events = self._get(_EVENTS)
        return bool(events & _POLLIN), bool(events & _POLLOUT)

    def hear(self) -> bytes | None:
        """Who subscribes, or not any more, if somebody does: 1 or 0, then the prefix. Whoever calls this and
        ``spread`` sees to it that nobody else uses the socket meanwhile."""
        try:
            return bytes(self.pull(_NOW))
        except zmq.ZMQError:
            return None

    def spread(self, parcel: Parcel) -> None:
        """Publish; who has no room for it goes without."""
        if isinstance(parcel, bytes):
            self.push(parcel, _NOW)
        else:
            self._put_all(parcel, _NOW)

    def fileno(self) -> int:
        """A file that becomes readable when it may be worth to look again: only then, and only once."""
        return int(self.raw.getsockopt(zmq.FD))

    # ------------------------------------------------------------------------------------ the end

    def close(self) -> None:
        """What was sent lingers as long as it may. Again, or in the child of a fork, it is nothing.

        Raises:
            UserError: this is not the thread whose socket it is.
        """
        if self.owner == NOBODY:
            return
        if _ident() != self.owner:
            raise self._misused()
        self.shut()

    def shut(self) -> None:
        """Close, whoever asks: the process ends, or nobody else can."""
        if self.owner != NOBODY:
            self.owner, self._why = NOBODY, "is closed"
            self._shut()
            context.leave(self.endpoints)

    def _shut(self, linger: int | None = None) -> None:
        with suppress(zmq.ZMQError):  # closed already, or the whole process ends
            self.raw.disable_monitor()
        self.raw.close(linger)

    def orphan(self) -> None:
        """This is the child of a fork: libzmq's threads are in the parent."""
        if self.owner != NOBODY:
            self.owner, self._why = (
                NOBODY,
                "was made before a fork, and works in the parent only",
            )

    # ------------------------------------------------------------------------------------- inner

    def _put_all(self, frames: list[bytes], flags: int) -> None:
        last = len(frames) - 1
        for at, frame in enumerate(frames):
            how = flags | (_MORE if at < last else 0)
            self.push(frame, how, copy=len(frame) < LARGE)

    def _misused(self) -> UserError:
        if self.owner == NOBODY:
            return UserError(f"{self} {self._why}")
        return UserError(
            f"{self} belongs to the thread {self._thread!r}, and this is"
            f" {threading.current_thread().name!r}: a ZeroMQ socket is one thread's; make one in each"
        )

    def timed_out(self, timeout: float | None, *, receive: bool) -> TimedOut:
        """What is raised when nothing came, or nothing could be sent, in that time."""
        waited = self.timeout if timeout == USUAL else timeout
        return TimedOut(f"{self}: {'nothing came' if receive else 'no peer took it'} within {waited:g} s")

    def failed(self, error: Exception, timeout: float | None = None, *, receive: bool = False) -> Exception:
        """What is raised for what ZeroMQ has raised; any other is itself."""
        if not isinstance(error, zmq.ZMQError):
            return error
        if error.errno == zmq.EAGAIN:
            return self.timed_out(timeout, receive=receive)
        if error.errno == zmq.EHOSTUNREACH:
            return PeerGone(f"{self}: that peer is not connected, or not any more")
        if error.errno == zmq.EFSM:
            return UserError(f"{self}: it is not its turn: a reply follows a request, and there is one")
        if error.errno in {zmq.ETERM, zmq.ENOTSOCK}:
            return UserError(f"{self} is closed")
        return PenstockError(f"{self}: {error.strerror}")


_OF_KIND: dict[str, dict[int, int]] = {
    # (No IMMEDIATE for REQ, to leave out servers that are not there: with that, libzmq throws away a reply
    # that has come already, when the server that sent it closes.) An unknown peer is an error, not silence.
    "ROUTER": {zmq.ROUTER_MANDATORY: 1},
    "XPUB": {zmq.XPUB_VERBOSE: 1},
}
