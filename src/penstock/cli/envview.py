"""Environments as people look at them: a line each, or one with its packages."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from penstock.cli import figures, terminal
from penstock.cli.envproject import Project, counted, versions
from penstock.cli.finding import BAD, DOUBTFUL, GOOD, Finding
from penstock.cli.table import table
from penstock.environments import existing, interpreters
from penstock.environments.spec import EXISTING, CondaPrefix, Interpreter, Spec
from penstock.environments.store import Entry
from penstock.errors import PenstockError
from penstock.pipeline.place import near

HEADER = ("NAME", "KIND", "PYTHON", "STATE", "SIZE", "AGE", "USED", "BY", "KEY")


class Row(NamedTuple):
    """One environment, as ``penstock env list`` has it."""

    name: str
    kind: str
    python: str
    state: str
    bytes: int | None
    """Of disk; ``None``: it is not built, or somebody else's."""
    created: float | None
    used: float | None
    """When it was last used, in seconds since 1970."""
    users: list[str]
    """Folders of the projects that have used it."""
    key: str

    def as_fields(self) -> dict[str, Any]:
        """For a JSON document."""
        return self._asdict()


def rows(here: Project, *, everything: bool) -> list[Row]:
    """Those of the project, by name; behind them, if they are wanted, those of others."""
    known = {entry.marker.key: entry for entry in here.store.entries()}
    mine = [_row(here, spec, known) for _, spec in sorted(here.described.specs.items())]
    if not everything:
        return mine
    seen = {row.key for row in mine}
    others = [entry for key, entry in known.items() if key not in seen]
    return [*mine, *(_of_entry(", ".join(sorted(set(each.users.values()))) or "-", each) for each in others)]


def lines(found: Sequence[Row]) -> list[str]:
    """For people."""
    if not found:
        return ["no environment is described here; `penstock env init NAME` writes one"]
    now = time.time()
    cells = [
        [
            row.name,
            row.kind,
            row.python,
            (terminal.bad if row.state in {"stale", "changed"} else str)(row.state),
            figures.size(row.bytes) if row.bytes is not None else "",
            figures.duration(now - row.created) if row.created is not None else "",
            f"{figures.duration(now - row.used)} ago" if row.used is not None else "",
            ", ".join(near(each) for each in row.users),
            row.key,
        ]
        for row in found
    ]
    return table(cells, HEADER, right=[4])


def _row(here: Project, spec: Spec, known: dict[str, Entry]) -> Row:
    kind = type(spec).__struct_config__.tag
    if isinstance(spec, EXISTING):
        return _of_existing(here, spec, str(kind))
    locked = here.locks.envs.get(spec.name)
    empty = Row(spec.name, str(kind), locked.python if locked else "", "not locked", None, None, None, [], "")
    if locked is None:
        return empty
    try:
        stale = here.provider().stale(spec)
        key = "" if stale else here.provider().recipe(spec).key
    except PenstockError:
        return empty._replace(state="stale")
    if stale:
        return empty._replace(state="stale")
    entry = known.get(key)
    return _of_entry(spec.name, entry) if entry else empty._replace(state="not built", key=key)


def _of_existing(here: Project, spec: Interpreter | CondaPrefix, kind: str) -> Row:
    try:
        found = interpreters.probe(existing.python_of(spec, here.environ), here.environ)
    except PenstockError:
        return Row(spec.name, kind, "", "missing", None, None, None, [], "")
    state = "ready" if interpreters.is_fit(found) else "unfit"
    return Row(spec.name, kind, found.version, state, None, None, None, [], "")


def _of_entry(name: str, entry: Entry) -> Row:
    marker = entry.marker
    return Row(
        name=name,
        kind=marker.kind,
        python=marker.probe.version,
        state="changed" if marker.changed() else "in use" if entry.is_held else "ready",
        bytes=marker.bytes,
        created=marker.created,
        used=entry.used,
        users=sorted(entry.users),
        key=marker.key,
    )


# ----------------------------------------------------------------------------------------------------- one


def one(here: Project, name: str) -> dict[str, Any]:
    """One of them with its packages, for a JSON document."""
    [spec] = here.chosen([name])
    row = _row(here, spec, {entry.marker.key: entry for entry in here.store.entries()})
    locked = here.locks.envs.get(name)
    is_there = row.key and here.store.marker(row.key) is not None
    return {
        **row.as_fields(),
        "origin": spec.origin,
        "path": here.store.prefix(row.key) if is_there else "",
        "platforms": sorted(locked.platforms) if locked else [],
        "variables": locked.variables if locked else {},
        "packages": versions(locked),
    }


def told(found: dict[str, Any]) -> list[str]:
    """For people."""
    about = ("kind", "python", "state", "origin", "path", "key")
    facts = [[terminal.dim(each), str(found[each])] for each in about if found[each]]
    facts += [[terminal.dim("platforms"), ", ".join(found["platforms"])]] if found["platforms"] else []
    facts += [[terminal.dim("sets"), f"{name}={value}"] for name, value in found["variables"].items()]
    packages = [[f"  {name}", version] for name, version in sorted(found["packages"].items())]
    return [terminal.strong(found["name"]), *table(facts), *([""] if packages else []), *table(packages)]


# ---------------------------------------------------------------------------------------------- what is wrong


def examine(here: Project, names: Sequence[str]) -> list[Finding]:
    """What would keep them from being built, and what their lock does not promise."""
    return [_examine(here, spec) for spec in here.chosen(names)]


def _examine(here: Project, spec: Spec) -> Finding:
    try:
        if isinstance(spec, EXISTING):
            python, found = existing.asked(spec, here.environ)
            said = f"Python {found.version} at {python}: nobody can lock it, so others may have another"
            return Finding(spec.name, DOUBTFUL, said)
        if stale := here.provider().stale(spec):
            sentence, _, cure = stale.rpartition("; run ")
            return Finding(spec.name, BAD, sentence or stale, cure.strip("`"))
        wanted = here.provider().recipe(spec)
    except PenstockError as error:
        return Finding(spec.name, BAD, str(error))
    state = "built" if here.store.marker(wanted.key) is not None else "not built yet"
    return Finding(
        spec.name, GOOD, f"Python {wanted.python}, {counted(versions(here.locks.envs[spec.name]))}, {state}"
    )
