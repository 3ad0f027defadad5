"""Where packages come from: a channel as it was written, and what is asked for on the wire.

    written   conda-forge | https://host/t/TOKEN/chan | https://host/t/${TOKEN}/chan | ./chan | file:///srv/chan
    name      what penstock.lock says: as written, but for a token that stands there in clear
    url       without any token: what the records of the lock are compared with
    wire      with the token: what is asked for

So neither the lock nor an environment that is made from it holds a secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from penstock.environments.secret import BEFORE_TOKEN, redacted

NETRC = "write it into ~/.netrc (machine, login, password), which conda's side and pip's side both read"

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_TOKEN = re.compile(rf"^({BEFORE_TOKEN})/t/[^/]+")
_USER = re.compile(r"^\w+://[^/]*@")
_LOCAL = ("./", "../", "/", "~")
_COMMERCIAL = (
    "the channel 'defaults' is Anaconda's, under terms of its own; write conda-forge, or the address you mean"
)


class Channel(msgspec.Struct, frozen=True):
    """One of them."""

    name: str
    """What people write and the lock says."""
    url: str
    """Without secrets; a bare name like ``conda-forge`` where conda's configuration says what it is."""
    wire: str
    """What is asked for: ``url``, with its token where there is one."""


def name_of(written: str) -> str:
    """What the lock says of it: as it is written, but for a token that stands there in clear.

    The name of a token's variable may stay: it tells nothing, and finds the token when it is needed.

    Raises:
        ValueError: it cannot be meant; says why.
    """
    _refuse(written, written)
    found = _TOKEN.match(written)
    is_secret = found is not None and "$" not in found[0].rpartition("/")[2]
    return (_TOKEN.sub(r"\1", written) if is_secret else written).rstrip("/") or "/"


def channel(written: str, folder: str, environ: Mapping[str, str]) -> Channel:
    """The channel that ``written`` means in a file of ``folder``.

    Raises:
        ValueError: it means none; says why.
    """
    name = name_of(written)
    whole = _expanded(written, environ)
    _refuse(whole, written)
    if whole in {".", ".."} or whole.startswith(_LOCAL):
        whole = Path(os.path.abspath(os.path.join(folder, whole))).as_uri()
    return Channel(name, _TOKEN.sub(r"\1", whole).rstrip("/"), whole.rstrip("/"))


def _refuse(text: str, written: str) -> None:
    if text == "defaults":
        raise ValueError(_COMMERCIAL)
    if not text or text.startswith("<"):
        raise ValueError(f"the channel {written!r} is empty")
    if _USER.match(text):
        raise ValueError(f"there is a user or a password in the address of a channel; {NETRC}")
    if "://" in text and "?" in text:
        raise ValueError(f"there is a query in the address of a channel, where tokens are; {NETRC}")


def _expanded(written: str, environ: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in environ:
            raise ValueError(f"the channel {redacted(written)!r} needs the variable {name}, which is not set")
        return environ[name]

    text = _VARIABLE.sub(value, written)
    if text == "~" or text.startswith("~/"):
        return environ.get("HOME", "~") + text[1:]
    return text
