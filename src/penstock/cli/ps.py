"""``penstock ps``: the workers of the running pipelines, and where their items are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from penstock.cli import figures, statedir, terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand
from penstock.cli.options import json_option, run_option
from penstock.cli.table import table
from penstock.cli.topic import topic_table
from penstock.errors import NotRunning
from penstock.pipeline.plan import GROUP, SERVICE
from penstock.runtime import client

WORKERS = ("WORKER", "STATE", "BUSY", "IDLE", "WAIT", "ITEMS/S", "P50", "P99", "HOLDS", "CPU", "RSS")
COUNTS = ("FAILED", "RESTARTS", "PID")
WIDE = ("ITEMS", "PYTHON")
LINKS = ("LINK", "SENT", "DONE", "IN FLIGHT", "WAITING", "AGAIN", "DEAD")
HOSTS = ("HOST", "STATE", "CORES", "WORKERS", "ADDRESS", "LABELS")
MOST_LINES = 24
"""Of topics."""
WHERE_ANY = ("given_back", "unfinished", "lost", "senders_lost", "requeued", "unmatched", "duplicates")
"""Counts that have a column where one of them is not 0, as in the ledger of a run."""
FLOW = ("ITEMS/S", "DATA/S", "FILL", "OLDEST", "BY")

TROUBLE = ("restarting", "dying", "failed")
"""States that make the exit code 1. (Starting and draining are on their way to something good.)"""
COMING = ("booting", "loading", "setup")
"""States on the way to ready: trouble too, the second time."""

MEANINGS = (
    ("BUSY IDLE WAIT", "parts of its time: in your code, without an item, for room in the next stage"),
    ("P50 P99", "what half of the items, and 99 of 100, took at most, in your code"),
    (
        "HOLDS",
        "items in hand, in open windows, waiting for a partner or their turn; of a source, those not settled",
    ),
    ("PROGRESS", "how far the item in hand is, where its code says so"),
    (
        "SENT",
        (
            "is DONE, IN FLIGHT, DEAD, DROPPED and UNFINISHED together, and GIVEN BACK: a sender died, and "
            "what it had made of its items is made again"
        ),
    ),
    ("UNMATCHED", "of those DONE, what found no partner in a join; DUPLICATES: what was done before"),
    ("FILL", "of what the receivers may hold, the part they do; near 100 % they are behind"),
    ("OLDEST", "since when the oldest item in flight is on its way"),
    ("BY", "how most of the data travels: shared memory or socket"),
)

Answer = dict[str, Any]


@click.command(
    cls=VerbCommand,
    examples=["penstock ps", "penstock ps -p demo --json"],
    terms={"What the columns say": MEANINGS},
)
@run_option
@click.option(
    "-w", "--wide", is_flag=True, help="Also what each worker has done in all, and by which Python."
)
@click.option("-q", "--quiet", is_flag=True, help="Only the names of the workers, one a line.")
@json_option
def ps(name: str | None, wide: bool, quiet: bool, as_json: bool) -> int:
    """Show stages and their workers.

    All pipelines that run on this machine, or the one named; how each worker spends its time, how each link
    flows, and which stage the others wait for. Exit code 1 when a worker is being restarted, 3 when nothing
    runs.
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
        terminal.data("\n\n\n".join(about(answer, wide=wide) for answer in answers))
    return int(any(in_trouble(answer) for answer in answers))


def about(answer: Answer, *, wide: bool = False) -> str:
    """One pipeline for people: its workers, its links, what they wait for, the line that adds up."""
    lines = [head(answer), "", *stage_table(answer, wide=wide), *shared(answer), *host_table(answer)]
    lines += published(answer)
    if all(stage["kind"] in {GROUP, SERVICE} for stage in answer["stages"]):
        return "\n".join(lines)  # what becomes of jobs is told by `penstock queues`
    lines += ["", *link_table(answer), ""]
    if answer["bottleneck"]:
        lines += [answer["bottleneck"]["sentence"], ""]
    return "\n".join([*lines, figures.last_line(answer["totals"])])


def stage_table(answer: Answer, *, wide: bool = False) -> list[str]:
    """Its workers, a line each."""
    header = (*WORKERS, *COUNTS, *(WIDE if wide else ()))
    rows = [row[: len(header)] for stage in answer["stages"] for row in _stage(stage)]
    right = range(2, len(header))
    hosts = [one.get("host", "") for stage in answer["stages"] for one in stage["replicas"] or [{}]]
    if any(hosts):
        header = (*header, "HOST")
        rows = [[*row, host] for row, host in zip(rows, hosts, strict=True)]
    told = [_progress(one) for stage in answer["stages"] for one in stage["replicas"] or [{}]]
    if any(told):
        header = (*header, "PROGRESS")
        rows = [[*row, words] for row, words in zip(rows, told, strict=True)]
    return table(rows, header, right=right)


def host_table(answer: Answer) -> list[str]:
    """The hosts that have joined, a line each; none: nothing."""
    rows = [
        [
            each["host"],
            each["state"],
            figures.number(each["cores"]),
            figures.number(each["workers"]),
            each["address"],
            ", ".join(each["labels"]),
        ]
        for each in answer.get("hosts", [])
    ]
    return ["", *table(rows, HOSTS, right=(2, 3))] if rows else []


