"""Runs in the supervisor: what is asked on ``control.sock``, read from one line of JSON, and who asks."""

from __future__ import annotations

import functools
import inspect
import socket
import struct
import typing
from collections.abc import Callable
from typing import Any

import msgspec

from penstock.runtime.supervisor.view import Document

_CREDENTIALS = struct.Struct("3i")
"""pid, uid, gid."""


def asker(line: socket.socket) -> int:
    """The user at the other end, by the kernel's word."""
    known = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(known)[1])


def read(line: bytes) -> tuple[str, Document]:
    """The verb, and what comes with it.

    Raises:
        ValueError: it is no question.
    """
    try:
        # Not by `json`: that knows NaN, which no timer sorts, and minds not how deep brackets go.
        asked = msgspec.json.decode(line, type=dict[str, Any])
        return msgspec.convert(asked.pop("verb"), str), asked
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError) as error:
        raise ValueError(f"no question: {error}") from None


def arguments(handler: Callable[..., Any], given: Document) -> Document:
    """``given``, when they are what ``handler`` takes: all it needs, nothing else, and of those types.

    Raises:
        TypeError: they are not; says which.
    """
    try:
        found = msgspec.convert(given, _form(getattr(handler, "__func__", handler)))
    except msgspec.ValidationError as error:
        raise TypeError(str(error)) from None
    return {name: getattr(found, name) for name in given}


@functools.cache
def _form(handler: Callable[..., Any]) -> type[msgspec.Struct]:
    types = typing.get_type_hints(handler)
    fields: list[Any] = [
        (each.name, types[each.name])
        if each.default is each.empty
        else (each.name, types[each.name], each.default)
        for each in inspect.signature(handler).parameters.values()
        if each.name != "self"
    ]
    return msgspec.defstruct(handler.__name__, fields, kw_only=True, forbid_unknown_fields=True)
