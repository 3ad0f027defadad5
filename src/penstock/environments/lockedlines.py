"""What uv has locked, as text: an entry a package, its version and, in lines of their own, its hashes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from packaging.utils import canonicalize_name

from penstock.errors import BadSpec


def entries(text: str) -> list[str]:
    """Those of packages: no options and comments."""
    return [each for each in re.split(r"\n(?=\S)", text.strip()) if each and each[0] not in "#-"]


def is_local(entry: str) -> bool:
    """Whether it is about a folder or file of this machine."""
    return re.match(r"-e |[./~]|file:|[^@;]+@ *(file:|[./~])", entry) is not None


def lasting(text: str, hashes: Sequence[str]) -> str:
    """Of what was locked, what can stay: no options, and no paths, as they were seen from another folder.

    Where ``hashes`` says some of a package now, those that were said before do not count.
    """
    said = _said(hashes)
    found = [each for each in entries(text) if not is_local(each)]
    return "".join(f"{head(each) if _name(each) in said else each}\n" for each in found)


def narrowed(text: str, hashes: Sequence[str], where: str) -> str:
    """``text``, where ``hashes`` says some of a package, with no others of it.

    Args:
        text: What uv has found.
        hashes: ``alpha sha256:0a1b...`` each.
        where: They stand.

    Raises:
        BadSpec: none of them is a package's that was found.
    """
    said = _said(hashes)
    for entry in entries(text):
        wanted = said.get(_name(entry))
        if wanted is None:
            continue
        kept = [each for each in re.findall(r"--hash=(\S+)", entry) if each in wanted]
        if not kept:
            raise BadSpec(
                f"{head(entry)} has none of the hashes that are said of it; see what has changed", where
            )
        text = text.replace(entry, " \\\n".join([head(entry), *(f"    --hash={each}" for each in kept)]))
    return text


def unhashed(text: str) -> list[str]:
    """Packages that nobody sees change: they have neither a hash nor a commit."""
    return [
        head(each)
        for each in entries(text)
        if "--hash=" not in each and not re.search(r"@[0-9a-f]{40}\b", each)
    ]


def head(entry: str) -> str:
    """It without its hashes."""
    return re.split(r"[\s\\]+--hash=", entry)[0]


def _name(entry: str) -> str:
    return canonicalize_name(re.split(r"[^\w.-]", entry, maxsplit=1)[0])


def _said(hashes: Sequence[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for each in hashes:
        name, _, value = each.rpartition(" ")
        found.setdefault(name, set()).add(value)
    return found
