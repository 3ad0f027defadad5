"""Where the large arrays of a body are, and who looks at them: views of a peer's arena, or of frames."""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Tuple

from penstock.errors import PeerError
from penstock.message import arrays
from penstock.message.arena import Mapping
from penstock.message.views import Place, View, Views


class Source:
    """Where the large arrays of a body are: in a peer's arena, or in frames that came with it."""

    def __init__(
        self,
        mapping: Optional[Mapping],
        on_release: Optional[Callable[[View], None]],
        views: Optional[Views] = None,
    ) -> None:
        """``on_release`` is called with the view of a slot when nothing that was made from it is alive any
        more, in whatever thread drops the last. ``views``: of this process, for what came to be passed on."""
        self.mapping = mapping
        self.frames: List[Any] = []
        self._on_release = on_release
        self._views = Views() if views is None else views
        self._fresh: List[Any] = []

    def begin(self) -> None:
        """From here on views are built for one body."""
        self._fresh.clear()

    def disown(self) -> None:
        """That body is refused: no release is said of its views, as its sender takes their slots back."""
        for view in self._fresh:
            self._views.unwatch(view)
        self._fresh.clear()

    def slot(self, where: arrays.Layout, offset: int, generation: int) -> Any:
        """A read-only view of a slot; alive as long as anything made from it."""
        if self.mapping is None:
            raise PeerError("an array in shared memory from a peer that has none")
        self.mapping.check(offset, generation, arrays.size_of(where[0], where[2]))
        view = arrays.view(where, self.mapping.map, offset)
        self._watch(view, (offset, generation))
        return view

    def blob(self, size: int, offset: int, generation: int) -> bytes:
        """A copy of the bytes in a slot, which is released once the whole body is read."""
        if self.mapping is None:
            raise PeerError("bytes in shared memory from a peer that has none")
        if type(size) is not int or size < 0:
            raise PeerError(f"not a size: {size!r:.40}")
        self.mapping.check(offset, generation, size)
        view = memoryview(self.mapping.map)[offset : offset + size]
        self._watch(view, (offset, generation))
        return bytes(view)

    def passed(self, where: arrays.Layout, place: Place) -> Any:
        """A read-only view of what our sender has not in its own arena, but has got itself."""
        return self._views.read(where, place)

    def _watch(self, view: Any, ref: Tuple[int, int]) -> None:
        """Say that a slot is released when ``view`` of it is gone."""
        if self._on_release is not None and self.mapping is not None:
            self._views.watch(view, self.mapping, ref, self._on_release)
            self._fresh.append(view)

    def frame(self, where: arrays.Layout, number: int) -> Any:
        """A read-only view of a frame."""
        if not 0 <= number < len(self.frames):
            raise PeerError(f"an array in frame {number} of {len(self.frames)}")
        data = memoryview(self.frames[number])
        if data.nbytes != arrays.size_of(where[0], where[2]):
            raise PeerError(
                f"a frame of {data.nbytes} bytes for an array of {arrays.size_of(where[0], where[2])}"
            )
        view = arrays.view(where, data)
        view.flags.writeable = False
        return view
