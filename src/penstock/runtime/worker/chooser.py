"""In the worker: what a value says about where it goes, by a function or by the name of a key."""

from __future__ import annotations

from typing import Any, Callable, Union

from penstock.errors import WiringError
from penstock.link import affinity

Chooser = Union[Callable[[Any], Any], str]
"""Called with the value; or the key (or attribute) of the value."""


def ask(by: Chooser, value: Any, knob: str) -> Any:
    """What ``value`` answers; ``knob`` is how people know the question.

    Raises:
        WiringError: it has no such key or attribute.
    """
    if callable(by):
        return by(value)
    try:
        return value[by] if isinstance(value, dict) else getattr(value, by)
    except (KeyError, AttributeError):
        raise WiringError(f"{knob}: a {type(value).__name__} without it") from None


class Key:
    """The key of each value that goes to one stage."""

    def __init__(self, by: Chooser, target: str) -> None:
        self._by = by
        self._knob = f"key={by!r} of {target}" if isinstance(by, str) else f"key= of {target}"

    def shard(self, value: Any) -> int:
        """The shard in which the key of ``value`` is.

        Raises:
            WiringError: it has none, or one that cannot be a key.
        """
        key = ask(self._by, value, self._knob)
        try:
            return affinity.shard(key)
        except TypeError:
            what = f"a {type(key).__name__} cannot be a key"
            raise WiringError(f"{self._knob}: {what}; text, bytes, numbers and tuples of these can") from None
