"""Arguments and results as the bytes that lie in the store."""

from __future__ import annotations

from typing import Any

from penstock.errors import UserError
from penstock.message.codec import Decoder, Encoder, join

LARGEST = 2**30
"""Bytes of one job's arguments, or of its result."""


def packed(value: Any) -> bytes:
    """One value as a body of one, which needs nothing beside it.

    Raises:
        UnsupportedType: it cannot travel.
        UserError: it is too large.
    """
    body = join([Encoder(None).encode(value)])
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
