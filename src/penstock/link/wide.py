"""The sending end of a worker that has receivers on other hosts, too.

Receivers of this host come by the same ROUTER as ever, and nothing is different for them. The others come by
a second one, over tcp; their arrays travel as frames. All methods are called with the worker's lock held.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Sequence

from penstock.link.far import FarRouter
from penstock.link.ledger import Cargo
from penstock.link.link import Link
from penstock.link.packer import agreed
from penstock.link.peers import Peer
from penstock.link.sender import Sender
from penstock.link.sockets import Call, Router, Socket
from penstock.link.tcp import Gate
from penstock.message import envelope, packing
from penstock.message.freight import load


class Doors:
    """Two doors as one: whoever came by one is answered by it."""

    def __init__(self, near: Router, far: FarRouter) -> None:
        self._near = near
        self._far = far
        self.raw = near.raw
        self.receive = near.receive

    def send(self, name: bytes, frame: bytes, arrays: Sequence[Any] = ()) -> bool:
        """Whether it is there, or will have it when it is back."""
        if name in self._far:
            self._far.send(name, frame, arrays)
            return True
        return self._near.send(name, frame, arrays)


class WideSender(Sender):
    """The out-links of such a worker."""

    def __init__(
        self,
        *,
        router: Router,
        far: FarRouter,
        address: str,
        gate: Optional[Gate],
        compress: Mapping[int, str],
        **sender: Any,
    ) -> None:
        """``far``: where receivers of other hosts come, at ``address``; ``gate`` says who may. ``compress``:
        the links on which they get things packed, and how."""
        super().__init__(router=Doors(router, far), **sender)  # type: ignore[arg-type]
        self.address = address
        self._near = router
        self._far = far
        self._gate = gate
        self._compress = dict(compress)
        self._hellos: Dict[bytes, envelope.Hello] = {}
        """Of receivers of other hosts that take more."""

    def calls(self) -> Dict[Socket, Call]:
        """What to call for each of its sockets."""
        calls: Dict[Socket, Call] = {self._near: self.take, self._far.socket: self._take_far}
        if self._gate is not None:
            calls[self._gate] = self._gate.serve
        return calls

    def lose(self, peer: int, cause: str, blame: Any) -> None:
        """A receiver has ended."""
        super().lose(peer, cause, blame)
        for link in self.links:
            name = envelope.identity(peer, link.id)
            self._far.lose(name)
            self._hellos.pop(name, None)

    def _take_far(self) -> bool:
        received = self._far.receive()
        if received is None:
            return False
        if received[1]:
            return self.hear(*received)
        self._come_back(received[0])
        return True

    def _hello(self, name: bytes, hello: envelope.Hello) -> None:
        super()._hello(name, hello)
        peer = self._peers.find(name)
        if name in self._far and peer is not None:
            peer.link.credit.afar(peer.number, self._far.trips[name])
            self._hellos[name] = hello
            self._agree(name, peer.link, hello)

    def _agree(self, name: bytes, link: Link, hello: envelope.Hello) -> None:
        """How what it is sent is packed: as was wished, if both ends can."""
        wish = self._compress.get(link.id, "")
        ours = packing.able(wish)
        if wish and not ours:
            del self._compress[link.id]  # to say it once
            self._notice("warning", f"what goes to {link.target} on other hosts: {packing.lacking(wish)}")
        if ways := [way for way in ours if way in hello.packings]:
            self._far.pack(name, agreed(wish, ways))

    def _hear(self, name: bytes, peer: Peer, message: Any) -> None:
        if type(message) is envelope.Bye:
            self._hellos.pop(name, None)
        super()._hear(name, peer, message)

    def _come_back(self, name: bytes) -> None:
        """Its connection was cut, and is mended: it may have more again."""
        hello, peer = self._hellos.get(name), self._peers.find(name)
        self._lone = None
        if hello is not None and peer is not None and name not in self._far.cut:
            self._news(peer.link.join(hello))

    def _shown(self, name: bytes) -> str:
        return "" if name in self._far else super()._shown(name)

    def _send(self, link: Link, receiver: int, cargo: Cargo) -> None:
        name = self._peers.name(receiver, link)
        if name not in self._far:
            super()._send(link, receiver, cargo)
            return
        if link.tap is not None:
            link.tap(cargo)
        number = link.ledger.send(receiver, cargo, self._clock())
        slots, views = load(cargo.slots or (), self._arena)
        left = max(1, cargo.expires - int(self._clock() * 1e9)) if cargo.expires else 0
        frame = envelope.pack_batch(number, cargo.attempt, cargo.ids(), cargo.payloads, left, slots)
        link.spend(receiver, cargo)
        if not self._far.send(name, frame, [*cargo.frames, *views]):
            # Nothing more for it until it is back. What it was sent it still gets then; if it does not come
            # back, the supervisor says so, and others get it.
            self._news(link.close(receiver))
