"""Runs in the supervisor: who may ask for what. Decides, and knows no socket.

Every verb of control is of one kind, and every role has some kinds. What is not in the table is the owner's.
"""

from __future__ import annotations

import enum


class Kind(enum.Enum):
    """What a verb does."""

    READ = "look at a run"
    CHANGE = "change a run"
    JOIN = "take part in a run"


class Role(enum.StrEnum):
    """As what somebody is known: by the kernel on this machine, by a key from another one."""

    OWNER = "owner"
    """The user whose run it is, and root; or who has a key that is trusted as such."""
    WORKER = "worker"
    """Takes part, and that is all."""
    CLIENT = "client"
    """Of plain sockets: of a run they are told nothing."""
    OBSERVER = "observer"
    """Looks, and changes nothing."""
    NOBODY = "nobody"


VERBS = {
    "ps": Kind.READ,
    "ledger": Kind.READ,
    "events": Kind.READ,
    "sequel": Kind.READ,
    "wait": Kind.READ,
    "renewal": Kind.READ,
    "topics": Kind.READ,
    "versions": Kind.READ,
    "logs": Kind.READ,
    "log": Kind.READ,
    "dead": Kind.READ,
    "letter": Kind.CHANGE,  # it only tells, but what was in an item
    "sample": Kind.CHANGE,  # as tap
    "put_back": Kind.CHANGE,
    "discard": Kind.CHANGE,
    "hear": Kind.CHANGE,  # workers send more, and what they publish may be private
    "speak": Kind.CHANGE,
    "surroundings": Kind.CHANGE,  # it only tells, but with the run's secrets
    "tap": Kind.CHANGE,  # workers begin to copy items, and those may be private
    "record": Kind.CHANGE,
    "record_stop": Kind.CHANGE,
    "calls": Kind.CHANGE,  # it only tells, but to who calls
    "scale": Kind.CHANGE,
    "deploy": Kind.CHANGE,
    "share": Kind.CHANGE,
    "pause": Kind.CHANGE,
    "restart": Kind.CHANGE,
    "requeue": Kind.CHANGE,
    "drain": Kind.CHANGE,
    "stop": Kind.CHANGE,
    "attach": Kind.JOIN,
}
"""All that can be asked on a control socket."""
AFAR = frozenset({"logs", "log", "dead", "letter", "sample", "put_back", "discard"})
"""What is asked from another machine: on that of the run, people read the files."""
HERE = frozenset(
    {"events", "surroundings", "tap", "record", "record_stop", "hear", "speak", "calls", "deploy", "attach"}
)
"""What is asked on the machine of the run alone: its answer goes on, or is of files and processes there."""

RIGHTS = {
    Role.OWNER: frozenset(Kind),
    Role.WORKER: frozenset({Kind.JOIN}),
    Role.OBSERVER: frozenset({Kind.READ}),
    Role.CLIENT: frozenset[Kind](),
    Role.NOBODY: frozenset[Kind](),
}

ROOT = 0


def role_of(uid: int, owner: int) -> Role:
    """The role of a process of user ``uid`` on the machine where user ``owner`` has a run."""
    return Role.OWNER if uid in {owner, ROOT} else Role.NOBODY


def afar(role: Role, verb: str) -> str:
    """Why ``role`` may not ask for ``verb`` from another machine; empty: it may."""
    if why := refusal(role, verb):
        return why
    return f"{verb} is asked on the machine of the run, where its files are" if verb in HERE else ""


def refusal(role: Role, verb: str) -> str:
    """Why ``role`` may not ask for ``verb``; empty: it may."""
    kind = VERBS.get(verb, Kind.CHANGE)
    if kind in RIGHTS[role]:
        return ""
    if role is Role.NOBODY:
        return f"{verb} is refused: the run is another user's"
    can = [each.value for each in Kind if each in RIGHTS[role]]
    may = f"may {' and '.join(can)}" if can else "may ask nothing of a run"
    return f"{verb} is refused: a key that is trusted as {role} {may}; to {kind.value} takes an owner's"
