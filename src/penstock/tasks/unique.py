"""The key by which two jobs are one: ``unique=`` of their task, applied to their arguments."""

from __future__ import annotations

import hashlib
import string
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from penstock.errors import UserError, WiringError
from penstock.pipeline.nearest import nearest
from penstock.tasks.form import Form
from penstock.tasks.freight import encoder
from penstock.tasks.knobs import Unique

LONGEST = 200
"""Letters of a key as it is written; of a longer one, which a broker might not take, there is a digest."""


def check(unique: Unique, form: Form) -> None:
    """Refuse a format that names no parameters of the code.

    Raises:
        WiringError: it does; names the nearest.
    """
    if not isinstance(unique, str):
        return
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(unique) if field is not None]
    except ValueError as error:
        raise WiringError(f"unique={unique!r}: {error}") from None
    for field in fields:
        name = field.partition(".")[0].partition("[")[0]
        if name not in form.names:
            raise WiringError(f"unique={unique!r}: there is no argument {name!r}{nearest(name, form.names)}")
    if not fields:
        raise WiringError(
            f"unique={unique!r} is the same for all arguments; name some, like '{{{_first(form)}}}'"
        )


def key(
    task: str, unique: Unique, form: Optional[Form], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> str:
    """What no second live job of the group may have; empty: any may.

    ``form`` is ``None`` where the code is not loaded here: then its arguments have no names but those given.

    Raises:
        UserError: the function or format failed on these arguments.
        UnsupportedType: an argument cannot travel.
    """
    if unique is False:
        return ""
    named = (
        form.named(args, kwargs) if form else {**{str(at): each for at, each in enumerate(args)}, **kwargs}
    )
    if unique is True:
        return f"{task}:{_digest(named)}"
    try:
        found = unique.format(**named) if isinstance(unique, str) else unique(*args, **kwargs)
    except Exception as error:
        raise UserError(f"unique= of {task} failed on these arguments: {error!r}") from error
    text = str(found)
    return f"{task}:{text if len(text) <= LONGEST else _hashed(text)}"


def _digest(named: Dict[str, Any]) -> str:
    """The same for equal arguments, in every process."""
    return _hashed(repr(_canonical(named, encoder().encode)))


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _canonical(value: Any, encode: Callable[[Any], bytes]) -> Any:
    """Dicts and sets in one order, whatever order theirs is; the rest as it travels."""
    if isinstance(value, Mapping):
        pairs: List[Any] = [(encode(name), _canonical(value[name], encode)) for name in value]
        return "dict", sorted(pairs, key=repr)
    if isinstance(value, (set, frozenset)):
        return "set", sorted(map(encode, value))
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [_canonical(each, encode) for each in value]
    return encode(value)


def _first(form: Form) -> str:
    return next(iter(form.names), "name")
