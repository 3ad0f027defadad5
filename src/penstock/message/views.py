"""What this process looks at in others' arenas, and how it goes on to third parties without a copy.

    owner ---- slot ----> stage ---- passed on ----> reader         the array stays where the owner wrote it

The owner counts on the stage (see ``arena``): until what it has passed on is settled, a view of it is alive
there. By then each reader has told the kernel what it looks at (see ``lease``). So nobody has to tell the
owner of its readers, and whoever of the three is killed, no slot is used again that somebody reads.

A reader opens the arena by a descriptor of whoever passed it on, ``/proc/<pid>/fd/<n>``: the owner may be
dead by then, and its file removed.
"""

from __future__ import annotations

import os
import stat
import threading
import weakref
from collections import deque
from typing import Any, Callable, Deque, Dict, NamedTuple, Optional, Tuple

from penstock.errors import PeerError
from penstock.message import arrays, lease
from penstock.message.arena import Address, Mapping


class View(weakref.ref):  # type: ignore[type-arg]
    """An array over a slot of somebody's arena. It says once that it is gone, in whatever thread that was."""

    __slots__ = ("key", "mapping", "on_gone", "passed", "ref", "start")

    def __new__(cls, array: Any, forget: Callable[[View], None], *_: Any):  # type: ignore[no-untyped-def]  # noqa: ANN204, D102
        return super().__new__(cls, array, forget)

    def __init__(
        self,
        array: Any,
        forget: Callable[[View], None],
        mapping: Mapping,
        ref: Tuple[int, int],
        start: int,
        on_gone: Callable[[View], None],
    ) -> None:
        super().__init__(array, forget)  # type: ignore[call-arg]
        self.key = id(array)
        self.mapping = mapping
        self.ref = ref
        """Offset and generation of the slot."""
        self.start = start
        """Where in the slot it begins."""
        self.on_gone = on_gone
        self.passed = False
        """Whether it, or a part of it, was passed on."""


class Passed:
    """What the ledger counts on instead of a slot: an array that was passed on lives as long as this."""

    __slots__ = ("_array", "_mapping", "place", "size")

    def __init__(self, array: Any, mapping: Mapping, place: Place, size: int) -> None:
        self._array = array
        self._mapping = mapping  # its descriptor is what readers open
        self.place = place
        self.size = size

    @property
    def bytes(self) -> memoryview:
        """What its reader sees."""
        at = self.place.offset + self.place.start
        return memoryview(self._mapping.map)[at : at + self.size]

    def keep(self) -> None:
        """Python counts."""

    def drop(self) -> None:
        """Python counts."""

    def lend(self, holder: int) -> None:
        """Its reader tells the kernel."""

    def returned(self, holder: int) -> None:
        """Its reader tells the kernel."""


class Place(NamedTuple):
    """Where an array lies that is passed on, as its reader is told."""

    start: int
    """In the slot."""
    offset: int
    generation: int
    address: Address
    """Of the arena."""


