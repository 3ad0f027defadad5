"""``penstock init``: a pipeline that runs at once, its test and its README."""

from __future__ import annotations

import importlib.util
import re
import shlex
from importlib import resources
from pathlib import Path

import click

from penstock.cli import terminal
from penstock.cli.group import VerbCommand
from penstock.errors import UserError

TEMPLATES = {"arrays": "normalise", "plain": "count"}
"""Each template and the stage its README scales."""


class Occupied(UserError):
    """A file that would be written is there already; nothing was written."""

    exit_code = 1


@click.command(
    cls=VerbCommand, examples=["penstock init demo && cd demo", "penstock init --template plain ."]
)
@click.argument("directory", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--template",
    type=click.Choice(list(TEMPLATES)),
    help="arrays needs NumPy (the default where it is installed); plain needs nothing.",
)
def init(directory: Path, template: str | None) -> None:
    """Write a pipeline that runs at once.

    Writes app.py, tests/test_app.py and README.md. Never overwrites anything.
    """
    template = template or ("arrays" if importlib.util.find_spec("numpy") else "plain")
    files = contents(template, pipeline_name(directory))
    _refuse_to_overwrite([directory / name for name in files])
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    change = "" if directory.resolve() == Path.cwd() else f"cd {shlex.quote(str(directory))} && "
    terminal.talk(f"  created  {'  '.join(files)}")
    terminal.talk(f"  next     {terminal.strong(change + 'penstock run app.py')}")


def contents(template: str, name: str) -> dict[str, str]:
    """The files of a new project by their path, filled in for a pipeline of this name."""
    found = {
        "app.py": f"{template}/app.py",
        "tests/test_app.py": f"{template}/test_app.py",
        "README.md": "README.md",
    }
    return {path: _fill(source, name, TEMPLATES[template]) for path, source in found.items()}


def pipeline_name(directory: Path) -> str:
    """The directory's name as far as it can name a pipeline."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", directory.resolve().name).strip("-").lower()
    return words if words[:1].isalpha() else f"demo-{words}".rstrip("-")


def _fill(source: str, name: str, stage: str) -> str:
    # Templates end in .txt: they are no modules of this package, and no tool should take them for some.
    text = resources.files("penstock.cli").joinpath("template", source + ".txt").read_text(encoding="utf-8")
    padding = " " * (len("penstock drain               ") - len(f"penstock scale {stage}=4"))
    return text.replace("{name}", name).replace("{stage}", stage).replace("{pad}", padding)


def _refuse_to_overwrite(paths: list[Path]) -> None:
    there = [str(path) for path in paths if path.exists()]
    if there:
        verb = "is" if len(there) == 1 else "are"
        raise Occupied(
            f"{', '.join(there)} {verb} there already, so nothing was written; name another directory"
        )
