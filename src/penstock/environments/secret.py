"""What an address must not have in it: in ``penstock.lock`` it would be kept with the code, in clear."""

from __future__ import annotations

import re

from penstock.environments.lock import Locked
from penstock.errors import BadSpec

# Anywhere in an address, but for folders by first letters, as indexes of packages have: packages/t/tomli/.
_LETTER = r"[tT][A-Za-z._-]*\d{0,2}[A-Za-z._-]*/"
BEFORE_TOKEN = rf"(?:\w+://[^/\s]+(?=/t/)|https?://[^/\s]+/[^?#\s]*?(?=/t/(?!{_LETTER})[^/\s]+/))"
"""What an address has before ``/t/TOKEN``, which may stand behind the host or deeper: ``host/api/repo``."""

_ADDRESS = re.compile(r"\w+://[^\s'\"]+")
_KINDS = (
    (re.compile(r"https?://[^/]*@|\w+://[^/@]*:[^/]*@"), "a user name or password"),
    (re.compile(rf"(?=http){BEFORE_TOKEN}/t/[^/$]+/"), "a token"),
    (re.compile(r"https?://[^#]*\?"), "a query, where tokens are,"),
)
"""Of what an address begins with. A variable like ``${TOKEN}`` is none; nor is who logs in by ssh."""


def refuse(text: str, where: str) -> None:
    """See that no address in ``text`` has a secret; ``where`` it stands.

    Raises:
        BadSpec: one has; the sentence has not.
    """
    for address in _ADDRESS.findall(text):
        for pattern, what in _KINDS:
            if pattern.match(address):
                raise BadSpec(
                    f"{what} is in the address {redacted(address)}; write it without, and put them into"
                    " ~/.netrc (machine HOST login NAME password WORD), which is read for conda and for pip",
                    where,
                )


def refuse_locked(locked: Locked, where: str) -> None:
    """The same for all that a lock has: other tools write into theirs what they like.

    Raises:
        BadSpec: as of ``refuse``.
    """
    records = [record for pins in locked.platforms.values() for record in pins.conda]
    found = [f"{record.channel}/{record.subdir}/{record.fn}" for record in records]
    refuse("\n".join([*locked.channels, *found, locked.pip]), where)


def redacted(text: str) -> str:
    """``text`` without user names, passwords, tokens and queries in addresses."""
    text = re.sub(r"(\w+://)[^/@\s]+@", r"\1***@", text)
    text = re.sub(rf"((?=http){BEFORE_TOKEN}/t/)[^/$\s]+", r"\1***", text)
    return re.sub(r"(https?://[^?#\s]+\?)[^#\s'\"`)]+", r"\1***", text)
