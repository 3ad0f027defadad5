"""What `check` and `doctor` find: a subject, a verdict, a sentence, and what to do about it."""

from __future__ import annotations

from typing import Callable, NamedTuple, Sequence

from penstock.cli import terminal

GOOD, DOUBTFUL, BAD = "good", "doubtful", "bad"

MARKS: dict[str, Callable[[str], str]] = {GOOD: terminal.good, DOUBTFUL: terminal.doubtful, BAD: terminal.bad}
"""Always with a word: a colour alone says nothing to many people and to no log file."""
WORDS = {GOOD: "ok", DOUBTFUL: "warning", BAD: "wrong"}


class Finding(NamedTuple):
    """One thing that was looked at."""

    subject: str
    verdict: str
    """``good``, ``doubtful`` (it works, but) or ``bad``."""
    text: str
    cure: str = ""
    """What to do, where something must be done."""


def verdict(findings: Sequence[Finding]) -> int:
    """The exit code: 1 when anything is bad."""
    return int(any(finding.verdict == BAD for finding in findings))


def lines(findings: Sequence[Finding]) -> list[str]:
    """One line per finding, its cure below it."""
    widest = max((len(finding.subject) for finding in findings), default=0)
    shown = []
    for finding in findings:
        mark = MARKS[finding.verdict](WORDS[finding.verdict].ljust(7))
        shown.append(f"{mark}   {finding.subject.ljust(widest)}   {finding.text}")
        if finding.cure:
            shown.append(" " * (10 + widest + 3) + terminal.strong(finding.cure))
    return shown


def summary(findings: Sequence[Finding]) -> str:
    """The last line: ``9 looked at, 1 warning, nothing wrong``."""
    counts = {each: sum(finding.verdict == each for finding in findings) for each in MARKS}
    warnings = (
        f"{counts[DOUBTFUL]} warning{'s' * (counts[DOUBTFUL] != 1)}" if counts[DOUBTFUL] else "no warnings"
    )
    wrong = terminal.bad(f"{counts[BAD]} wrong") if counts[BAD] else terminal.good("nothing wrong")
    return f"{len(findings)} looked at, {warnings}, {wrong}"


def as_fields(findings: Sequence[Finding]) -> dict[str, object]:
    """For a JSON document."""
    return {"ok": not verdict(findings), "findings": [finding._asdict() for finding in findings]}
