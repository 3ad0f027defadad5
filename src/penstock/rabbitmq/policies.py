"""What the broker is to do with queues, in the words that its version understands. A decision module.

Policies and not arguments: a queue's arguments cannot be changed while it is there, and one set that all
versions take does not exist. 3.10 refuses ``consumer-timeout`` and ``delivery-limit: -1`` in policies, and
takes the latter as an *argument* to drop a message at its first return; from 4.0 on the default is 20, so
that what may be looked at often needs -1. Of several policies that match a queue only one counts, so each is
complete.
"""

from __future__ import annotations

import re
from typing import Mapping, NamedTuple

from penstock.rabbitmq.topology import ASKS, CLAIMS, DEAD_LETTERS, JOBS, RUNGS, STORE, SUBMITTED

Version = tuple[int, int]
"""Of the broker; more of it changes nothing here."""
OLDEST: Version = (3, 10)

Definition = Mapping[str, object]
DAY = 86_400_000
LONGEST = 30 * DAY
"""For how long a job may be run, where nothing says less; timers of the broker end at 49 days."""

GIVES_UP_AFTER = 100
"""Deliveries of one job that nobody has settled. It is penstock that counts failures; this ends what kills
every supervisor before one of them can count. A delivery that was only handed ahead counts, too, so there
must be room."""
MOST_WAITING = 1_000_000
MOST_DEAD = 100_000
STALE = 30_000
"""Milliseconds after which nobody waits for an answer any more; who does has asked again."""


class Policy(NamedTuple):
    """One, as the management API takes it."""

    name: str
    pattern: str
    definition: Definition
    applies_to: str
    priority: int = 10
    """Of several that match a queue, the one with the highest counts, and it alone."""

    @property
    def body(self) -> dict[str, object]:
        """For a request to the API, or an entry of definitions."""
        return {
            "pattern": self.pattern,
            "definition": dict(self.definition),
            "apply-to": self.applies_to,
            "priority": self.priority,
        }


def version_of(said: object) -> Version:
    """``"3.10.8"``, as a broker says it, for comparison. What it cannot be is the oldest there is."""
    found = re.match(r"(\d+)\.(\d+)", said) if isinstance(said, str) else None
    return (int(found[1]), int(found[2])) if found else (0, 0)


def policies(version: Version, longest: int = LONGEST) -> tuple[Policy, ...]:
    """All of them.

    Args:
        version: Of the broker.
        longest: For how many milliseconds a job may be run, of those who have a limit. From 3.12 on a
            policy can say so; before, only the broker's own configuration (``doctor`` knows).
    """
    applies_to = "quorum_queues" if version >= (3, 12) else "queues"
    held: Definition = {"consumer-timeout": longest} if version >= (3, 12) else {}
    for_ever: Definition = {"delivery-limit": -1} if version >= (4, 0) else {}
    return tuple(
        Policy(name, pattern, definition, applies_to)
        for name, pattern, definition in (
            ("ps-work", r"^ps\.q\.", {**_dying_to(DEAD_LETTERS), "delivery-limit": GIVES_UP_AFTER, **held}),
            *(
                (f"ps-{rung.name}", _exactly(rung.queue), {"message-ttl": rung.pause, **_dying_to(JOBS)})
                for rung in RUNGS
            ),
            ("ps-dead", r"^ps\.dead\.", {**_full_at(MOST_DEAD), **for_ever}),
            ("ps-store", _exactly(SUBMITTED, STORE), {**_full_at(MOST_WAITING), **for_ever}),
            ("ps-asks", _exactly(CLAIMS, ASKS), {"message-ttl": STALE, **_full_at(MOST_WAITING), **for_ever}),
        )
    )


def _dying_to(exchange: str) -> Definition:
    # At least once needs reject-publish: with another overflow it is quietly at most once.
    return {
        "dead-letter-exchange": exchange,
        "dead-letter-strategy": "at-least-once",
        **_full_at(MOST_WAITING),
    }


def _full_at(count: int) -> Definition:
    return {"max-length": count, "overflow": "reject-publish"}


def _exactly(*queues: str) -> str:
    return f"^({'|'.join(map(re.escape, queues))})$"
