"""``penstock config``: what counts for a pipeline, and who said so."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from penstock.cli import terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand, VerbFamily
from penstock.cli.options import app_argument, config_options, json_option
from penstock.cli.table import table

if TYPE_CHECKING:
    from penstock.config.listing import Row

ORDER = (
    ("--set", "the command line"),
    ("PENSTOCK_*", "PENSTOCK_STAGES__DETECT__REPLICAS, PENSTOCK_CONFIG__THRESHOLD"),
    ("profile", "the [profile.NAME] that --profile or PENSTOCK_PROFILE names"),
    ("file", "the nearest penstock.toml, or [tool.penstock] in pyproject.toml"),
    ("decorator", "what the code says"),
    ("default", "what nobody says"),
)


@click.group(cls=VerbFamily, examples=["penstock config show --origin"])
def config() -> None:
    """Show what counts for a pipeline, and who said so."""


@config.command(
    cls=VerbCommand,
    examples=["penstock config show", "penstock config show app.py --origin --profile gpu"],
    terms={"What counts more stands higher": ORDER},
)
@app_argument
@config_options
@click.option("--origin", is_flag=True, help="Also where each value was said.")
@json_option
def show(app: str | None, flags: tuple[str, ...], profile: str | None, origin: bool, as_json: bool) -> None:
    """Show each knob of each stage, the settings, and what is said of groups of tasks.

    Nothing is started. A secret is shown as ***.
    """
    from penstock.cli import appfile
    from penstock.config.configuration import PROFILE, configuration
    from penstock.config.listing import listing, of_groups

    loaded = appfile.load(app)
    pipeline = loaded.pipeline
    rows = listing(pipeline, configuration(pipeline, os.environ, flags=flags, profile=profile))
    environ = {**os.environ, **({PROFILE: profile} if profile else {})}
    groups = sorted({task.group for task in appfile.work(str(loaded.path))[1]})
    rows += of_groups(str(loaded.path.parent), environ, groups)
    if as_json:
        terminal.data(document("config", pipeline=pipeline.name, **as_fields(rows)))
    else:
        terminal.data("\n".join(table([cells(row, with_origin=origin) for row in rows])))


def as_fields(rows: list[Row]) -> dict[str, Any]:
    """For a JSON document: a list, because names of stages and settings may be anything."""
    return {"values": [{"path": list(row.path), "value": row.value, "origin": row.origin} for row in rows]}


def cells(row: Row, *, with_origin: bool) -> list[str]:
    """One line: ``detect.replicas   2   penstock.toml:4``; what nobody chose is dim."""
    path = ".".join(row.path[1:] if row.path[0] == "stages" else row.path)
    plain = row.origin == "default"
    found = [path, value(row.value), *([row.origin] if with_origin else [])]
    return [terminal.dim(cell) for cell in found] if plain else found


def value(found: Any) -> str:
    """A value in a line; nothing chosen is a dash."""
    if found is None:
        return "-"
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
