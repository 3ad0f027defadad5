"""What scripts rely on: verbs, options and JSON documents are those written down in ``surface/``.

A change there is a change for users: it belongs into the CHANGELOG. ``SURFACE=write`` writes the files anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from penstock.cli.main import penstock
from tests.acceptance.cli.terminal import APP, Terminal, finish
from tests.acceptance.cli.test_jobs import APP as JOBS

SURFACE = Path(__file__).with_name("surface")
MAPS = {"config", "variables"}
"""Objects whose keys are the user's own."""
PERHAPS = {"bottleneck", "oldest", "p50", "p99"}
"""What is null until there is something to say."""


def frozen(name: str, text: str) -> None:
    """Hold ``text`` against the file of that name."""
    path = SURFACE / name
    if os.environ.get("SURFACE") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8"), f"the surface has changed; if it was meant: SURFACE=write, {name}"


def listing(command: click.Command, path: str) -> Iterator[str]:
    """The command and all below it, a line for each parameter."""
    yield path
    context = click.Context(command)
    for parameter in sorted(
        command.params, key=lambda each: (isinstance(each, click.Option), each.name or "")
    ):
        yield f"    {describe(parameter, context)}"
    if isinstance(command, click.Group):
        for name in sorted(command.list_commands(context)):
            below = command.get_command(context, name)
            assert below is not None
            yield from listing(below, f"{path} {name}")


def describe(parameter: click.Parameter, context: click.Context) -> str:
    """Its spellings, whether it repeats, and what it takes."""
    names = "/".join(sorted([*parameter.opts, *parameter.secondary_opts], key=len))
    if isinstance(parameter, click.Option):
        takes = "" if parameter.is_flag else f" {parameter.make_metavar(context)}"
    else:
        names, takes = parameter.make_metavar(context), ""
    return names + takes + (" (repeats)" if getattr(parameter, "multiple", False) else "")


def shape(value: Any, key: str = "") -> Any:
    """A document with its values replaced by the names of their types; of a list, its first."""
    if key in PERHAPS:
        return "null or more"
    if isinstance(value, dict):
        if key in MAPS:
            return "map"
        return {name: shape(each, name) for name, each in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if key == "schema":
        return value
    return {int: "number", float: "number", type(None): "null or more"}.get(type(value), type(value).__name__)


def test_verbs_and_options_are_those_written_down() -> None:
    frozen("verbs.txt", "\n".join(listing(penstock, "penstock")) + "\n")


def test_documents_have_the_fields_written_down(terminal: Terminal) -> None:
    terminal.write(
        "app.py", APP.replace("    return number\n", "    return number if number != 7 else 1 / 0\n")
    )
    terminal.open_gate()
    run = terminal.run()
    documents = {
        " ".join(words): shape(terminal.ask(*words))
        for words in (
            ("graph", "app.py"), ("check", "app.py"), ("config", "show", "app.py"), ("ps",),
            ("scale", "gate=2"), ("pause", "gate"), ("resume", "gate"), ("drain",),
        )
    }  # fmt: skip
    finish(run)
    documents |= {" ".join(words): shape(terminal.ask(*words)) for words in (("dead", "list"), ("version",))}
    frozen("documents.json", json.dumps(documents, indent=1, sort_keys=True) + "\n")


def test_documents_about_jobs_have_the_fields_written_down(terminal: Terminal) -> None:
    terminal.write("app.py", JOBS)
    words = (
        ("tasks", "submit", "app.py:add", "--arg", "left=2"), ("tasks", "list"), ("tasks", "show", "1"),
        ("tasks", "stats"), ("queues",), ("tasks", "pause", "default"), ("tasks", "cancel", "1"),
        ("tasks", "retry", "1"), ("tasks", "cancel", "1"), ("tasks", "purge", "1"), ("tasks", "schedules"),
        ("tasks", "submit", "app.py:add", "--arg", "left=2", "--unique", "k", "--at", "2999-01-01"),
        ("tasks", "logs", "2"),
    )  # fmt: skip
    documents = {" ".join(each): shape(terminal.ask(*each)) for each in words}
    frozen("jobs.json", json.dumps(documents, indent=1, sort_keys=True) + "\n")