def published(answer: Answer) -> list[str]:
    """Topics, and who gets them; none: nothing. Of very many the first, as `penstock topic list` has all."""
    lines = topic_table(answer)
    more = [f"... {len(lines) - MOST_LINES} lines more: penstock topic list"]
    return ["", *lines[:MOST_LINES], *(more if len(lines) > MOST_LINES else ())] if lines else []


def shared(answer: Answer) -> list[str]:
    """What runs in the workers of a stage, where that is more than the stage; and in which environment."""
    return [
        *(
            f"{each['name']} gets {each['share']:.0%} of the calls of {each['service']}"
            for each in answer["stages"]
            if each.get("service", each["name"]) != each["name"]
        ),
        *(f"{each['name']} runs {' + '.join(each['steps'])}" for each in answer["stages"] if each["steps"]),
        *(
            f"{each['name']} runs in {each['env']['name']} {each['env']['key']}"
            for each in answer["stages"]
            if each.get("env")
        ),
    ]


def link_table(answer: Answer) -> list[str]:
    """Its links, a line each."""
    header, links = [*LINKS, *FLOW], answer["links"]
    rows = [_link(link) for link in links]
    if any(map(_dropped, links)):
        header.append("DROPPED")
        rows = [[*row, _dropped(link)] for row, link in zip(rows, links, strict=True)]
    some = [name for name in WHERE_ANY if any(link.get(name) for link in links)]
    at = len(LINKS)
    header[at:at] = [name.replace("_", " ").upper() for name in some]
    for row, link in zip(rows, links, strict=True):
        row[at:at] = [figures.number(link.get(name, 0)) for name in some]
    return table(rows, header, right=range(1, len(LINKS) + len(some) + len(FLOW) - 1))


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


def head(answer: Answer) -> str:
    """Its name and how it is."""
    state = _state(answer["state"], good="running")
    uptime = figures.duration(answer["uptime"])
    rest = terminal.dim(f"{answer['run']}   pid {answer['pid']}")
    return f"{terminal.strong(answer['pipeline'])}   {state}   up {uptime}   {rest}"


def _stage(stage: Answer) -> list[list[str]]:
    """A row for each replica, or one for a stage that is through."""
    every = len(WORKERS) + len(COUNTS) + len(WIDE)
    rows = [_worker(worker) for worker in stage["replicas"]] or [
        [stage["name"], "finished", *[""] * (every - 2)]
    ]
    if stage["kind"] == "source":
        for row in rows:
            # Its time is in `next()`, where making an item and waiting for one look alike.
            row[WORKERS.index("BUSY")] = row[WORKERS.index("IDLE")] = ""
    return rows


def _worker(worker: Answer) -> list[str]:
    state = _state(worker["state"], good="ready")
    if "pid" not in worker:
        due = f"{state} in {worker['restart_in']:.1f} s" if "restart_in" in worker else state
        return [worker["worker"], due, *[""] * (len(WORKERS) - 1), str(worker["restarts"]), *[""] * 3]
    return [
        worker["worker"],
        state,
        *(f"{worker[part]:.0%}" for part in ("busy", "idle", "waiting")),
        figures.number(round(worker["rate"], 1)),
        figures.took(worker["p50"]),
        figures.took(worker["p99"]),
        figures.number(worker["in_flight"] + worker.get("kept", 0)),
        f"{worker['cpu']:.0%}",
        figures.size(worker["rss_bytes"]),
        figures.number(worker["failures"]),
        str(worker["restarts"]),
        str(worker["pid"]),
        figures.number(worker["items"]),
        worker["python"],
    ]


def _progress(worker: Answer) -> str:
    """How far its oldest item is that says so: ``40 % loss 0.1``; and how many others do."""
    notes = worker.get("progress") or []
    if not notes:
        return ""
    more = f"  (+{len(notes) - 1})" if len(notes) > 1 else ""
    return figures.headway(notes[0]["part"], notes[0]["numbers"]) + more


def _link(link: Answer) -> list[str]:
    counts = ("sent", "settled", "in_flight", "waiting", "again", "dead")
    return [
        link["link"],
        *(figures.number(link[name]) for name in counts),
        figures.number(round(link["rate"], 1)),
        figures.size(link["bytes_rate"]),
        f"{link['fill']:.0%}",
        figures.took(link["oldest"]),
        link["transport"],
    ]


def _dropped(link: Answer) -> str:
    """``7,213 full, 12 too old``: how many, and why; nothing for none."""
    counts = {reason: link.get(name, 0) for name, reason in figures.REASONS.items()}
    return ", ".join(f"{figures.number(count)} {reason}" for reason, count in counts.items() if count)


def _state(state: str, *, good: str) -> str:
    colour = terminal.good if state == good else terminal.bad if state in TROUBLE else terminal.doubtful
    return colour(state)


def _without_schema(answer: Answer) -> Answer:
    return {key: value for key, value in answer.items() if key != "schema"}
