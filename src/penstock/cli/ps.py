"""``penstock ps``: the workers of the running pipelines, and where their items are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from penstock.cli import figures, statedir, terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand
from penstock.cli.options import json_option, pipeline_option
from penstock.cli.table import table
from penstock.errors import NotRunning
from penstock.runtime import client

WORKERS = ("WORKER", "STATE", "BUSY", "ITEMS", "FAILED", "RESTARTS", "PID", "PYTHON")
BUSY = WORKERS.index("BUSY")
LINKS = ("LINK", "SENT", "DONE", "IN FLIGHT", "WAITING", "AGAIN", "DEAD")

TROUBLE = ("restarting", "dying", "failed")
"""States that make the exit code 1. (Starting and draining are on their way to something good.)"""
COMING = ("booting", "loading", "setup")
"""States on the way to ready: trouble too, the second time."""

Answer = dict[str, Any]


@click.command(cls=VerbCommand, examples=["penstock ps", "penstock ps -p demo --json"])
@pipeline_option
@click.option("-q", "--quiet", is_flag=True, help="Only the names of the workers, one a line.")
@json_option
def ps(name: str | None, quiet: bool, as_json: bool) -> int:
    """Show stages and their workers.

    All pipelines that run on this machine, or the one named. Exit code 1 when a worker is being restarted,
    3 when nothing runs.
    """
    runs = [client.find(name)] if name else client.runs()
    if not runs:
        raise NotRunning(_nothing_runs())
    answers = [client.call(run, "ps") for run in runs]
    if as_json:
        terminal.data(document("ps", pipelines=[_without_schema(answer) for answer in answers]))
    elif quiet:
        terminal.data("\n".join(worker["worker"] for answer in answers for worker in workers(answer)))
    else:
        terminal.data("\n\n\n".join(map(about, answers)))
    return int(any(in_trouble(answer) for answer in answers))


def about(answer: Answer) -> str:
    """One pipeline for people: its workers, its links, the line that adds up."""
    stages = table(
        [row for stage in answer["stages"] for row in _stage(stage)], WORKERS, right=[2, 3, 4, 5, 6]
    )
    links = table(*_links(answer["links"]), right=[1, 2, 3, 4, 5, 6])
    return "\n".join([_head(answer), "", *stages, "", *links, "", figures.last_line(answer["totals"])])


def workers(answer: Answer) -> Iterator[Answer]:
    """All replicas of a pipeline, upstream first."""
    for stage in answer["stages"]:
        yield from stage["replicas"]


def in_trouble(answer: Answer) -> bool:
    """Whether somebody should look at it."""
    return answer["state"] in TROUBLE or any(map(_is_down, workers(answer)))


def _is_down(worker: Answer) -> bool:
    return worker["state"] in TROUBLE or (worker["state"] in COMING and worker["restarts"] > 0)


def _nothing_runs() -> str:
    """That there is nothing to show; where it last ran from here, how that ended."""
    last = [
        f"{run['pipeline']} {run['state']}: {figures.last_line(run['totals'])}"
        for run in statedir.last_runs()
    ]
    return "\n  ".join(["no pipeline is running here; start one with `penstock run app.py`", *last])


def _head(answer: Answer) -> str:
    state = _state(answer["state"], good="running")
    uptime = figures.duration(answer["uptime"])
    rest = terminal.dim(f"{answer['run']}   pid {answer['pid']}")
    return f"{terminal.strong(answer['pipeline'])}   {state}   up {uptime}   {rest}"


def _stage(stage: Answer) -> list[list[str]]:
    """A row for each replica, or one for a stage that is through."""
    rows = [_worker(worker) for worker in stage["replicas"]] or [[stage["name"], "finished", *[""] * 6]]
    if stage["kind"] == "source":
        for row in rows:
            row[BUSY] = ""  # its time is in `next()`, where making an item and waiting for one look alike
    return rows


def _worker(worker: Answer) -> list[str]:
    state = _state(worker["state"], good="ready")
    if "pid" not in worker:
        return [
            worker["worker"],
            f"{state} in {worker['restart_in']:.1f} s",
            *[""] * 3,
            str(worker["restarts"]),
            "",
            "",
        ]
    return [
        worker["worker"],
        state,
        f"{worker['busy']:.0%}",
        figures.number(worker["items"]),
        figures.number(worker["failures"]),
        str(worker["restarts"]),
        str(worker["pid"]),
        worker["python"],
    ]


def _links(links: list[Answer]) -> tuple[list[list[str]], list[str]]:
    """Rows and their heading, with a column for what was dropped where something was."""
    rows, head = [_link(link) for link in links], list(LINKS)
    if any(map(_dropped, links)):
        rows = [[*row, _dropped(link)] for row, link in zip(rows, links, strict=True)]
        head.append("DROPPED")
    return rows, head


def _link(link: Answer) -> list[str]:
    counts = ("sent", "settled", "in_flight", "waiting", "again", "dead")
    return [link["link"], *(figures.number(link[name]) for name in counts)]


def _dropped(link: Answer) -> str:
    """``7,213 full``: how many, and why; nothing for none."""
    return f"{figures.number(link['dropped_full'])} full" if link.get("dropped_full") else ""


def _state(state: str, *, good: str) -> str:
    colour = terminal.good if state == good else terminal.bad if state in TROUBLE else terminal.doubtful
    return colour(state)


def _without_schema(answer: Answer) -> Answer:
    return {key: value for key, value in answer.items() if key != "schema"}
