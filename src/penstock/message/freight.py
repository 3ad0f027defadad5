"""Large arrays on their way to another host: they lie in shared memory, and have to travel as frames.

An item is encoded once, before anybody knows who gets it, and its payload names the slots in which its
arrays lie. For a receiver on another host these stay what they are, names; the batch says which of
them each of its last frames is (``Batch.slots``), and there they are looked up. Nothing is decoded or copied
to be sent. And nothing else is looked up: a peer on another host can name whatever it likes, no shared
memory is opened for it, nor anything below ``/proc``.
"""

from __future__ import annotations

import weakref
from typing import Any, Dict, List, Sequence, Tuple

from penstock.errors import PeerError
from penstock.message import arrays
from penstock.message.arena import Arena
from penstock.message.source import Source
from penstock.message.views import Passed, Place

SlotName = Tuple[int, int, int]
"""The arena (its inode; 0 for the sender's own), the offset there, and the generation."""


def name_of(place: Place) -> SlotName:
    """Of an array that is passed on: it may begin within its slot."""
    return place.address[2], place.offset + place.start, place.generation


def load(slots: Sequence[Sequence[Any]], arena: Arena) -> Tuple[List[SlotName], List[memoryview]]:
    """What the items of a batch have in shared memory, each piece once: its names, and its bytes where they
    lie. They stay as they are while anybody holds these, ZeroMQ among them: a batch may
    be settled, by somebody else, while a connection that hangs still has it."""
    found: Dict[SlotName, memoryview] = {}
    for item in slots:
        for slot in item:
            if isinstance(slot, Passed):
                view = slot.bytes
                weakref.finalize(view, _nothing, slot).atexit = False
                found[name_of(slot.place)] = view
            else:
                found[0, slot.offset, slot.generation] = _lent(slot, arena)
    return list(found), list(found.values())


def _lent(slot: Any, arena: Arena) -> memoryview:
    view = memoryview(arena.map)[slot.offset : slot.offset + slot.size]
    slot.keep()
    weakref.finalize(view, arena.drop_later, slot).atexit = False
    return view


def _nothing(_: Any) -> None:
    """Whoever holds the view holds what it is called with."""


class Frames(List[Any]):
    """The frames of a batch from another host, and what is in which."""

    def __init__(self, frames: Sequence[Any], slots: Sequence[SlotName]) -> None:
        """``slots``: the names of the last ones.

        Raises:
            PeerError: more names than frames.
        """
        if len(slots) > len(frames):
            raise PeerError(f"a batch with {len(slots)} arrays from shared memory in {len(frames)} frames")
        plain = len(frames) - len(slots)
        super().__init__(frames[:plain])
        self.slots = dict(zip(map(tuple, slots), frames[plain:]))


class Freight(Source):
    """Where the large arrays of a body from another host are: in the frames that came with it."""

    def __init__(self) -> None:
        super().__init__(None, None)

    def slot(self, where: arrays.Layout, offset: int, generation: int) -> Any:
        """A read-only view of what is in that slot, there."""
        return self._view(where, (0, offset, generation))

    def passed(self, where: arrays.Layout, place: Place) -> Any:
        """A read-only view of what was passed on there."""
        return self._view(where, name_of(place))

    def blob(self, size: int, offset: int, generation: int) -> bytes:
        """The bytes in that slot."""
        data = self._data((0, offset, generation))
        if size != data.nbytes:
            raise PeerError(f"a frame of {data.nbytes} bytes for {size!r:.40} of them")
        return bytes(data)

    def _view(self, where: arrays.Layout, name: SlotName) -> Any:
        data, size = self._data(name), arrays.size_of(where[0], where[2])
        if size > data.nbytes:
            raise PeerError(f"a frame of {data.nbytes} bytes for an array of {size}")
        view = arrays.view(where, data)
        view.flags.writeable = False
        return view

    def _data(self, name: SlotName) -> memoryview:
        data = self.frames.slots.get(name) if isinstance(self.frames, Frames) else None
        if data is None:
            raise PeerError("an array in the shared memory of another host, which did not come with it")
        return memoryview(data)
