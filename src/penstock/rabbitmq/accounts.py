"""Who may do what on the broker, and nothing else. A decision module.

RabbitMQ's permissions are three patterns of names, for what one may declare, write to and read from; of topic
exchanges also two of keys. A pattern of keys that is absent allows all, so they are all said. Nobody may
write to the default exchange, ``amq.default``: it reaches every queue.

What RabbitMQ cannot refuse: who may read a queue may empty it; before 4.3 everybody may ask how long one is.
"""

from __future__ import annotations

import re
from typing import Iterable, NamedTuple, Sequence

from penstock.rabbitmq.topology import (
    ALL,
    ASK,
    ASKS,
    AT_ONCE,
    CLAIM,
    CLAIMS,
    CONTROL,
    EVENTS,
    JOBS,
    LATER,
    LIVE,
    NEWS,
    RETRY,
    RUNGS,
    STORE,
    SUBMITTED,
    check_group,
    work_queue,
)
from penstock.rabbitmq.url import USUAL_VHOST

NOTHING = "^$"
ID = r"[\w-]+"
"""Of who has a queue of its own."""


class Keys(NamedTuple):
    """With which keys one may publish to an exchange, and bind a queue to it."""

    exchange: str
    write: str = NOTHING
    read: str = NOTHING


class Account(NamedTuple):
    """One user of the broker."""

    name: str
    configure: str = NOTHING
    write: str = NOTHING
    read: str = NOTHING
    keys: tuple[Keys, ...] = ()
    tags: tuple[str, ...] = ()
    purpose: str = ""
    """Who uses it, for people."""


def accounts(groups: Iterable[str], vhost: str = USUAL_VHOST) -> tuple[Account, ...]:
    """All there are for these groups. Users are the whole broker's, so those of another virtual host have its
    name."""
    names = sorted({check_group(group) for group in groups})
    prefix = "ps" if vhost == USUAL_VHOST else re.sub(r"[^\w.-]", "-", vhost)
    several = [worker("ps-workers", names)] if len(names) > 1 else []
    mine = (
        api(),
        hub(),
        *(worker(f"ps-worker-{name}", [name]) for name in names),
        *several,
        notebook(),
        monitor(),
    )
    return tuple(each._replace(name=prefix + each.name.removeprefix("ps")) for each in mine)


def api(name: str = "ps-api") -> Account:
    """Who submits: a web API, a script."""
    inbox = rf"ps\.reply\.{ID}"
    return Account(
        name,
        configure=_only(inbox),
        write=_only(*_names(JOBS, CONTROL), inbox),
        read=_only(*_names(CONTROL), inbox),
        keys=(
            Keys(JOBS, write=rf"^({LATER}\.)?{ID}$"),
            Keys(CONTROL, write=_only(ASK), read=_only(NEWS, rf"reply\.{ID}")),
        ),
        purpose="submits jobs, and asks for them",
    )


def notebook(name: str = "ps-notebook") -> Account:
    """Who submits, and looks on as it happens."""
    inbox, live = rf"ps\.reply\.{ID}", rf"ps\.live\.{ID}"
    common = api()
    return common._replace(
        name=name,
        configure=_only(inbox, live),
        write=_only(*_names(JOBS, CONTROL), inbox, live),
        read=_only(*_names(CONTROL, EVENTS), inbox, live),
        keys=(*common.keys, _looking_on()),
        purpose="submits jobs, and follows their progress and logs",
    )


def worker(name: str, groups: Sequence[str]) -> Account:
    """A supervisor that runs the jobs of these groups. It cannot submit, nor speak for another group."""
    ours = f"({'|'.join(map(re.escape, groups))})"
    inbox = rf"ps\.ctl\.{ours}\.{ID}"
    rungs = "|".join(rung.name for rung in RUNGS)
    return Account(
        name,
        configure=_only(inbox),
        write=_only(*_names(JOBS, RETRY, EVENTS), inbox),
        read=_only(*_names(CONTROL, *map(work_queue, groups)), inbox),
        keys=(
            Keys(JOBS, write=rf"^{AT_ONCE}\.{ours}$"),
            Keys(RETRY, write=rf"^({rungs})\.{ours}$"),
            Keys(EVENTS, write=rf"^{ours}\.\w+$"),
            Keys(CONTROL, read=_only(ALL, NEWS, rf"worker\.{ours}\.{ID}")),
        ),
        purpose=f"runs jobs of {', '.join(groups)}",
    )


def hub(name: str = "ps-hub") -> Account:
    """The keeper of the store."""
    inbox = rf"ps\.hub\.{ID}"
    return Account(
        name,
        configure=_only(inbox),
        write=_only(*_names(JOBS, CONTROL, EVENTS), inbox),
        read=_only(*_names(EVENTS, SUBMITTED, STORE, CLAIMS, ASKS), r"ps\.dead\..+", inbox),
        keys=(
            Keys(JOBS, write=".*"),
            Keys(CONTROL, write=".*"),
            # It calls into the queue of claims, to hear whether it is the active one.
            _looking_on()._replace(write=_only(rf"hub\.{CLAIM}")),
        ),
        purpose="keeps the store of jobs",
    )


def monitor(name: str = "ps-monitor") -> Account:
    """Who looks at figures, over HTTP."""
    return Account(name, tags=("monitoring",), purpose="reads the figures of the management API")


def _looking_on() -> Keys:
    return Keys(EVENTS, read=rf"^[\w*-]+\.({'|'.join(LIVE)})$")


def _names(*names: str) -> tuple[str, ...]:
    return tuple(map(re.escape, names))


def _only(*patterns: str) -> str:
    return f"^({'|'.join(patterns)})$"
