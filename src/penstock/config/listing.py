"""Every knob and setting of a pipeline with its value, and where that came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from penstock.config import groups
from penstock.config.configuration import Configuration
from penstock.config.redaction import redacted
from penstock.pipeline.checks import CHECKS, NOT_EXTERNAL, REFUSED
from penstock.pipeline.duration import seconds
from penstock.pipeline.knobs import Knobs
from penstock.pipeline.options import Options
from penstock.pipeline.overlay import Overlay
from penstock.pipeline.pipeline import Pipeline
from penstock.pipeline.reference import Reference
from penstock.pipeline.shape import LIMIT, Shape
from penstock.pipeline.stage import Node

DEFAULT = "default"


class Row(NamedTuple):
    """One knob of one stage, or one setting."""

    path: tuple[str, ...]
    """``("stages", "detect", "replicas")``."""
    value: Any
    """Plain data that may be shown: times with their unit, secrets hidden."""
    origin: str
    """``penstock.toml:4``, ``PENSTOCK_STAGES__DETECT__REPLICAS``, ``--set``, ``app.py:12`` or ``default``."""


def listing(pipeline: Pipeline, found: Configuration) -> list[Row]:
    """All rows: stage by stage as they are written in the code, then the settings."""
    rows = [row for node in pipeline.nodes for row in _knobs(node, found)]
    settings = [each for path, each in found.counting.items() if path[0] == "config"]
    return rows + [Row(each.path, redacted(each.value, each.path[-1]), str(each.place)) for each in settings]


def of_groups(directory: str, environ: Mapping[str, str], names: Sequence[str]) -> list[Row]:
    """What counts for groups of tasks: of these, and of others that the nearest file names.

    Raises:
        Misconfigured: something is wrong in it.
    """
    known = groups.said(directory, environ, names)
    silent = [name for name in names if ("group", name, "workers") not in {each.path for each in known}]
    rows = [Row(("group", name, "workers"), 1, DEFAULT) for name in silent]
    rows += [Row(each.path, redacted(each.value, each.path[-1]), str(each.place)) for each in known]
    return sorted(rows, key=lambda row: row.path)


def _knobs(node: Node[Any, Any], found: Configuration) -> list[Row]:
    overlay = found.overlays[node.name]
    options = node.options.with_checked(overlay.values, overlay.places)
    rows = []
    idle = {"name", *REFUSED[node.how], *(NOT_EXTERNAL if options.external else ())}
    for knob in CHECKS:
        if knob in idle:
            continue
        if knob == "variables":
            rows += _variables(node, options, found)
        else:
            value = _with_unit(knob, getattr(options, knob))
            rows.append(Row(("stages", node.name, knob), value, str(options.places.get(knob, DEFAULT))))
    return rows + (_arguments(node, overlay) if isinstance(node, Shape) else [])


def _arguments(node: Shape, overlay: Overlay) -> list[Row]:
    """The numbers and times of a window or a join, where they are said or have a default."""
    rows = []
    for name, written in node.arguments.items():
        value = overlay.arguments.get(name, written)
        if value is None:
            continue
        origin = DEFAULT if name == "limit" and written == LIMIT else node.where
        shown = f"{seconds(value):g}s" if node.is_time(name) else value
        rows.append(Row(("stages", node.name, name), shown, str(overlay.places.get(name, origin))))
    return rows


def _variables(node: Node[Any, Any], options: Options, found: Configuration) -> list[Row]:
    """Each on its own: one may be the decorator's, and the next a secret of the file."""
    path = ("stages", node.name, "variables")
    values = {**options.variables, **found.overlays[node.name].secrets}
    if not values:
        return [Row(path, {}, str(options.places.get("variables", DEFAULT)))]
    decorated = node.options.places.get("variables", DEFAULT)
    rows = []
    for name, value in values.items():
        said = found.counting.get((*path, name))
        rows.append(Row((*path, name), redacted(value, name), str(said.place if said else decorated)))
    return rows


def _with_unit(knob: str, value: Any) -> Any:
    """A time as people write it, code by its name; anything else as it is."""
    is_time = "Duration" in str(Knobs.__annotations__[knob])
    if is_time and value is not None:
        return f"{value:g}s"
    if isinstance(value, Reference):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
