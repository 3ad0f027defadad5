"""Values of calls as what travels, and back. Large arrays go as frames of their own, uncopied."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence, Tuple

import msgspec

from penstock.link import callwire
from penstock.message.codec import Decoder, Encoder
from penstock.message.source import Source


class Nowhere:
    """An arena without room: large arrays of calls are frames (which within a host go by ``link.crate``)."""

    map = b""

    def take(self, size: int) -> Optional[Any]:
        """No slot."""
        return None


class Parcels:
    """Packs and unpacks, for one thread at a time."""

    def __init__(self, *, allow_pickle: bool = False) -> None:
        self._encoder = Encoder(Nowhere(), allow_pickle=allow_pickle)  # type: ignore[arg-type]
        self._encoder.way_out = ""

    def pack(self, value: Any, *, bare: bool) -> Tuple[msgspec.Raw, List[Any]]:
        """The body and the frames of a value. ``bare``: nobody writes into its arrays until they are sent, so
        that they need not be copied before.

        Raises:
            UnsupportedType: it cannot travel.
        """
        self._encoder.bares = bare
        payload = self._encoder.encode(value)
        frames = self._encoder.taken()[1] if self._encoder.frames else []
        return callwire.body(payload), frames

    @staticmethod
    def unpack(decoder: Decoder, body: msgspec.Raw, frames: Sequence[Any]) -> Any:
        """The value of them.

        Raises:
            PeerError: they are none.
        """
        if not frames:
            return decoder.values(body, count=1)[0]
        source = Source(None, None)
        source.frames = list(frames)
        return decoder.values(body, source, count=1)[0]
