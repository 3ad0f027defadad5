"""CURVE on ZeroMQ sockets, and the thread that says who is let in."""

from __future__ import annotations

import itertools
import logging
import os
import threading
from collections.abc import Callable
from typing import Any

import zmq
from zmq.utils import z85

from penstock.errors import EnvironmentFault, UserError
from penstock.security.gate import domain_of, judge
from penstock.security.keys import Admits, KeyPair, Keyring, Towards, Trusted

log = logging.getLogger("penstock.security")

HANDLER = "inproc://zeromq.zap.01"

ANSWER = 1.0
"""Seconds in which a server shows whether it has a key, where it may have one of several."""

Curve = Keyring | Admits | Towards
"""What a socket is given: a keyring alone lets in all whom it trusts."""
Gone = Callable[[], set[str]]
"""The addresses that those have come from, since it was last asked, whose keys are not let in any more."""


def new_pair() -> KeyPair:
    """A new key.

    Raises:
        EnvironmentFault: this pyzmq was built without CURVE.
    """
    if not zmq.has("curve"):
        raise EnvironmentFault("this pyzmq was built without CURVE; install one from a wheel")
    public, secret = zmq.curve_keypair()
    while public.startswith(b"-"):  # a command line would take it for an option
        public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


class Gatekeeper:
    """Answers ZAP for all sockets of one context, in a thread that ends with it."""

    def __init__(self, context: zmq.Context[Any]) -> None:
        self._lists: dict[str, _Allowed] = {}
        self._numbers = itertools.count()
        self._counts: dict[str, int] = {}
        self.refused = 0
        """Connections so far that were not let in."""
        self._socket = context.socket(zmq.REP)
        self._socket.bind(HANDLER)
        threading.Thread(target=self._serve, name="penstock-gatekeeper", daemon=True).start()

    def protect(self, socket: Any, curve: Curve, *, binds: bool) -> Gone | None:
        """Have ``socket`` speak CURVE only: from now on, so before it binds or connects. Where it binds, what
        says whose connections are to be ended later.

        Raises:
            UserError: the key or the list cannot be read, or it is not said who is at the other end.
        """
        keyring = curve if isinstance(curve, Keyring) else curve.keyring
        own = keyring.own
        socket.setsockopt(zmq.CURVE_PUBLICKEY, own.public.encode())
        socket.setsockopt(zmq.CURVE_SECRETKEY, own.secret.encode())
        if binds:
            return self._serve_curve(socket, curve)
        if not isinstance(curve, Towards):
            raise UserError("who connects says to whom: curve=keyring.towards('server')")
        socket.setsockopt(zmq.CURVE_SERVERKEY, curve.server.encode())
        return None

    def _serve_curve(self, socket: Any, curve: Curve) -> Gone:
        if isinstance(curve, Towards):
            raise UserError("who binds says who is let in: curve=keyring, or keyring.admitting('client')")
        admits = curve.admitting() if isinstance(curve, Keyring) else curve
        domain = f"penstock-{next(self._numbers)}"
        allowed = self._lists[domain] = _Allowed(admits)
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.ZAP_DOMAIN, domain.encode())
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        return allowed.gone

    def _who(self, domain: str, key: bytes) -> Trusted | None:
        allowed = self._lists.get(domain)
        return None if allowed is None else allowed.who(z85.encode(key).decode())

    def _refuse(self, why: str, domain: str) -> None:
        """Count it, and tell of the 1st, 2nd, 4th, 8th ... of each socket: a flood is not to fill the log."""
        self.refused += 1
        at = self._counts[domain] = self._counts.get(domain, 0) + 1
        if not at & (at - 1):
            log.warning("not let in, %d so far: %s", at, why)

    def _serve(self) -> None:
        """Until the context ends."""
        while True:
            try:
                request = self._socket.recv_multipart()
                verdict, domain = judge(request, self._who), domain_of(request)
                if verdict.refusal:
                    self._refuse(verdict.refusal, domain)
                else:
                    self._lists[domain].came(z85.encode(request[6]).decode(), request[3].decode())
                self._socket.send_multipart(verdict.answer)
            except zmq.ZMQError:
                self._socket.close(0)
                return


def answering(endpoint: str, towards: Towards) -> Towards:
    """Which of its keys a server has, that a ROUTER shows there; where nobody answers, the first."""
    for server in (towards.server, *towards.others) if towards.others else ():
        if _is_answered(endpoint, Towards(towards.keyring, server)):
            return Towards(towards.keyring, server)
    return Towards(towards.keyring, towards.server)


def _is_answered(endpoint: str, towards: Towards) -> bool:
    """Whether what listens there has that key. (It says nothing to who expects another.)"""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        own = towards.keyring.own
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, own.public.encode())
        socket.setsockopt(zmq.CURVE_SECRETKEY, own.secret.encode())
        socket.setsockopt(zmq.CURVE_SERVERKEY, towards.server.encode())
        # That we are not let in is also said by whom we expect.
        heard = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH)
        try:
            socket.connect(endpoint)
            return bool(heard.poll(int(ANSWER * 1000)))
        except zmq.ZMQError:  # it is no endpoint, which is said where it is used
            return False
        finally:
            socket.disable_monitor()
            heard.close(0)


def standing(curve: Curve) -> Callable[[str], bool]:
    """Says whether who was let in, ``client:laptop``, is trusted still: ZAP is asked at the beginning of a
    connection, and never again.

    Raises:
        UserError: the list cannot be read, or nobody is let in there.
    """
    if isinstance(curve, Towards):
        raise UserError("who binds says who is let in: curve=keyring, or keyring.admitting('client')")
    return _Allowed(curve.admitting() if isinstance(curve, Keyring) else curve).stands


class _Allowed:
    """Whom one socket lets in, as the list on disk says it now. (Two threads ask: what is read is put in its
    place at once.)"""

    def __init__(self, admits: Admits) -> None:
        """Raises:
        UserError: the list cannot be read.
        """
        self._admits = admits
        self._list: tuple[tuple[int, int] | None, dict[str, Trusted]] = (None, {})
        self._came: dict[str, set[str]] = {}
        self._look()

    def who(self, public: str) -> Trusted | None:
        """Whose key that is; None: nobody's who is let in."""
        return self._now().get(public)

    def stands(self, user: str) -> bool:
        """Whether somebody of that role and name, ``client:laptop``, is let in."""
        return any(f"{each.role}:{each.name}" == user for each in self._now().values())

    def came(self, public: str, host: str) -> None:
        """Whose key that is was let in, and came from there."""
        self._came.setdefault(public, set()).add(host)

    def gone(self) -> set[str]:
        """Where those have come from, since this was last asked, who are not let in any more."""
        if not self._came:
            return set()
        try:
            stay = self._look()
        except (UserError, OSError):
            return set()  # nobody else is let in; but who was is not revoked by a list that says nothing
        left = [public for public in list(self._came) if public not in stay]
        return set[str]().union(*(self._came.pop(public) for public in left))

    def _now(self) -> dict[str, Trusted]:
        try:
            return self._look()
        except (UserError, OSError) as error:
            log.warning("nobody is let in: %s", error)
            return {}

    def _look(self) -> dict[str, Trusted]:
        path = self._admits.keyring.folder / "trusted"
        try:
            found = os.stat(path)
            now: tuple[int, int] | None = (found.st_mtime_ns, found.st_ino)
        except FileNotFoundError:
            now = None
        before, keys = self._list
        if now != before or now is None:
            trusted = self._admits.keyring.trusted
            keys = {each.public: each for each in trusted if each.role in self._admits.roles}
            self._list = (now, keys)
        return keys
