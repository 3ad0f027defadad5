"""Topics of published values, ``metrics.loss``; and what asks for them, ``metrics.*``."""

from __future__ import annotations

from typing import Iterable, Tuple, Union

from penstock.errors import UserError

LONGEST = 1000
"""Bytes of a topic."""
ANY = "*"
"""At the end of what is asked for: whatever begins so."""


def written(topic: str) -> bytes:
    """A topic's bytes.

    Raises:
        UserError: it is none.
    """
    if not isinstance(topic, str):
        raise UserError(f"a topic is text, like 'weather.paris', and not {type(topic).__name__}")
    try:
        data = topic.encode()
    except UnicodeEncodeError:
        raise UserError(f"the topic {topic!r:.80} is not valid Unicode") from None
    if not data or len(data) > LONGEST or b"\x00" in data or b"\x01" in data or ANY in topic:
        raise UserError(
            f"{topic!r:.80} is no topic: one has 1 to {LONGEST} bytes, and no '*' and no characters 0 and 1"
        )
    return data


def checked(wanted: str) -> str:
    """What is asked for: a topic, or the beginning of some with a ``*`` behind it.

    Raises:
        UserError: it asks what cannot be asked.
    """
    if not isinstance(wanted, str):
        raise UserError(f"a topic is text, like 'metrics.*', and not {type(wanted).__name__}")
    if ANY in wanted[:-1]:
        raise UserError(f"{wanted!r:.80} cannot be subscribed to: a '*' may only be its last character")
    if wanted != ANY:
        written(wanted[:-1] if wanted.endswith(ANY) else wanted)
    return wanted


def asked(topics: Union[Iterable[str], str]) -> Tuple[str, ...]:
    """All that a subscriber asks for; of no topic at all, an error.

    Raises:
        UserError: there is none, or one that cannot be asked.
    """
    found = (topics,) if isinstance(topics, str) else tuple(topics)
    if not found:
        raise UserError("a subscriber without topics would get nothing; say '*' for all")
    return tuple(map(checked, found))


def wants(patterns: Iterable[str], topic: str) -> bool:
    """Whether one of ``patterns`` asks for ``topic``."""
    return any(topic.startswith(each[:-1]) if each.endswith(ANY) else topic == each for each in patterns)
