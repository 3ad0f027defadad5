"""What each knob may be, and for which kind of stage; and the sentences of those who fail."""

from __future__ import annotations

import os
import re
from typing import Any, Callable, Dict, Iterable, Mapping, Optional, Tuple, Union, get_args

from penstock.pipeline.duration import seconds
from penstock.pipeline.flow import chooser
from penstock.pipeline.nearest import nearest
from penstock.pipeline.place import Place
from penstock.pipeline.plan import MOST_REPLICAS, By, Compress, How, OnFull
from penstock.pipeline.reference import told

NAME = re.compile(r"\w[\w.-]{0,63}")
"""Names of stages and pipelines are parts of file names and of labels like ``detect/0``."""

MOST_IN_HAND = 4096
"""Items that one replica works on at once."""

MOST_THREADS = 256
"""Of one replica. More of them wait for the GIL than work."""

MOST_BATCHED = 4096
"""Items of one call: what a link puts into one message at most."""

REMEMBERED, MOST_REMEMBERED = 100_000, 1_000_000
"""Ids that a sink remembers if nothing else is said, and at most; neighbours count as one."""

LONGEST_WAIT = 60.0
"""Seconds that a batch may wait to be full. A source ends when all it made is settled: a drain waits, too."""

NO_SINK = (
    "only a sink can leave a second copy out: what a stage has made of the first may be on its way still,"
    " and until that is through no copy may be settled"
)

ONE_LINE = {
    "dedupe": NO_SINK,
    "batch": "a one-liner takes one item; make it a @stage",
    "batch_wait": "a one-liner takes one item; make it a @stage",
    "pad": "a one-liner takes one item; make it a @stage",
    "concurrency": "a one-liner takes one item after the other; make it a @stage",
    "threads": "a one-liner takes one item after the other; make it a @stage",
    "ordered": "a one-liner keeps nothing; say it of the @stage or @sink behind it",
    "ports": "a one-liner sends what it returns and nothing else; make it a @stage",
}

TOGETHER = {
    "dedupe": NO_SINK,
    "timeout": "it has no code that could take too long",
    "ports": "it has one output",
    "key": "say by= of a window, on= of a join",
    "batch": "it takes items one by one; say how many are put together by count=",
    "batch_wait": "it waits as its own rule says",
    "pad": "it stacks nothing; a stage behind it can",
    "fuse": "it has its process for itself",
    "concurrency": "it has no code that could wait",
    "threads": "it has no code to run in them",
    "ordered": "it puts items together as they arrive",
}

NOT_RETRIED = (
    "what is published is given once, and is gone when that fails; wire a stage for what must not be"
)

PUBLISHED = {
    "max_failures": NOT_RETRIED,
    "max_age": "say conflate=True for a subscriber that only wants the newest",
    "on_full": "who publishes never waits; too many drop the oldest, or say conflate=True",
    "dedupe": NOT_RETRIED,
    "key": "each replica of a subscriber gets all that it asks for",
    "ports": "nothing comes out of a subscriber; it can ctx.publish",
    "batch": "a subscriber takes values one by one",
    "batch_wait": "a subscriber takes values one by one",
    "pad": "a subscriber takes values one by one",
    "concurrency": "a subscriber takes values one after the other",
    "threads": "a subscriber takes values one after the other",
    "compress": "nothing comes out of a subscriber",
    "ordered": "values of one publisher come in its order anyway",
    "fuse": "a subscriber has its process for itself",
}

REFUSED: Dict[How, Dict[str, str]] = {
    "source": {
        "window": "a source gets no items, so it has no window",
        "timeout": "a source gets no items, so none can take too long; it may wait in `next()` for ever",
        "max_failures": "a source gets no items that could fail; when it raises, it is started again",
        "max_age": "a source gets no items that could be too old; say it at the stage that is fed",
        "on_full": "a source gets no items; say it at the stage that is fed, or at the wire to it",
        "dedupe": "a source gets no items that could come twice",
        "key": "a source gets no items; say it of the stage whose replicas are to get them by key",
        "concurrency": "a source gets no items; an async generator may wait for many things by itself",
        "threads": "a source gets no items; it may start threads of its own",
        "batch": "a source gets no items; those it yields are batched where they are taken",
        "batch_wait": "a source gets no items to wait for",
        "pad": "a source gets no items to stack",
        "ordered": "a source makes the order; say it of the stage that is to get its items so",
        "fuse": "a source has its process for itself: what is raised in one ends it",
    },
    "stage": {
        "dedupe": NO_SINK,
    },
    "service": {
        "ports": "a service answers whoever calls it, and sends nothing else; make it a @stage",
        "dedupe": NO_SINK,
        "key": "a call goes to the replica that has the fewest",
        "compress": "a service answers whoever calls it, and sends no items",
        "max_age": "a call has a time of its own: call(..., timeout=...)",
        "on_full": "whoever calls waits for room, as long as the call has time",
        "ordered": "calls are answered as they come",
        "fuse": "a service has its process for itself",
        "concurrency": "a replica answers one call after the other; say replicas=",
        "threads": "a replica answers one call after the other; say replicas=",
    },
    "sink": {
        "ports": "nothing comes out of a sink; make it a @stage",
        "compress": "nothing comes out of a sink; say it of the stage or source before it",
    },
    "window": TOGETHER,
    "join": TOGETHER,
    "subscriber": PUBLISHED,
    "map": ONE_LINE,
    "filter": ONE_LINE,
    "split": ONE_LINE,
}
"""Knobs that say nothing where code is declared so, and why."""

