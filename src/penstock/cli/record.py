"""``penstock record``: keep what goes by links of a running pipeline, without a change to how it goes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from penstock.cli import terminal
from penstock.cli.group import VerbCommand
from penstock.cli.links import named
from penstock.cli.options import in_seconds, json_option, run_option
from penstock.errors import UserError
from penstock.runtime import client

if TYPE_CHECKING:
    from penstock.runtime.client import Run

EXAMPLES = (
    "penstock record -o rec.pst --for 30s",
    "penstock record -o rec.pst --links camera --links 'detect->save'",
    "penstock record --stop",
)
EXITS = (("0", "all that went by is in it"), ("1", "it is not complete, and says why"))


@click.command(cls=VerbCommand, examples=EXAMPLES, terms={"Exit codes": EXITS})
@click.option("-o", "--output", metavar="DIR", type=click.Path(file_okay=False), help="A new folder.")
@click.option(
    "--links",
    "places",
    metavar="LINK|STAGE",
    multiple=True,
    help="Only these, as in `tap`; may be said more than once.",
)
@click.option("--for", "lasting", metavar="TIME", callback=in_seconds, help="End after so long, like 30s.")
@click.option("--stop", is_flag=True, help="End the recording that goes on.")
@run_option
@json_option
def record(
    output: str | None,
    places: tuple[str, ...],
    lasting: float | None,
    stop: bool,
    name: str | None,
    as_json: bool,
) -> int:
    """Keep all that goes by the links of a running pipeline.

    What goes, and how, stays as it is: who sends an item also writes it down, before it goes. It ends after
    --for, with Ctrl-C, with --stop from elsewhere, or with the run. `penstock replay` shows what is in it and
    runs it again; `penstock run --record` begins with the first item.
    """
    from penstock.cli import reel

    run = client.find(name)
    if stop:
        return reel.show(client.call(run, "record_stop")["path"], as_json=as_json)
    if output is None:
        raise UserError("say where to: penstock record -o rec.pst")
    path = os.path.abspath(output)
    _until_over(client.record(run, _chosen(run, places), path), run, path, lasting)
    return reel.show(path, as_json=as_json)


def _chosen(run: Run, places: tuple[str, ...]) -> list[int]:
    answer = client.call(run, "ps")
    found = [link for place in places for link in named(place, answer)] if places else answer["links"]
    return sorted({link["id"] for link in found})


def _until_over(recorder: client.Recorder, run: Run, path: str, lasting: float | None) -> None:
    until = "" if lasting is not None else "; Ctrl-C ends it"
    terminal.talk(f"recording {run.pipeline} in {path}{until}")
    try:
        recorder.wait(lasting)
    except KeyboardInterrupt:
        pass
    recorder.stop()
