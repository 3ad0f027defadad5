"""Which jobs are meant: what people and commands say of them."""

from __future__ import annotations

from typing import Any, List, NamedTuple, Optional, Sequence, Tuple


class Filter(NamedTuple):
    """All that it says must hold; what is not said holds for every job."""

    group: str = ""
    task: str = ""
    states: Sequence[str] = ()
    """Any of these."""
    since: Optional[int] = None
    """Submitted then or later (ms since 1970)."""
    until: Optional[int] = None
    """Submitted before."""
    cause: str = ""
    """Why it failed last has this in it, in either case."""
    by: str = ""
    """Who has submitted it is called so."""
    before: Optional[int] = None
    """Its number is smaller: who has seen the newest goes on with those before the last of them."""

    def sql(self) -> Tuple[str, List[Any]]:
        """As the condition of a SELECT, and its values."""
        tests: List[str] = []
        values: List[Any] = []

        def say(test: str, *said: Any) -> None:
            tests.append(test)
            values.extend(said)

        if self.group:
            say("grp = ?", self.group)
        if self.task:
            say("task = ?", self.task)
        if self.states:
            say(f"state IN ({', '.join('?' * len(self.states))})", *self.states)
        if self.since is not None:
            say("submitted_at >= ?", self.since)
        if self.until is not None:
            say("submitted_at < ?", self.until)
        if self.cause:
            say("instr(lower(cause), lower(?)) > 0", self.cause)
        if self.by:
            say("submitted_by = ? AND submitted_by <> ''", self.by)  # the second is for the index
        if self.before is not None:
            say("seq < ?", self.before)
        return " AND ".join(tests) or "1", values


ANY = Filter()
