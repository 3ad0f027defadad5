"""What ``penstock.toml`` says of groups of tasks: ``[group.NAME]``, who runs their jobs.

[group.gpu]
workers = 2
env = "torch"
gpus = [0, 1]
variables = { OMP_NUM_THREADS = "4", TOKEN = { env = "HUB_TOKEN" } }
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from penstock.config.configuration import PROFILE, Misconfigured
from penstock.config.entry import secret_of
from penstock.config.file import File, nearest_file
from penstock.pipeline.checks import check, whole_number
from penstock.pipeline.nearest import nearest
from penstock.pipeline.place import Place
from penstock.pipeline.secret import Secret

Fields = dict[str, Any]
"""Of a ``StagePlan``."""

UNITS = {"MiB": 2**20, "GiB": 2**30, "MB": 10**6, "GB": 10**9}
SYNONYMS = {"environment": "variables", "python": "interpreter", "replicas": "workers"}


def overlays(directory: str, environ: Mapping[str, str], groups: Sequence[str]) -> dict[str, Fields]:
    """What is said of groups, by their names, in the nearest file upwards and its profile that counts.

    Args:
        directory: Of the app.
        environ: Usually ``os.environ``: ``PENSTOCK_PROFILE`` is in it.
        groups: Those that there are. Others may be of another app, or run command lines; but what is nearly
            one of these is a slip.

    Raises:
        Misconfigured: with all mistakes there are.
    """
    source = nearest_file(directory)
    if source is None:
        return {}
    mistakes: list[str] = []
    found: dict[str, Fields] = {}
    profile = environ.get(PROFILE)
    for above in [(), *([("profile", profile)] if profile else [])]:
        for name, table in _tables(source, above, mistakes):
            place = source.place(*above, "group", name)
            meant = [] if name in groups else difflib.get_close_matches(name, groups, 1)
            if meant:
                mistakes.append(f"{place}: no task is of the group {name!r}; did you mean {meant[0]!r}?")
            fields = _fields(source, (*above, "group", name), table, mistakes)
            found[name] = _merged(found.get(name, {}), fields)
    if mistakes:
        raise Misconfigured(mistakes)
    return found


class Said(NamedTuple):
    """A knob of a group, as it is said."""

    path: tuple[str, ...]
    """``("group", "gpu", "workers")``."""
    value: Any
    place: Place


def said(directory: str, environ: Mapping[str, str], groups: Sequence[str]) -> list[Said]:
    """What counts for groups, group by group: of these, and of others that are named in the file.

    Raises:
        Misconfigured: with all mistakes there are.
    """
    overlays(directory, environ, groups)
    source = nearest_file(directory)
    if source is None:
        return []
    profile = environ.get(PROFILE)
    found: dict[tuple[str, ...], Said] = {}
    for above in [(), *([("profile", profile)] if profile else [])]:
        for name, table in _tables(source, above, []):
            for path, value in _leaves(("group", name), table):
                place = source.place(*above, *path)
                found[path] = Said(path, secret_of(value, place) or value, place)
    return sorted(found.values(), key=lambda each: each.path)


def _leaves(path: tuple[str, ...], table: Fields) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Its knobs; each variable is one."""
    for name, value in table.items():
        if name == "variables" and isinstance(value, dict):
            yield from _leaves((*path, name), value)
        else:
            yield (*path, name), value


def named(directory: str) -> list[str]:
    """The groups that the nearest file upwards says something of.

    Raises:
        Misconfigured: what it says is no table.
    """
    source = nearest_file(directory)
    mistakes: list[str] = []
    found = [name for name, _ in _tables(source, (), mistakes)] if source else []
    if mistakes:
        raise Misconfigured(mistakes)
    return found