class Views:
    """All of one process."""

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        """``wake`` is called, from whatever thread, when a lease may be ended."""
        self._wake = wake
        self._views: Dict[int, View] = {}
        self._arenas: Dict[int, _Distant] = {}
        self._over: Deque[Tuple[_Distant, int]] = deque()
        self._lock = threading.Lock()

    def watch(
        self,
        array: Any,
        mapping: Mapping,
        ref: Tuple[int, int],
        on_gone: Callable[[View], None],
        start: int = 0,
    ) -> None:
        """Have ``on_gone`` called when no view of the slot ``ref`` that was made from ``array`` is alive."""
        view = View(array, self._forget, mapping, ref, start, on_gone)
        self._views[view.key] = view

    def unwatch(self, array: Any) -> None:
        """Nobody is to be told of its end."""
        self._views.pop(id(array), None)

    def _forget(self, view: View) -> None:
        self._views.pop(view.key, None)
        view.on_gone(view)

    def passed(self, array: Any) -> Optional[Tuple[Place, Passed]]:
        """How ``array`` is passed on, when it is an array that came by shared memory, or a part in one piece
        of one; None: it has to be copied."""
        view = self._views.get(id(array))
        if view is None:
            view = self._views.get(id(array.base))
        whole = None if view is None else view()
        if view is None or whole is None or view.mapping.address is None:
            return None
        start = 0 if array is whole else arrays.place_in(whole, array)
        if start is None:
            return None
        view.passed = True
        place = Place(view.start + start, *view.ref, view.mapping.address)
        return place, Passed(whole, view.mapping, place, array.nbytes)

    def read(self, where: arrays.Layout, place: Place) -> Any:
        """A read-only view of what was passed on to us; its slot stays as it is while it lives.

        Raises:
            PeerError: it cannot be read, or the slot has been given away.
        """
        start, offset, generation, address = place
        size = arrays.size_of(where[0], where[2])
        if type(start) is not int or start < 0:
            raise PeerError(f"not a place in a slot: {start!r:.40}")
        with self._lock:
            self._end_leases()
            arena = self._arena(address)
            arena.mapping.check(offset, generation, start + size)
            arena.hold(offset)
        try:
            arena.mapping.check(offset, generation, start + size)  # what was true before may be so no longer
            array = arrays.view(where, arena.mapping.map, offset + start)
        except BaseException:
            self._over.append((arena, offset))
            raise
        self.watch(array, arena.mapping, (offset, generation), lambda _: self._end(arena, offset), start)
        return array

    def end_leases(self) -> None:
        """Tell the kernel what is looked at no more."""
        if self._over:
            with self._lock:
                self._end_leases()

    def _end(self, arena: _Distant, offset: int) -> None:
        # May run inside any of our own methods, so it takes no lock.
        self._over.append((arena, offset))
        self._wake()

    def _end_leases(self) -> None:
        while self._over:
            arena, offset = self._over.popleft()
            arena.let_go(offset)

    def _arena(self, address: Address) -> _Distant:
        inode = address[2]
        arena = self._arenas.get(inode)
        if arena is None:
            # Those of owners that are dead are needed by nobody; a new one is news of that.
            self._arenas = {key: each for key, each in self._arenas.items() if each.is_needed}
            arena = self._arenas[inode] = _Distant(address)
        return arena


class _Distant:
    """The arena of somebody who has sent us nothing himself, and our leases there."""

    def __init__(self, address: Address) -> None:
        """Map it.

        Raises:
            PeerError: it cannot be opened: who passed it on is dead, or talks nonsense.
        """
        pid, fd, inode = address
        path = f"/proc/{pid:d}/fd/{fd:d}"
        try:
            found = os.stat(path)
            if not stat.S_ISREG(found.st_mode) or found.st_ino != inode:
                raise PeerError(f"{path} is not the arena in which an array was passed on")
            self.mapping = Mapping(path)
        except (OSError, ValueError) as error:
            raise PeerError(f"the arena in which an array was passed on cannot be opened: {error}") from None
        self._held: Dict[int, int] = {}

    @property
    def is_needed(self) -> bool:
        """Whether its owner may still write there, or we look at something."""
        return bool(self._held) or os.fstat(self.mapping.fd).st_nlink > 0

    def hold(self, offset: int) -> None:
        """Have the slot at ``offset`` stay as it is.

        Raises:
            PeerError: its owner is giving it away, or the kernel has no lock for it.
        """
        held = self._held.get(offset, 0)
        if not held:
            try:
                shared = lease.share(self.mapping.fd, offset)
            except OSError as error:
                raise PeerError(f"the slot at {offset} cannot be locked: {error}") from None
            if not shared:
                raise PeerError(f"the slot at {offset} is being given away")
        self._held[offset] = held + 1

    def let_go(self, offset: int) -> None:
        """Undo one ``hold``."""
        left = self._held.pop(offset) - 1
        if left:
            self._held[offset] = left
        else:
            lease.let_go(self.mapping.fd, offset)
