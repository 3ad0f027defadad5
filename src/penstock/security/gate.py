"""Who is let in, by ZAP (ZeroMQ's RFC 27). Decides, and knows no socket.

version | request | domain | address | identity | mechanism | public key, 32 bytes
version | request | code | words | user | metadata                                  the answer
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable, List, NamedTuple, Optional

from penstock.security.keys import Trusted

VERSION, MECHANISM = b"1.0", b"CURVE"
YES, NO = b"200", b"400"

Who = Callable[[str, bytes], Optional[Trusted]]
"""Whose key that is, if a domain lets them in."""


class Verdict(NamedTuple):
    """What is answered, and why not, for the log."""

    answer: List[bytes]
    refusal: str = ""


def domain_of(request: Sequence[bytes]) -> str:
    """For which socket that was asked, as far as it can be told."""
    return request[2].decode("ascii", "replace") if len(request) > 2 else ""


def judge(request: Sequence[bytes], who: Who) -> Verdict:
    """The verdict on a request, whatever it is."""
    if len(request) < 6 or request[0] != VERSION:
        return _refused(request[1] if len(request) > 1 else b"", "what asked for it is no request")
    number, domain, address, mechanism = request[1], domain_of(request), request[3], request[5]
    where = address.decode("ascii", "replace")
    if mechanism != MECHANISM or len(request) != 7 or len(request[6]) != 32:
        return _refused(number, f"somebody at {where} came without a key")
    found = who(domain, request[6])
    if found is None:
        return _refused(
            number, f"somebody at {where} has a key that is not trusted here: {request[6].hex()[:16]}..."
        )
    return Verdict([VERSION, number, YES, b"", f"{found.role}:{found.name}".encode(), b""])


def _refused(number: bytes, why: str) -> Verdict:
    return Verdict([VERSION, number, NO, b"not trusted", b"", b""], why)