NOT_EXTERNAL = {
    "ordered": "a script that is attached takes its items as they come",
    "batch": "a script that is attached takes its items one by one",
    "batch_wait": "a script that is attached takes its items one by one",
    "pad": "a script that is attached takes its items one by one",
    "concurrency": "a script that is attached takes its items one by one",
    "threads": "a script that is attached takes its items one by one",
    "dedupe": "a script that is attached sees the id of each item, and remembers for itself",
    "fuse": "it runs in the script that is attached",
    "env": "the script that is attached runs in its own",
    "interpreter": "the script that is attached has its own",
    "variables": "the script that is attached has its own",
    "hosts": "the script that is attached is where it is",
    "max_restarts": "a script is never started again by the pipeline; whoever runs it attaches again",
}
"""Knobs that say nothing for a stage without code of its own, and why."""

SYNONYMS = {
    "batch_size": "batch",
    "batch_timeout": "batch_wait",
    "max_concurrency": "concurrency",
    "max_in_flight": "concurrency",
    "max_threads": "threads",
    "max_workers": "replicas",
    "num_workers": "replicas",
    "parallel": "replicas",
    "parallelism": "replicas",
    "pool": "threads",
    "thread_pool": "threads",
    "backpressure": "on_full",
    "deduplicate": "dedupe",
    "drop": "on_full",
    "colocate": "fuse",
    "compression": "compress",
    "environment": "variables",
    "host": "hosts",
    "label": "hosts",
    "node": "hosts",
    "group_by": "key",
    "exactly_once": "dedupe",
    "idempotent": "dedupe",
    "in_order": "ordered",
    "instances": "replicas",
    "order": "ordered",
    "overflow": "on_full",
    "max_batch_size": "batch",
    "padding": "pad",
    "partition_by": "key",
    "inline": "fuse",
    "prefetch": "window",
    "preserve_order": "ordered",
    "processes": "replicas",
    "python": "interpreter",
    "queue": "window",
    "retries": "max_failures",
    "time_limit": "timeout",
    "ttl": "max_age",
    "workers": "replicas",
}
"""What the same is called elsewhere: no spelling is near enough to find these."""


def check(how: How, knob: str, value: Any, place: Place, *, more: Iterable[str] = ()) -> Any:
    """The value of a knob as it is kept. ``more``: what could be meant besides knobs.

    Raises:
        ValueError: no such knob (says the nearest), none for that, or not a possible value.
    """
    if knob not in CHECKS:
        raise ValueError(f"there is no knob {knob!r}{_hint(knob, more)}")
    if knob in REFUSED[how]:
        raise ValueError(f"{knob}={value!r}: {REFUSED[how][knob]}")
    try:
        return CHECKS[knob](value, place)
    except ValueError as error:
        raise ValueError(f"{knob}={told(value)}: {error}") from None


def _hint(knob: str, more: Iterable[str]) -> str:
    known = SYNONYMS.get(knob)
    return f"; did you mean {known!r}?" if known else nearest(knob, [*CHECKS, *more])


def check_name(value: Any) -> str:
    """A name of a stage or pipeline.

    Raises:
        ValueError: it could not be part of a file's name.
    """
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError(
            "a name is made of up to 64 letters, digits, '_', '-' and '.', and begins with no sign"
        )
    return value


def check_on_full(value: Any) -> OnFull:
    """What a full link does.

    Raises:
        ValueError: nothing that there is.
    """
    if value not in get_args(OnFull):
        raise ValueError(f"there is no such choice{nearest(str(value), get_args(OnFull))}")
    return value  # type: ignore[no-any-return]


def _compress(value: Any, _: Place) -> Optional[Compress]:
    if value is not None and value not in get_args(Compress):
        raise ValueError(f"there is no such way to compress{nearest(str(value), get_args(Compress))}")
    return value  # type: ignore[no-any-return]


