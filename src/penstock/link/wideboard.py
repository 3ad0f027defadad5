"""The sockets of a publisher whom other hosts hear, too.

Subscribers of its own host come by one ROUTER as ever; those of other hosts by a second one, over tcp, with a
session each: what a cut takes away is said again, and each of them gets each value once.
"""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Sequence, Tuple

from penstock.link import tcp
from penstock.link.far import FarDealer, FarRouter
from penstock.link.sockets import Context, Router
from penstock.link.tcp import Curve, Gate


class WideRouter:
    """Both as one: whoever came by one is answered by it."""

    def __init__(self, near: Router, listen: str, curve: Optional[Curve]) -> None:
        """``listen``: where the second one is to be.

        Raises:
            EnvironmentFault: that cannot be had.
        """
        self._near = near
        self._context = Context()  # whom it lets in is asked within a context, and answered in our thread
        router, self.address = tcp.listen(self._context, listen, curve)
        self._gate = None if curve is None else Gate(self._context, curve)
        self._far = FarRouter(router)

    def descriptors(self) -> List[int]:
        """The files of all its sockets."""
        gate = [] if self._gate is None else [self._gate.descriptor()]
        return [self._near.descriptor(), self._far.socket.descriptor(), *gate]

    def receive(self) -> Optional[Tuple[bytes, List[Any]]]:
        """The next message, if one is there: its peer, and its frames.

        Raises:
            PeerError: somebody was not let in, or what has come is none of the protocol.
        """
        while self._gate is not None and self._gate.serve():
            pass
        found = self._near.receive()
        while found is None and self._far.socket.waits:
            found = self._far.receive()
            if found is not None and not found[1]:  # somebody is back, and has got again what was missing
                found = None
        return found

    def send(self, peer: bytes, frame: bytes, arrays: Sequence[Any] = ()) -> bool:
        """Whether ``peer`` is there, or will have it when it is back."""
        if peer in self._far:
            self._far.send(peer, frame, arrays)
            return True
        return self._near.send(peer, frame, arrays)

    def lose(self, peer: bytes) -> None:
        """That peer has ended."""
        self._far.lose(peer)

    def close(self) -> None:
        """Send what was said to those who are there, and let go."""
        self._near.close()
        self._context.close()


def dialling(context: Context, curve: Optional[Curve]) -> Callable[[str, bytes], FarDealer]:
    """What reaches publishers of other hosts, for ``Hearing``: of an endpoint and a name of ours it makes a
    connection, or raises PeerError where that is no address."""

    def dial(endpoint: str, identity: bytes) -> FarDealer:
        return FarDealer(*tcp.dial(context, endpoint, identity, curve))

    return dial
