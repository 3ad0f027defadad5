"""What a failure of conda's side means: rattler's words as an error of ours, with the place it is about."""

from __future__ import annotations

import re

from penstock.environments import condawire as wire
from penstock.environments.channels import NETRC
from penstock.environments.condafile import CondaRequest
from penstock.environments.secret import redacted
from penstock.errors import BadSpec, BuildFailed, EnvironmentFault, PenstockError, SourceAway, Unsatisfiable

# What rattler says, and what it means; the first that fits.
_MEANINGS: tuple[tuple[str, type[PenstockError], str], ...] = (
    (r"hash mismatch when extracting (?P<it>\S+) ", BuildFailed, "{it} is not the package that was locked"),
    (r"os error 28", BuildFailed, "the disk is full"),
    (r"os error (30|13)\)", BuildFailed, "the cache of environments cannot be written"),
    (
        r"no usable repodata cache for (?P<it>\S+)",
        SourceAway,
        "what {it} has is not in the cache, and conda is to stay offline",
    ),
    (
        r"status client error \(40[13] [^)]*\) for url \((?P<it>[^)]*)",
        SourceAway,
        f"{{it}} refuses us; {NETRC}",
    ),
    (
        r"status client error \(404 [^)]*\) for url \((?P<it>[^)]*\.(conda|tar\.bz2))",
        SourceAway,
        "{it} is not there any more; run `penstock env lock`",
    ),
    (r"could not find subdir '[^']*' in channel '(?P<it>[^']*)'", BadSpec, "there is no channel at {it}"),
    (r"failed to open file `(?P<it>[^`]*)`|No such file", SourceAway, "{it} is not there"),
    (
        r"(?:error sending request|status server error \([^)]*\)) for url \((?P<it>[^)]*)",
        SourceAway,
        "{it} cannot be reached",
    ),
)


def fault(failed: wire.Failed, where: str, request: CondaRequest | None = None) -> PenstockError:
    """The error that a failure is.

    Args:
        failed: What the process that knows conda has said.
        where: What it is about, where nothing closer is known: a file, or a line of one.
        request: What was to be solved, if anything was.
    """
    message = redacted(failed.message)
    place = request.places[failed.index] if request and failed.index >= 0 else where
    if failed.kind == "missing":
        return EnvironmentFault("environments of conda need py-rattler: pip install 'penstock[conda]'")
    if failed.kind == "spec" and request:
        return BadSpec(
            f"{request.specs[failed.index]!r} is not a package as conda writes it: {message}", place
        )
    if failed.kind == "unsatisfiable":
        return Unsatisfiable(_unsatisfiable(message, request), place)
    if failed.kind == "bad":
        return BadSpec(message, where)
    if failed.kind == "uncached":
        return SourceAway(f"not in the cache, and conda is to stay offline: {message}")
    if failed.kind == "refused":
        return BuildFailed(message)
    return _understood(message, where)


def _unsatisfiable(message: str, request: CondaRequest | None) -> str:
    words = message.removeprefix("Cannot solve the request because of: ").strip()
    if "\n" not in words and not words.startswith("No candidates"):
        return words
    names = ", ".join(each.name for each in request.channels) if request else ""
    platform = f" on {request.platform}" if request else ""
    return (
        f"no set of packages is what it asks for{platform}, of {names}:\n{_indented(words)}{_machine(words)}"
    )


def _machine(words: str) -> str:
    """What the machine lacks can be said to be there: a lock may be made where no GPU is."""
    found = re.search(r"__(cuda|glibc|osx|linux|archspec) [^,]*, for which no candidates were found", words)
    return f"\n  CONDA_OVERRIDE_{found[1].upper()} says which one to lock for" if found else ""


def _understood(message: str, where: str) -> PenstockError:
    for pattern, kind, sentence in _MEANINGS:
        if found := re.search(pattern, message):
            said = {name: value for name, value in found.groupdict().items() if value}
            whole = sentence.format(it=next(iter(said.values()), "it"))
            return BadSpec(whole, where) if kind is BadSpec else kind(f"{whole}{_cause(message)}")
    return BuildFailed(f"conda's side could not do it:\n{_indented(message)}")


def _cause(message: str) -> str:
    """The innermost of rattler's causes, where there are several: the others say the same with more words."""
    causes = message.split("Caused by: ")
    return f": {causes[-1].strip()}" if len(causes) > 1 and "url (" not in causes[-1] else ""


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines())
