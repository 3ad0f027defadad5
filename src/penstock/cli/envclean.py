"""What of the user's environments can go."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from penstock.cli import figures
from penstock.environments import layer
from penstock.environments.store import Entry, Store, size

LAYER = "what workers need"
"""In place of a name, for what is no environment."""


def clean(unused: float, *, dry_run: bool) -> list[dict[str, Any]]:
    """Remove those that nobody has used for ``unused`` seconds, and halves nobody makes; what has gone."""
    store = Store.of(os.environ)
    old = [entry for entry in store.entries() if time.time() - entry.used >= unused and not entry.is_held]
    gone = [_fields(entry) for entry in old if dry_run or store.remove(entry.marker.key)]
    others = [key for key, used in store.strangers().items() if time.time() - used >= unused]
    rest = [key for key in [*others, *store.halves()] if dry_run or store.remove(key)]
    return [
        *gone,
        *({"key": key, "name": "", "bytes": 0, "whole": False} for key in rest),
        *_layers(store, unused, dry_run=dry_run),
    ]


def _layers(store: Store, unused: float, *, dry_run: bool) -> list[dict[str, Any]]:
    """What workers need, of which no worker has had any for so long."""
    old = [path for path, used in layer.used(store).items() if time.time() - used >= unused]
    sizes = {path: size(path) for path in sorted(old) if not layer.is_used(path)}
    gone = [path for path in sizes if dry_run or layer.remove(store, path)]
    return [
        {"key": os.path.basename(path), "name": LAYER, "bytes": sizes[path], "whole": True} for path in gone
    ]


def lines(gone: Sequence[dict[str, Any]], *, dry_run: bool) -> list[str]:
    """For people."""
    verb = "would remove" if dry_run else "removed"
    told = [
        f"{verb}   {each['key']}   {each['name'] or 'half built'}   {figures.size(each['bytes'])}"
        for each in gone
    ]
    return told or ["there is nothing to remove"]


def _fields(entry: Entry) -> dict[str, Any]:
    names = ", ".join(sorted(set(entry.users.values())))
    return {"key": entry.marker.key, "name": names, "bytes": entry.marker.bytes, "whole": True}
