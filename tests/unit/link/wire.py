"""Both ends of a link over real sockets, in one process with a ZeroMQ context each."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import zmq

from penstock.errors import PeerError
from penstock.link import tcp
from penstock.link.far import FarDealer, FarRouter, Landing
from penstock.link.ledger import Cargo
from penstock.link.link import Link
from penstock.link.outbox import Extras
from penstock.link.receiver import Inbound, Receiver
from penstock.link.sender import Sender
from penstock.link.sockets import Context
from penstock.link.wide import WideSender
from penstock.message import envelope, packing
from penstock.message.arena import Arena
from penstock.message.codec import Decoder, Encoder
from penstock.message.views import Views
from penstock.observe import page

LINK = 3
PATIENCE = 60.0
"""Seconds after which something that should have happened has not."""


class Sending:
    """A sender with one link, its arena and its books."""

    def __init__(
        self,
        folder: str,
        *,
        number: int = 1,
        capacity: int = 1 << 22,
        max_failures: int = 3,
        listens: bool = False,
        host: str = "127.0.0.1",
        curve: tcp.Curve | None = None,
        compress: str = "",
    ) -> None:
        """``listens``: other hosts find it, too, at ``sender.address``; with ``curve`` those that have it."""
        self.endpoint = f"ipc://{folder}/{number}.sock"
        self.context = Context()
        self.arena = Arena(f"{folder}/{number}.arena", capacity)
        self.encoder = Encoder(self.arena)
        self.link = Link(id=LINK, target="work", max_failures=3, word=page.link_word(0, 0))
        self.words = [0] * page.WORDS
        self.settled: list[Any] = []
        self.buried: list[Cargo] = []
        self.notices: list[str] = []
        self.refused: list[str] = []
        make: Callable[..., Sender] = Sender
        if listens:
            router, address = tcp.listen(self.context, f"tcp://{host}:*", curve)
            gate = tcp.Gate(self.context, curve) if curve else None
            make = partial(
                WideSender,
                far=FarRouter(router),
                address=address,
                gate=gate,
                compress={LINK: compress} if compress else {},
            )
        self.sender = make(
            router=self.context.router(self.endpoint),
            number=number,
            arena=self.arena,
            links=[self.link],
            words=self.words,
            clock=time.monotonic,
            on_settled=lambda parent, items: self.settled.extend([parent] * items),
            bury=self._bury,
            notice=lambda kind, text: self.notices.append(text),
            eager=True,
        )
        self.made = 0

    def _bury(self, link: Link, cargo: Cargo) -> bool:
        self.buried.append(cargo)
        return True

    def put(self, *values: Any, parent: Any = None) -> None:
        """Make items of values."""
        for value in values:
            payload = self.encoder.encode(value)
            slots, frames = self.encoder.taken()
            nbytes = sum(slot.size for slot in slots) + sum(map(len, frames))
            extras = Extras(slots, frames, nbytes) if slots or frames else None
            self.link.put(parent, "src/0", self.made, payload, extras)
            self.made += 1

    def serve(self) -> bool:
        """Take what has come and send what may be sent; whether anything came."""
        self.sender.flush()
        came = [_took(self.refused, call) for call in self.sender.calls().values()]
        self.sender.flush()
        return any(came)

    def close(self) -> None:
        self.context.close()
        self.arena.close()


class Receiving:
    """A receiver of that link."""

    def __init__(self, number: int, *, window: int = 0, window_bytes: int = 1 << 26) -> None:
        self.number = number
        self.context = Context()
        self.words = [0] * page.WORDS
        self.refused: list[str] = []
        self.told: list[bool] = []
        """Whether those of other hosts answer, as people hear it."""
        self.wakes = 0
        self.receiver = Receiver(
            views=Views(),
            context=self.context,
            number=number,
            replica=number,
            window=window,
            window_bytes=window_bytes,
            links={LINK: page.link_word(0, 0)},
            words=self.words,
            wake=self._wake,
        )
        self.decoder = Decoder()

    def _wake(self) -> None:
        self.wakes += 1

    def connect(self, sending: Sending) -> None:
        self.receiver.connect(LINK, sending.sender._number, "src/0→work", sending.endpoint)

    def reach(
        self, sending: Sending, *, at: str = "", curve: tcp.Curve | None = None, compress: str = ""
    ) -> None:
        """Connect as from another host, ``at`` an address that leads there."""
        address = at or sending.sender.address
        self.receiver.connect(
            LINK, sending.sender._number, "src/0→work", address, far=self.far(curve, compress)
        )

    def far(
        self, curve: tcp.Curve | None, compress: str = ""
    ) -> Callable[[str, bytes], tuple[FarDealer, Landing]]:
        """Makes its end of connections to other hosts."""
        ways = packing.able(compress)
        return lambda endpoint, identity: (
            FarDealer(
                *tcp.dial(self.context, endpoint, identity, curve),
                ways,
                prompt=compress == "auto",
                tell=self.told.append,
            ),
            Landing(time.monotonic, ways),
        )

    def serve(self) -> bool:
        """Take what has come and send what there is to say; whether anything came."""
        came = [_took(self.refused, call) for call in self.receiver.calls().values()]
        self.receiver.flush()
        return any(came)

    def read(self, inbound: Inbound) -> list[Any]:
        """The values of a batch."""
        source = inbound.connection.source
        source.frames = inbound.frames
        try:
            return self.decoder.values(inbound.body, source, count=inbound.count)
        finally:
            source.frames = inbound.frames = []

    def finish(self, inbound: Inbound, *failures: envelope.Failure) -> None:
        self.receiver.finish(inbound, 1000, list(failures))

    def work(self) -> list[Any]:
        """Read and finish all batches that wait, without a failure."""
        values: list[Any] = []
        while (inbound := self.receiver.next()) is not None:
            values += self.read(inbound)
            self.finish(inbound)
        return values

    def close(self) -> None:
        self.context.close()


def _took(refused: list[str], take: Callable[..., bool], *arguments: Any) -> bool:
    try:
        return bool(take(*arguments))
    except PeerError as error:
        refused.append(str(error))
        return True


def until(happened: Callable[[], Any], *ends: Sending | Receiving) -> Any:
    """Let the ends talk until ``happened()``; what it answers."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        while sum(end.serve() for end in ends):
            pass
        if answer := happened():
            return answer
        sockets: list[Any] = []
        for end in ends:
            sockets += (end.sender if isinstance(end, Sending) else end.receiver).calls()
        zmq.zmq_poll([(socket.raw, zmq.POLLIN) for socket in sockets], 20)
    raise AssertionError("it did not happen")