def _tables(source: File, above: tuple[str, ...], mistakes: list[str]) -> list[tuple[str, Fields]]:
    table: Any = source.table
    for key in (*above, "group"):
        table = table.get(key, {}) if isinstance(table, dict) else {}
    listed = list(table.items()) if isinstance(table, dict) else [("", table)]
    for name, said in listed:
        if not isinstance(said, dict):
            mistakes.append(f"{source.place(*above, 'group', name)}: must be a table, like [group.gpu]")
    return [(name, said) for name, said in listed if isinstance(said, dict)]


def _fields(source: File, path: tuple[str, ...], table: Fields, mistakes: list[str]) -> Fields:
    found: Fields = {}
    for knob, value in table.items():
        place = source.place(*path, knob)
        if knob not in KNOBS:
            meant = SYNONYMS.get(knob)
            hint = f"; did you mean {meant!r}?" if meant else nearest(knob, KNOBS)
            mistakes.append(f"{place}: {path[-1]}: there is no knob {knob!r}{hint}")
            continue
        try:
            found.update(KNOBS[knob](value, place))
        except ValueError as error:
            mistakes.append(f"{place}: {path[-1]}: {error}")
    return found


def _merged(under: Fields, over: Fields) -> Fields:
    """A profile's variables are added to those that are there; any other value replaces what is."""
    both = {**under, **over}
    for knob in ("variables", "secrets"):
        if knob in under and knob in over:
            both[knob] = {**under[knob], **over[knob]}
    return both


def _of_stages(knob: str) -> Callable[[Any, Place], Fields]:
    """A knob that stages have, too."""
    return lambda value, place: {knob: check("stage", knob, value, place)}


def _workers(value: Any, place: Place) -> Fields:
    try:
        return {"replicas": check("stage", "replicas", value, place)}
    except ValueError as error:
        raise ValueError(str(error).replace("replicas=", "workers=").replace("replica", "worker")) from None


def _variables(value: Any, place: Place) -> Fields:
    if not isinstance(value, dict):
        return {"variables": check("stage", "variables", value, place)}
    secrets: dict[str, Secret] = {}
    for name, content in value.items():
        secret = secret_of(content, place)
        if secret is not None:
            secrets[name] = secret
    plain = {name: content for name, content in value.items() if name not in secrets}
    return {"variables": check("stage", "variables", plain, place), "secrets": secrets}


def _max_jobs(value: Any, _: Place) -> Fields:
    try:
        return {"max_jobs": whole_number(value, 1)}
    except ValueError as error:
        raise ValueError(f"max_jobs={value!r}: {error}") from None


def _max_rss(value: Any, _: Place) -> Fields:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", value) if isinstance(value, str) else None
    if found is None or found[2] not in UNITS:
        raise ValueError(f'max_rss={value!r}: write a size with its unit, like "4GiB"')
    return {"max_rss": int(float(found[1]) * UNITS[found[2]])}


def _gpus(value: Any, _: Place) -> Fields:
    listed = value if isinstance(value, list) else [None]
    if not all(isinstance(each, (int, str)) and not isinstance(each, bool) for each in listed):
        raise ValueError(f"gpus={value!r}: must be a list of them as the driver names them, like [0, 1]")
    devices = [str(each) for each in listed]
    if len(set(devices)) < len(devices):
        raise ValueError(f"gpus={value!r}: one is named twice")
    return {"devices": devices}


def _run_without_store(value: Any, _: Place) -> Fields:
    if not isinstance(value, bool):
        raise ValueError(f"run_without_store={value!r}: must be true or false")  # noqa: TRY004  as for the others
    return {"run_without_store": value}


KNOBS: dict[str, Callable[[Any, Place], Fields]] = {
    "workers": _workers,
    "env": _of_stages("env"),
    "interpreter": _of_stages("interpreter"),
    "variables": _variables,
    "gpus": _gpus,
    "max_jobs": _max_jobs,
    "max_rss": _max_rss,
    "max_restarts": _of_stages("max_restarts"),
    "start_timeout": _of_stages("start_timeout"),
    "run_without_store": _run_without_store,
}
"""Each gives the fields of the group's plan that it is about."""
