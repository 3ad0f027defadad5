"""What an annotation asks of a value that arrived: which class is to be built of its fields.

The wire carries fields and values, not class names: a message never decides what is imported here. The
parameter's annotation does. Where it names a dataclass, a msgspec Struct, an enum or a named tuple
(also inside ``list[...]``, ``dict[...]``, ``Optional[...]``), the value is converted; where it names
builtins or arrays, or nothing, the value is handed over as it came, at no cost.
"""

from __future__ import annotations

import dataclasses
import enum
import typing
from typing import Any, Callable, Optional

import msgspec

from penstock.errors import WiringError

Converter = Callable[[Any], Any]


def converter(annotation: Any) -> Optional[Converter]:
    """What makes the annotated type of a value; None where there is nothing to do.

    The converter raises ``ValueError`` when the value does not fit, saying where.

    Raises:
        WiringError: no value could be built for it: an enum of other values than text or integers inside
            something else, two dataclasses in one union, a field's type that has no name here.
    """
    return builder(annotation) if _asks(annotation, set()) else None


def builder(annotation: Any) -> Converter:
    """As ``converter``, but builtins are looked at, too: whoever sends may never have seen the annotation.

    Raises:
        WiringError: as ``converter``.
    """
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return annotation  # of whatever values
    try:
        msgspec.msgpack.Decoder(annotation)
    except (TypeError, NameError) as error:
        raise WiringError(f"no item can be made a {annotation}: {error}") from None
    return lambda value: msgspec.convert(value, annotation, dec_hook=_as_it_is)


def _as_it_is(kind: Any, value: Any) -> Any:
    """Arrays and other foreign classes inside a dataclass: they have arrived as what they are."""
    if isinstance(value, typing.get_origin(kind) or kind):
        return value
    raise TypeError(f"expected {getattr(kind, '__name__', kind)}, got {type(value).__name__}")


def _asks(annotation: Any, seen: set[Any]) -> bool:
    """Whether ``annotation`` names, at any depth, a class that is built of fields."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        if issubclass(annotation, (msgspec.Struct, enum.Enum)) or dataclasses.is_dataclass(annotation):
            return True
        if issubclass(annotation, tuple) and hasattr(annotation, "_fields"):
            return True
        if issubclass(annotation, dict) and hasattr(annotation, "__total__") and annotation not in seen:
            seen.add(annotation)
            return any(_asks(part, seen) for part in _hints(annotation))
        return False
    return any(_asks(part, seen) for part in typing.get_args(annotation) if part is not Ellipsis)


def _hints(typed_dict: Any) -> list[Any]:
    try:
        return list(typing.get_type_hints(typed_dict).values())
    except (NameError, TypeError):
        return []  # a name that only a type checker sees: nothing to build from it
