"""How a source says from where it could go on: ``yield at(position, item)``."""

from __future__ import annotations

from typing import Any, TypeVar

Item = TypeVar("Item")


class At:
    """An item with the position that follows it."""

    __slots__ = ("item", "position")

    def __init__(self, position: Any, item: Any) -> None:
        self.position = position
        self.item = item


def at(position: Any, item: Item) -> Item:
    """What a resumable source yields: ``item``, and the position from which it would go on behind it.

    A source is resumable when it has a parameter ``start`` with a default, which is where it begins anew.
    After its death, or under ``penstock run --resume``, it gets the last position up to which all its items
    are settled::

        @source
        def lines(start: int = 0) -> Iterator[str]:
            with open("data.txt", "rb") as file:
                file.seek(start)
                for line in iter(file.readline, b""):
                    yield at(file.tell(), line.decode())

    An item that is yielded plainly belongs to the next position: it is made again if that is not reached.

    Args:
        position: Plain data (``None`` and numbers, text, bytes, lists and dicts of them; a tuple comes back
            as a list), best a few bytes.
        item: What to send; ``None`` sends nothing, and only moves the position.

    Returns:
        An object that only a source may yield. For type checkers it is the item.
    """
    return At(position, item)  # type: ignore[return-value]
