"""Arguments and results as the bytes that lie in the store."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from penstock.errors import PeerError, UserError
from penstock.message.codec import Decoder, Encoder, join
from penstock.tasks.files import read

ONE = join([b""])
"""What stands before the value of a body of one."""
NONE = Encoder(None).encode(None)

LARGEST = 2**30
"""Bytes of one job's arguments, or of its result."""


def encoder() -> Encoder:
    """Makes bytes of what a job takes or gives; no pickles, whatever pipelines say."""
    made = Encoder(None)
    made.way_out = ""
    return made


def packed(value: Any) -> bytes:
    """One value as a body of one, which needs nothing beside it.

    Raises:
        UnsupportedType: it cannot travel.
        UserError: it is too large.
    """
    body = join([encoder().encode(value)])
    if len(body) > LARGEST:
        raise UserError(f"{len(body):,} bytes are too many for a job: write a file, and pass its path")
    return body


def unpacked(body: bytes) -> Any:
    """The value.

    Raises:
        PeerError: it is none.
        EnvironmentFault: a library it needs is not installed here.
    """
    return Decoder().values(body, count=1)[0]


def together(bodies: Sequence[bytes]) -> bytes:
    """Several bodies of one value each as one body; nobody looks into them. An empty one is ``None``."""
    payloads = [body.removeprefix(ONE) if body else NONE for body in bodies]
    return join(payloads)


class Place(NamedTuple):
    """Where the results go that a job waits for: packed behind its arguments."""

    name: str
    """The parameter; empty: the first by position."""
    gathered: bool
    """They are one list, however many."""


def call(body: bytes) -> Tuple[List[Any], Dict[str, Any]]:
    """The arguments of a call by position and by name, with the results it has waited for.

    Raises:
        PeerError: these are none.
        EnvironmentFault: a library it needs is not installed here.
    """
    values = Decoder().values(body)
    try:
        (args, kwargs, *place), *inputs = values
        return _put(list(args), dict(kwargs), inputs, *place) if inputs else (list(args), dict(kwargs))
    except (TypeError, ValueError):
        raise PeerError("these are no arguments of a job") from None


def _put(
    args: List[Any], kwargs: Dict[str, Any], inputs: List[Any], place: Sequence[Any]
) -> Tuple[List[Any], Dict[str, Any]]:
    name, gathered = place
    value = inputs if gathered else inputs[0]
    return (args, {name: value, **kwargs}) if name else ([value, *args], kwargs)


def lacks_results(body: bytes) -> bool:
    """Whether these are arguments of a job that still waits for others.

    Raises:
        PeerError: these are none.
        EnvironmentFault: a library it needs is not installed here.
    """
    try:
        (_, _, *place), *inputs = Decoder().values(body)
    except (TypeError, ValueError):
        raise PeerError("these are no arguments of a job") from None
    return bool(place) and not inputs


def whole(body: Optional[bytes], path: str) -> bytes:
    """What lies in the store, or in the file that it names.

    Raises:
        OSError: that cannot be read.
    """
    return read(path) if path else body or b""