def _more_than_zero(value: Any) -> float:
    found = seconds(value)
    if found <= 0:
        raise ValueError("must be more than no time")
    return found


def _batch(value: Any, place: Place) -> int:
    return _at_most(MOST_BATCHED, "{} items are the most that one call takes")(value, place)


def _batch_wait(value: Any, _: Place) -> float:
    found = seconds(value)
    if not 0 <= found <= LONGEST_WAIT:
        raise ValueError(f"must be {LONGEST_WAIT:g} seconds at most: whoever drains has to wait for it")
    return found


def _pad(value: Any, _: Place) -> Union[int, float]:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("must be a number, to fill the ends of smaller arrays with")  # noqa: TRY004
    return value


def _replicas(value: Any, place: Place) -> int:
    return _at_most(MOST_REPLICAS, "each replica is a process, and {} are the most")(value, place)


def _at_most(most: int, sentence: str) -> Callable[[Any, Place], int]:
    """``sentence``: what is said of more, with a place for the number."""

    def check(value: Any, place: Place) -> int:
        found = _at_least(1)(value, place)
        if found > most:
            raise ValueError(sentence.format(most))
        return found

    return check


def whole_number(value: Any, least: int) -> int:
    """A count of something.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"must be a whole number, {least} or more")
    return value


def _at_least(least: int) -> Callable[[Any, Place], int]:
    return lambda value, _: whole_number(value, least)


def _dedupe(value: Any, place: Place) -> int:
    if isinstance(value, bool):
        return REMEMBERED if value else 0
    found = _at_least(1)(value, place)
    if found > MOST_REMEMBERED:
        raise ValueError(f"{MOST_REMEMBERED:,} ids are the most: they lie in shared memory, 32 bytes each")
    return found


def _limit(value: Any, _: Place) -> Optional[float]:
    return None if value is None else _more_than_zero(value)


def _env(value: Any, _: Place) -> Optional[str]:
    return None if value is None else check_name(value)


def _interpreter(value: Any, place: Place) -> Optional[str]:
    """An absolute path, or a name to be found on ``PATH``.

    Symbolic links stay as they are: a virtual environment's python is one, and where it lies says
    which packages it has.
    """
    if value is None:
        return None
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise ValueError("must be the path of a Python interpreter")
    path = os.path.expanduser(os.fspath(value))
    return os.path.join(place.directory, path) if os.sep in path else path


def _variables(value: Any, _: Place) -> Dict[str, str]:
    if not isinstance(value, Mapping):  # a ValueError for types, too: see CHECKS
        raise ValueError('must be a mapping, like {"OMP_NUM_THREADS": "1"}')  # noqa: TRY004
    for name, content in value.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise ValueError(f"{name!r} cannot be the name of an environment variable")
        if not isinstance(content, str) or "\0" in content:
            raise ValueError(f'the value of {name} must be text; write "{content}"')
    return dict(value)


def _ports(value: Any, _: Place) -> Tuple[str, ...]:
    if isinstance(value, str):
        raise ValueError(f'must be a tuple of names; write ports=("{value}",)')  # noqa: TRY004
    if not isinstance(value, (tuple, list)) or not all(isinstance(name, str) for name in value):
        raise ValueError('must be a tuple of names, like ("rejected",)')
    names = tuple(check_name(name) for name in value)
    if len(set(names)) < len(names):
        raise ValueError("the same port is named twice")
    return names


def _key(value: Any, _: Place) -> Optional[By]:
    return None if value is None else chooser(value)


def _ordered(value: Any, _: Place) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be True or False")  # noqa: TRY004
    return value


def _fuse(value: Any, _: Place) -> Optional[bool]:
    if value is not None and not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


# A check answers with the value as it is kept, or raises a ValueError: the end of a sentence about it.
CHECKS: Dict[str, Callable[[Any, Place], Any]] = {
    "name": lambda value, _: check_name(value),
    "replicas": _replicas,
    "window": _at_least(1),
    "timeout": _limit,
    "max_failures": _at_least(0),
    "max_age": _limit,
    "on_full": lambda value, _: check_on_full(value),
    "compress": _compress,
    "max_restarts": _at_least(0),
    "start_timeout": lambda value, _: _more_than_zero(value),
    "env": _env,
    "interpreter": _interpreter,
    "variables": _variables,
    "hosts": _env,
    "ports": _ports,
    "dedupe": _dedupe,
    "key": _key,
    "ordered": _ordered,
    "fuse": _fuse,
    "concurrency": _at_most(MOST_IN_HAND, "{} items in hand are the most"),
    "threads": _at_most(MOST_THREADS, "{} threads are the most; `replicas` are not slowed down by the GIL"),
    "batch_wait": _batch_wait,
    "pad": _pad,
    "batch": _batch,
}
